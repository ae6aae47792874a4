/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VGPU-STUB, a software GPU: QEMU's front end.
 *
 * BAR0 is answered by the device model (device/device.c). BAR2 is a sparse memfd that the guest maps and that vgpu-hostd's
 * executors work on; a doorbell is an eventfd that hostd sleeps on. QEMU itself executes nothing and waits for nobody, except
 * for hostd's word, when the device is made, on which GPU this is.
 *
 *   -device vgpu-stub,socket=PATH[,profile=NAME][,memory=BYTES][,uuid=UUID][,index=N]
 *
 * Without a socket the device is there, but no channel can be opened. */
#include "qemu/osdep.h"
#include <sys/mman.h>
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/event_notifier.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/memfd.h"
#include "qemu/module.h"
#include "qemu/units.h"
#include "hw/pci/pci.h"
#include "hw/qdev-properties-system.h"
#include "migration/blocker.h"
#include "migration/vmstate.h"
#include "sysemu/sysemu.h"
#include "device.h"
#include "hostd_link.h"

#define TYPE_VGPU_STUB "vgpu-stub"
OBJECT_DECLARE_SIMPLE_TYPE(VGPUStub, VGPU_STUB)

/* What BAR2 is without a memory property: the power of two above the head and 80 GiB. */
#define VGPU_DEFAULT_BAR2 (128 * GiB)

struct VGPUStub {
    PCIDevice parent_obj;

    MemoryRegion bar0, bar2;
    struct vgpu_device device;
    uint32_t *registers;
    struct {
        EventNotifier event;
        bool made;
    } doorbells[VGPU_CHANNELS];
    int link; /* hostd's socket, or -1 */
    Error *blocker;
    bool blocked;

    /* The saved state: of a device without channels. */
    uint32_t saved_error;
    uint8_t saved_profile[sizeof(((struct vgpu_profile *)0)->profile)];

    char *socket;
    char *profile;
    uint64_t memory;
    uint32_t index;
    QemuUUID uuid;
};

/* ---- Doorbells: the guest's write to one goes to its eventfd directly, with KVM without an exit ---- */

static int vgpu_doorbell_make(VGPUStub *s, uint32_t n)
{
    int rc = event_notifier_init(&s->doorbells[n].event, false);

    if (rc == 0) {
        memory_region_add_eventfd(&s->bar0, VGPU_REG_DOORBELL + 4 * n, 4, false, 0, &s->doorbells[n].event);
        s->doorbells[n].made = true;
    }
    return rc;
}

static void vgpu_doorbell_free(VGPUStub *s, uint32_t n)
{
    if (s->doorbells[n].made) {
        memory_region_del_eventfd(&s->bar0, VGPU_REG_DOORBELL + 4 * n, 4, false, 0, &s->doorbells[n].event);
        event_notifier_cleanup(&s->doorbells[n].event);
        s->doorbells[n].made = false;
    }
}

/* ---- The link to hostd ---- */

static const struct vgpu_profile *vgpu_profile(VGPUStub *s)
{
    return (const void *)((const char *)s->registers + VGPU_PROFILE_OFFSET);
}

static void vgpu_link_lost(VGPUStub *s, const char *why)
{
    if (s->link < 0)
        return;
    warn_report("vgpu-stub: %s: the GPU is lost to the guest", why);
    qemu_set_fd_handler(s->link, NULL, NULL, NULL);
    close(s->link);
    s->link = -1;
    vgpu_device_lost(&s->device);
}

static void vgpu_link_readable(void *opaque)
{
    VGPUStub *s = opaque;
    struct vgpu_msg msg;
    int rc = 0;

    while (s->link >= 0 && (rc = vgpu_link_receive(s->link, &msg)) > 0) {
        if (!vgpu_device_message(&s->device, &msg))
            vgpu_link_lost(s, "vgpu-hostd sent a message that makes no sense");
    }
    if (rc < 0)
        vgpu_link_lost(s, "vgpu-hostd ended the connection");
}

static int vgpu_tell(VGPUStub *s, enum vgpu_msg_type type, uint32_t n, int fd)
{
    int rc = s->link < 0 ? -ENOTCONN : vgpu_link_send(s->link, type, n, fd);

    if (rc < 0)
        vgpu_link_lost(s, "vgpu-hostd takes no messages");
    return rc;
}

/* ---- What the device model asks for ---- */

static int vgpu_op_open(void *opaque, uint32_t n)
{
    VGPUStub *s = opaque;
    Error *local_err = NULL;
    int rc;

    /* Refused while the VM is being saved: the state on its way says that no channel is open. */
    if (!s->blocked) {
        rc = migrate_add_blocker_internal(s->blocker, &local_err);
        if (rc < 0) {
            error_free(local_err);
            return rc;
        }
        s->blocked = true;
    }
    rc = vgpu_doorbell_make(s, n);
    return rc < 0 ? rc : vgpu_tell(s, VGPU_MSG_OPEN, n, event_notifier_get_fd(&s->doorbells[n].event));
}

static int vgpu_op_close(void *opaque, uint32_t n)
{
    return vgpu_tell(opaque, VGPU_MSG_CLOSE, n, -1);
}

static int vgpu_op_reset(void *opaque)
{
    return vgpu_tell(opaque, VGPU_MSG_RESET, 0, -1);
}

static void vgpu_op_ring(void *opaque, uint32_t n)
{
    VGPUStub *s = opaque;

    event_notifier_set(&s->doorbells[n].event);
}

static void vgpu_op_changed(void *opaque, uint32_t n, enum vgpu_channel_state state)
{
    VGPUStub *s = opaque;

    /* From here on ringing it is the error that it should be. */
    if (state != VGPU_CHANNEL_OPENING && state != VGPU_CHANNEL_OPEN)
        vgpu_doorbell_free(s, n);
    if (s->blocked && !s->device.busy) {
        migrate_del_blocker(s->blocker);
        s->blocked = false;
    }
}

static void vgpu_op_guest_error(void *opaque, enum vgpu_device_error error, uint32_t offset, uint64_t value)
{
    qemu_log_mask(LOG_GUEST_ERROR, "vgpu-stub: error %d at BAR0+0x%x, value 0x%" PRIx64 "\n", error, offset, value);
}

static const struct vgpu_device_ops vgpu_ops = {
    vgpu_op_open, vgpu_op_close, vgpu_op_reset, vgpu_op_ring, vgpu_op_changed, vgpu_op_guest_error,
};

/* ---- BAR0 ---- */

static uint64_t vgpu_bar0_read(void *opaque, hwaddr offset, unsigned size)
{
    return vgpu_device_read(opaque, offset, size);
}

static void vgpu_bar0_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    vgpu_device_write(opaque, offset, value, size);
}

/* Every access reaches the device model, which alone judges it. */
static const MemoryRegionOps vgpu_bar0_ops = {
    .read = vgpu_bar0_read,
    .write = vgpu_bar0_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/* ---- Life ---- */

/* The GPU's memory: sparse, its size sealed, so that hostd and QEMU can rely on it; neither in core dumps nor, not being
 * registered for it, in the saved state. */
static bool vgpu_make_bar2(VGPUStub *s, uint64_t size, Error **errp)
{
    ERRP_GUARD();
    int fd = qemu_memfd_create("vgpu-bar2", size, false, 0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, errp);

    if (fd < 0)
        return false;
    memory_region_init_ram_from_fd(&s->bar2, OBJECT(s), "vgpu-bar2", size, RAM_SHARED | RAM_NORESERVE, fd, 0, errp);
    if (*errp) {
        close(fd);
        return false;
    }
    madvise(memory_region_get_ram_ptr(&s->bar2), size, MADV_DONTDUMP);
    return true;
}

/* Where the device will be: the guest's firmware numbers buses behind bridges, so this is right on the root bus. */
static struct vgpu_attach vgpu_attach_request(VGPUStub *s)
{
    PCIDevice *pci = PCI_DEVICE(s);
    struct vgpu_attach attach = {
        .protocol = VGPU_PROTOCOL_MAJOR << 16 | VGPU_PROTOCOL_MINOR,
        .device_index = s->index,
        .pci_bus = pci_dev_bus_num(pci),
        .pci_device = PCI_SLOT(pci->devfn),
        .pci_function = PCI_FUNC(pci->devfn),
        .memory = s->memory,
    };
    const QemuUUID *uuid = qemu_uuid_is_null(&s->uuid) && qemu_uuid_set ? &qemu_uuid : &s->uuid;

    memcpy(attach.uuid, uuid->data, sizeof attach.uuid);
    g_strlcpy(attach.profile, s->profile ?: "", sizeof attach.profile);
    return attach;
}

static bool vgpu_attach_hostd(VGPUStub *s, uint64_t bar2_size, Error **errp)
{
    struct vgpu_attach attach = vgpu_attach_request(s);
    struct vgpu_attached attached;
    uint8_t *config = PCI_DEVICE(s)->config;
    const struct vgpu_profile *profile = &attached.profile;
    char why[256];

    s->link = vgpu_link_attach(s->socket, &attach, memory_region_get_fd(&s->bar2), bar2_size, &attached, why, sizeof why);
    if (s->link < 0) {
        error_setg(errp, "%s", why);
        return false;
    }
    if (profile->memory > bar2_size - VGPU_MEMORY_OFFSET) {
        error_setg(errp, "the GPU's %" PRIu64 " MiB do not fit into a BAR of %" PRIu64 " MiB: set the property memory",
                   profile->memory / MiB, bar2_size / MiB);
        return false;
    }
    pci_config_set_vendor_id(config, profile->pci_vendor_id);
    pci_config_set_device_id(config, profile->pci_device_id);
    pci_set_word(config + PCI_SUBSYSTEM_VENDOR_ID, profile->pci_subsystem_vendor);
    pci_set_word(config + PCI_SUBSYSTEM_ID, profile->pci_subsystem);
    pci_config_set_revision(config, profile->pci_revision);
    pci_config_set_prog_interface(config, profile->pci_class);
    pci_config_set_class(config, profile->pci_class >> 8);
    vgpu_device_attached(&s->device, profile, attached.api_hash);
    qemu_set_fd_handler(s->link, vgpu_link_readable, NULL, s);
    return true;
}

static void vgpu_exit(PCIDevice *pci)
{
    VGPUStub *s = VGPU_STUB(pci);

    if (s->link >= 0) {
        qemu_set_fd_handler(s->link, NULL, NULL, NULL);
        close(s->link);
        s->link = -1;
    }
    for (uint32_t n = 0; n < VGPU_CHANNELS; n++)
        vgpu_doorbell_free(s, n);
    if (s->blocked)
        migrate_del_blocker(s->blocker);
    error_free(s->blocker);
    g_free(s->registers);
}

static void vgpu_realize(PCIDevice *pci, Error **errp)
{
    VGPUStub *s = VGPU_STUB(pci);
    struct vgpu_device_config config = { .bar2_size = VGPU_DEFAULT_BAR2 };

    s->link = -1;
    if (s->memory > VGPU_WINDOW_SIZE / 2) {
        error_setg(errp, "a GPU has at most %" PRIu64 " bytes of memory", VGPU_WINDOW_SIZE / 2);
        return;
    }
    if (s->memory)
        config.bar2_size = pow2ceil(VGPU_MEMORY_OFFSET + s->memory);
    if (!vgpu_make_bar2(s, config.bar2_size, errp))
        return;
    error_setg(&s->blocker, "a process in the guest uses the GPU");
    s->registers = g_malloc0(VGPU_BAR0_SIZE);
    vgpu_device_init(&s->device, s->registers, &config, &vgpu_ops, s);
    memory_region_init_io(&s->bar0, OBJECT(s), &vgpu_bar0_ops, &s->device, "vgpu-bar0", VGPU_BAR0_SIZE);
    if (s->socket && !vgpu_attach_hostd(s, config.bar2_size, errp)) {
        vgpu_exit(pci);
        return;
    }
    pci_register_bar(pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->bar0);
    pci_register_bar(pci, 2, PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH, &s->bar2);
}

static void vgpu_reset(DeviceState *dev)
{
    vgpu_device_reset(&VGPU_STUB(dev)->device);
}

/* ---- Saving: only what a device without channels is. A blocker refuses it while there are any. ---- */

static int vgpu_pre_save(void *opaque)
{
    VGPUStub *s = opaque;

    s->saved_error = vgpu_device_error(&s->device);
    memcpy(s->saved_profile, vgpu_profile(s)->profile, sizeof s->saved_profile);
    return 0;
}

static int vgpu_post_load(void *opaque, int version_id)
{
    VGPUStub *s = opaque;

    s->saved_profile[sizeof s->saved_profile - 1] = 0;
    if (strcmp((char *)s->saved_profile, vgpu_profile(s)->profile)) {
        error_report("vgpu-stub: saved as profile '%s', restored as '%s'", s->saved_profile, vgpu_profile(s)->profile);
        return -EINVAL;
    }
    vgpu_device_set_error(&s->device, s->saved_error);
    return 0;
}

static const VMStateDescription vgpu_vmstate = {
    .name = TYPE_VGPU_STUB,
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_save = vgpu_pre_save,
    .post_load = vgpu_post_load,
    .fields = (VMStateField[]) {
        VMSTATE_PCI_DEVICE(parent_obj, VGPUStub),
        VMSTATE_UINT32(saved_error, VGPUStub),
        VMSTATE_UINT8_ARRAY(saved_profile, VGPUStub, sizeof(((VGPUStub *)0)->saved_profile)),
        VMSTATE_END_OF_LIST()
    }
};

static Property vgpu_properties[] = {
    DEFINE_PROP_STRING("socket", VGPUStub, socket),
    DEFINE_PROP_STRING("profile", VGPUStub, profile),
    DEFINE_PROP_SIZE("memory", VGPUStub, memory, 0),
    DEFINE_PROP_UINT32("index", VGPUStub, index, 0),
    DEFINE_PROP_UUID_NODEFAULT("uuid", VGPUStub, uuid),
    DEFINE_PROP_END_OF_LIST()
};

static void vgpu_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(oc);

    k->realize = vgpu_realize;
    k->exit = vgpu_exit;
    /* The H100 PCIe's, until hostd says otherwise. */
    k->vendor_id = 0x10de;
    k->device_id = 0x2331;
    k->subsystem_vendor_id = 0x10de;
    k->subsystem_id = 0x1626;
    k->revision = 0xa1;
    k->class_id = 0x0302; /* 3D controller: no firmware and no display driver claims it */
    dc->desc = "Software GPU (vgpu-stub)";
    dc->reset = vgpu_reset;
    dc->vmsd = &vgpu_vmstate;
    dc->hotpluggable = false;
    device_class_set_props(dc, vgpu_properties);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo vgpu_types[] = {
    {
        .name = TYPE_VGPU_STUB,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(VGPUStub),
        .class_init = vgpu_class_init,
        .interfaces = (InterfaceInfo[]) { { INTERFACE_CONVENTIONAL_PCI_DEVICE }, { } },
    }
};

DEFINE_TYPES(vgpu_types)
