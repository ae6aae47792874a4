/* SPDX-License-Identifier: Apache-2.0 */
#include "vm_xml.h"

#include <string.h>

#include "disks.h"

/* On the root bus: no bridge costs time at boot. The GPU is where the scenarios say that it is, 00:05.0. */
enum { SLOT_ROOT = 2, SLOT_SERIAL = 3, SLOT_RANDOM = 4, SLOT_GPU = 5, SLOT_DISKS = 8 };

static void G_GNUC_PRINTF(2, 3) add(GString *xml, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, format);
    text = g_markup_vprintf_escaped(format, ap);
    va_end(ap);
    g_string_append(xml, text);
    g_string_append_c(xml, '\n');
}

static void add_disks(GString *xml, const struct vm_spec *s)
{
    /* Nothing on the root disk outlives the run. */
    add(xml, "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='unsafe'/><source file='%s'/>", s->root);
    add(xml, "<target dev='vda' bus='virtio'/><address type='pci' bus='0' slot='%d'/></disk>", SLOT_ROOT);
    for (int i = 0; disks[i].name; i++) {
        add(xml, "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s/%s.ext4'/>", s->disks, disks[i].name);
        add(xml, "<target dev='vd%c' bus='virtio'/><readonly/><serial>%s</serial>", 'b' + i, disks[i].name);
        add(xml, "<address type='pci' bus='0' slot='%d'/></disk>", SLOT_DISKS + i);
    }
}

char *vm_xml(const struct vm_spec *s)
{
    GString *xml = g_string_new(NULL);

    add(xml, "<domain type='%s' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>", s->kvm ? "kvm" : "qemu");
    add(xml, "<name>%s</name><uuid>6d1c5f0a-3b52-4a8e-9a53-76677075a001</uuid>", s->name);
    add(xml, "<memory unit='MiB'>%d</memory><vcpu>%d</vcpu>", s->memory_mib, s->vcpus);
    add(xml, "<os><type arch='x86_64' machine='q35'>hvm</type><kernel>%s/vmlinuz</kernel><initrd>%s/initrd</initrd>", s->image, s->image);
    add(xml, "<cmdline>console=ttyS0 root=LABEL=vgpu-root panic=-1 quiet</cmdline></os>");
    add(xml, "<features><acpi/></features><cpu mode='%s'/>", s->kvm ? "host-passthrough" : "maximum");
    add(xml, "<on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>");
    add(xml, "<devices><emulator>%s</emulator>", s->qemu);
    add_disks(xml, s);
    add(xml, "<controller type='usb' model='none'/><memballoon model='none'/><video><model type='none'/></video>");
    add(xml, "<controller type='virtio-serial' index='0'><address type='pci' bus='0' slot='%d'/></controller>", SLOT_SERIAL);
    add(xml, "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>");
    add(xml, "<serial type='file'><source path='%s' append='on'/><target port='0'/></serial>", s->console);
    add(xml, "<console type='unix'><source mode='bind' path='%s'/><target type='virtio' port='1'/></console>", s->shell);
    add(xml, "<rng model='virtio'><backend model='random'>/dev/urandom</backend><address type='pci' bus='0' slot='%d'/></rng>", SLOT_RANDOM);
    add(xml, "</devices><qemu:commandline><qemu:arg value='-device'/>");
    add(xml, "<qemu:arg value='vgpu-stub,id=vgpu0,bus=pcie.0,addr=%#x,profile=%s,socket=%s'/>", SLOT_GPU, s->profile, s->socket);
    add(xml, "</qemu:commandline></domain>");
    return g_string_free(xml, FALSE);
}

char *vm_key(const struct vm_spec *spec)
{
    struct vm_spec bare = *spec;
    g_autoptr(GString) all = g_string_new("1\n"); /* of this function: what else a saved VM holds */
    g_autofree char *xml = NULL, *cpu = NULL;

    bare.root = bare.disks = bare.console = bare.socket = bare.shell = "";
    xml = vm_xml(&bare);
    g_string_append(all, xml);
    for (int i = 0; disks[i].name; i++)
        g_string_append_printf(all, "%s %d\n", disks[i].name, disks[i].mib);
    if (spec->kvm && g_file_get_contents("/proc/cpuinfo", &cpu, NULL, NULL)) {
        g_auto(GStrv) lines = g_strsplit(cpu, "\n", -1);

        for (char **line = lines; *line; line++)
            if (g_str_has_prefix(*line, "model name") || g_str_has_prefix(*line, "flags") || g_str_has_prefix(*line, "microcode")) {
                g_string_append(all, *line);
                if (g_str_has_prefix(*line, "flags"))
                    break;
            }
    }
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, all->str, (gssize)all->len);
}
