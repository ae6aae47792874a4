/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* VGPU-STUB's protocol: what the guest's shims, the device model and the host's executor agree on, and nothing else.
 *
 *   BAR0   registers, the profile page and one doorbell a channel              (VGPU_REG_*, struct vgpu_profile)
 *   BAR2   the GPU's memory: the channels at its head, device memory behind     (struct vgpu_control, VGPU_CHANNEL_*)
 *   ring   commands from one guest process to its executor                      (struct vgpu_ring_cmd; ring.api)
 *   socket device model or local client to vgpu-hostd, hostd to its executors   (struct vgpu_msg)
 *
 * In local mode there is no PCI device: hostd owns the same BAR2 memory and a page that reads like BAR0, passes both by
 * descriptor over its Unix socket, and a client rings by writing its eventfd. Everything is little-endian. Needs nothing but
 * the compiler's headers, so that QEMU, libc-only shims and GLib programs can all include it. */
#ifndef VGPU_PROTOCOL_H
#define VGPU_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

/* Another major version is refused by both sides; a newer minor only adds commands, which an older host refuses singly. */
#define VGPU_PROTOCOL_MAJOR 1
#define VGPU_PROTOCOL_MINOR 0

#define VGPU_MIB (UINT64_C(1) << 20)
#define VGPU_GIB (UINT64_C(1) << 30)
#define VGPU_TIB (UINT64_C(1) << 40)

/* ---- Device addresses: the same numbers in the guest, in its executor and in kernels. Device i owns window i; each guest
 * process has the whole of it to itself. The first 2 MiB are never mapped. */
#define VGPU_WINDOW_BASE UINT64_C(0x200000000000)
#define VGPU_WINDOW_SIZE (4 * VGPU_TIB)
#define VGPU_WINDOW_END (VGPU_WINDOW_BASE + VGPU_WINDOW_SIZE)
#define VGPU_WINDOW_GUARD (2 * VGPU_MIB)
/* The guest chooses addresses: allocations below VGPU_RESERVE_BASE, cuMemAddressReserve's ranges above it. */
#define VGPU_HEAP_BASE (VGPU_WINDOW_BASE + VGPU_WINDOW_GUARD)
#define VGPU_RESERVE_BASE (VGPU_WINDOW_BASE + VGPU_TIB)
/* Top of the window: shared, local and parameter memory of running blocks; the guest cannot map there. */
#define VGPU_SCRATCH_SIZE (256 * VGPU_GIB)
#define VGPU_SCRATCH_BASE (VGPU_WINDOW_END - VGPU_SCRATCH_SIZE)
/* The last part of that: images of modules (their .global and .const variables) and, never mapped, addresses of functions. */
#define VGPU_IMAGE_BASE (VGPU_WINDOW_END - 64 * VGPU_GIB)
#define VGPU_FUNCTION_BASE (VGPU_WINDOW_END - 16 * VGPU_GIB)
/* Unit in which memory is mapped, unmapped and returned. */
#define VGPU_GRANULE (2 * VGPU_MIB)
/* Smallest extent of BAR2 that the host grants. */
#define VGPU_EXTENT (64 * VGPU_MIB)

/* ---- BAR0 ---- */
#define VGPU_BAR0_SIZE 0x10000u
#define VGPU_MAGIC 0x55504756u       /* "VGPU" */
#define VGPU_RESET_MAGIC 0x52455345u /* what RESET must be written with */

#define VGPU_REG_MAGIC 0x0000          /* ro */
#define VGPU_REG_PROTOCOL 0x0004       /* ro: major << 16 | minor */
#define VGPU_REG_API_HASH_LO 0x0008    /* ro: of the API table the host was built with */
#define VGPU_REG_API_HASH_HI 0x000c    /* ro */
#define VGPU_REG_FEATURES 0x0010       /* ro: VGPU_FEATURE_* */
#define VGPU_REG_STATUS 0x0014         /* ro: VGPU_STATUS_* */
#define VGPU_REG_ERROR 0x0018          /* last error of a register access, enum vgpu_device_error; any write clears it */
#define VGPU_REG_RESET 0x001c          /* wo: VGPU_RESET_MAGIC closes all channels and frees all memory */
#define VGPU_REG_CHANNELS 0x0020       /* ro: how many channels there are */
#define VGPU_REG_CHANNEL_SIZE 0x0024   /* ro: bytes each takes at the head of BAR2 */
#define VGPU_REG_BAR2_SIZE_LO 0x0028   /* ro */
#define VGPU_REG_BAR2_SIZE_HI 0x002c   /* ro */
#define VGPU_REG_PROFILE_OFFSET 0x0030 /* ro: of struct vgpu_profile in BAR0 */
#define VGPU_REG_PROFILE_SIZE 0x0034   /* ro */
#define VGPU_REG_MEM_TOTAL_MIB 0x0038  /* ro: what the host may grant to this guest in all */
#define VGPU_REG_MEM_GRANTED_MIB 0x003c /* ro: granted now, to all processes of the guest */
#define VGPU_REG_CHANNEL_OPEN 0x0040   /* wo: channel number; the writer holds the lock on that byte of resource0 */
#define VGPU_REG_CHANNEL_CLOSE 0x0044  /* wo: channel number; also the sweep of a dead owner's channel */
#define VGPU_REG_CHANNEL_STATE 0x1000  /* ro: + 4 * n: enum vgpu_channel_state */
#define VGPU_REG_DOORBELL 0x2000       /* wo: + 4 * n: wake channel n's executor */
#define VGPU_PROFILE_OFFSET 0x8000u

#define VGPU_STATUS_HOST 1u /* hostd is attached */
#define VGPU_STATUS_LOST 2u /* hostd went away: open channels are dead, new ones are refused */

#define VGPU_FEATURE_LOCAL 1u /* this is local mode: no PCI device */

enum vgpu_device_error {
    VGPU_DEVICE_OK,
    VGPU_DEVICE_BAD_REGISTER, /* no such register, or not writable, or a wrong access size */
    VGPU_DEVICE_BAD_VALUE,    /* channel number out of range, wrong reset magic */
    VGPU_DEVICE_BAD_STATE,    /* opening an open channel, closing or ringing one that is not open */
    VGPU_DEVICE_NO_HOST,
};

enum vgpu_channel_state {
    VGPU_CHANNEL_FREE,
    VGPU_CHANNEL_OPENING, /* hostd is starting the executor */
    VGPU_CHANNEL_OPEN,
    VGPU_CHANNEL_CLOSING,
    VGPU_CHANNEL_DEAD, /* the executor or hostd is gone, or the guest lied; stays until closed */
};

/* ---- The profile: which GPU this is. Read by every library, so that none can disagree. ---- */
#define VGPU_PROFILE_VERSION 1
#define VGPU_ATTRIBUTES 192

struct vgpu_profile {
    uint32_t version, size;         /* VGPU_PROFILE_VERSION, sizeof(struct vgpu_profile) */
    char profile[32];               /* "h100-pcie" */
    char name[96];                  /* "NVIDIA H100 PCIe" */
    uint8_t uuid[16];               /* UUIDv5 of the VM's uuid (or machine id) and the device index */
    uint32_t cc_major, cc_minor;
    uint32_t sm_count, reserved0;
    uint64_t memory;                /* bytes that cuDeviceTotalMem reports */
    uint32_t pci_domain, pci_bus, pci_device, pci_function;
    uint32_t pci_vendor_id, pci_device_id, pci_subsystem_vendor, pci_subsystem, pci_revision, pci_class;
    uint32_t driver_version;        /* cuDriverGetVersion: 13010 */
    uint32_t cores_per_sm;
    char nvml_driver[32];           /* "590.44.01" */
    char vbios[32], serial[32], part_number[32], board_id[32], brand[32], architecture[32];
    uint32_t clock_sm_khz, clock_mem_khz, power_limit_mw, bus_width_bits, l2_bytes, bar1_mib;
    uint32_t fb_reserved_mib, pcie_gen, pcie_width, temperature_c, idle_power_mw, reserved1;
    int32_t attributes[VGPU_ATTRIBUTES]; /* cuDeviceGetAttribute, by CUdevice_attribute number */
    uint64_t attribute_known[VGPU_ATTRIBUTES / 64]; /* bit i: attribute i is answered; others are CUDA_ERROR_INVALID_VALUE */
};
_Static_assert(sizeof(struct vgpu_profile) <= VGPU_BAR0_SIZE - VGPU_PROFILE_OFFSET, "the profile fits behind its offset");
_Static_assert(sizeof(struct vgpu_profile) % 8 == 0, "no hidden tail padding");

/* ---- BAR2 ---- */
#define VGPU_CHANNELS 128u
#define VGPU_CHANNEL_SIZE 0x200000u
#define VGPU_MEMORY_OFFSET ((uint64_t)VGPU_CHANNELS * VGPU_CHANNEL_SIZE) /* device memory: from here to the end of BAR2 */

/* Inside a channel. */
#define VGPU_CONTROL_OFFSET 0x00000u
#define VGPU_RING_OFFSET 0x10000u
#define VGPU_RING_SIZE 0x10000u /* bytes, a power of two */
#define VGPU_REPLY_OFFSET 0x20000u
#define VGPU_REPLY_SIZE 0x10000u
#define VGPU_PRINT_OFFSET 0x30000u
#define VGPU_PRINT_SIZE 0x10000u
#define VGPU_STAGING_OFFSET 0x40000u
#define VGPU_STAGING_SIZE (VGPU_CHANNEL_SIZE - VGPU_STAGING_OFFSET)

/* A channel's control page. Each side writes only its own lines. Counters never wrap and never go back.
 * The guest publishes commands by storing 'head' with release order; then, if 'idle' (loaded after a full barrier) is set, it
 * rings. The host stores 'idle' = 1, then looks at 'head' once more after a full barrier, before it sleeps on the doorbell. */
struct vgpu_control {
    /* written by the guest */
    _Alignas(64) uint64_t head;       /* bytes of commands published since the channel was opened */
    uint64_t print_tail;              /* bytes of printed text consumed */
    uint64_t wake_at;                 /* 0, or the sequence number that a guest on this kernel waits for on 'completed' (a futex) */
    uint32_t guest_cpu;               /* 0, or 1 + the CPU that such a guest submitted from */
    uint32_t guest_pid;
    uint32_t guest_version;           /* VGPU_PROTOCOL_MAJOR << 16 | MINOR */
    char guest_comm[16];              /* for the log: which program this is */
    /* written by the host */
    _Alignas(64) uint64_t tail;       /* bytes of commands taken from the ring: their space is free */
    uint32_t busy;                    /* a command is being executed: who dies now, dies in the middle of work */
    /* what the guest looks at while it waits */
    _Alignas(64) uint64_t completed;  /* sequence number of the last command done; earlier ones are done too */
    uint64_t print_head;              /* bytes of printed text produced */
    _Alignas(64) uint32_t idle;       /* the host sleeps: ring the doorbell */
    _Alignas(64) uint32_t status;     /* 0, or the CUresult that this channel's context is lost with (sticky) */
    uint32_t status_seq_lo, status_seq_hi; /* sequence number of the command that failed */
    char message[492];                /* one line about it, NUL-terminated */
};
_Static_assert(sizeof(struct vgpu_control) <= 0x1000, "one page");

/* A command in the ring: this header, the command's struct (ring_commands.h), perhaps a tail; padded to 8 bytes. A command
 * never wraps: where it does not fit before the ring's end, a filler (command 0, any size) leads to offset 0; fewer bytes than
 * a header before the ring's end are skipped by both sides. */
struct vgpu_ring_cmd {
    uint16_t command; /* VGPU_CMD_*; 0: filler */
    uint16_t flags;   /* 0 */
    uint32_t size;    /* bytes of header, struct and tail as used; the next command starts at the next multiple of 8 */
    uint64_t seq;     /* 1, 2, 3 ... in ring order; a filler carries the number of the command behind it */
};

/* Answer of a sync command, at VGPU_REPLY_OFFSET, complete once 'completed' has reached the command's number. Only one sync
 * command is under way at a time. */
struct vgpu_reply {
    uint32_t status; /* CUresult */
    uint32_t size;   /* bytes behind this header: the reply struct and its tail; 0 when status is not 0, or a text */
};

/* ---- hostd's socket: SOCK_SEQPACKET, one message a packet: struct vgpu_msg, then 'payload' bytes; descriptors ride along by
 * SCM_RIGHTS. Anything malformed ends the connection. Path: VGPU_SOCKET, else $XDG_RUNTIME_DIR/vgpu/hostd.sock, else
 * /run/vgpu/hostd.sock. ---- */
#define VGPU_MSG_MAGIC 0x4d555047u
#define VGPU_MSG_MAX_PAYLOAD 8192u

enum vgpu_msg_type {
    /* device model -> hostd, one connection a device (the QEMU front end) */
    VGPU_MSG_ATTACH = 1,    /* fds: BAR2 memfd (size sealed); a: its size; payload: struct vgpu_attach */
    VGPU_MSG_ATTACHED,      /* reply; status; a: API hash; payload: struct vgpu_profile, or why not as text */
    VGPU_MSG_OPEN,          /* channel; fds: doorbell eventfd */
    VGPU_MSG_OPENED,        /* reply: channel, status */
    VGPU_MSG_CLOSE,         /* channel */
    VGPU_MSG_CLOSED,        /* reply: the executor is gone, its extents are returned and zeroed */
    VGPU_MSG_RESET,
    VGPU_MSG_RESET_DONE,    /* reply */
    VGPU_MSG_DEAD,          /* hostd -> device: channel, status: the executor ended or the channel lied */
    VGPU_MSG_MEMORY,        /* hostd -> device: a: total MiB, b: granted MiB */
    /* local client -> hostd, one connection a guest process; its close closes the channel */
    VGPU_MSG_LOCAL_INFO = 32, /* no channel, only look */
    VGPU_MSG_LOCAL_OPEN,      /* payload: profile name wanted (may be empty) */
    VGPU_MSG_LOCAL_READY,     /* reply to both; status; channel; a: BAR2 size; fds: BAR0 page (read-only), and for OPEN: BAR2
                                 memfd, doorbell eventfd */
    /* executor -> hostd, on the pair it was started with */
    VGPU_MSG_GRANT = 64,    /* a: bytes wanted */
    VGPU_MSG_GRANTED,       /* reply: status (0 or 2); a: offset in BAR2, b: bytes */
    VGPU_MSG_RETURN,        /* a: offset, b: bytes; the executor has punched it out */
    VGPU_MSG_READY,         /* the executor runs */
    VGPU_MSG_FAILED,        /* the executor gives the channel up; status; payload: text */
    VGPU_MSG_RETURNED,      /* reply to RETURN: it is accounted for */
    VGPU_MSG_CODE,          /* payload: 32 bytes, a key: is there code in the cache? */
    VGPU_MSG_CODE_IS,       /* reply: status 0, fds: a sealed memory file (code/entry.h); status 500: there is none */
    VGPU_MSG_COMPILER,      /* a connection to the guest's compiler is wanted */
    VGPU_MSG_COMPILER_IS,   /* reply: status 0, fds: a socket; status 801: there is no compiler */
    /* hostd -> compiler, on the pair it was started with; READY comes back once */
    VGPU_MSG_CONNECT = 96,  /* fds: the compiler's end of a pair for an executor */
    VGPU_MSG_PING,
    VGPU_MSG_PONG,          /* reply */
    VGPU_MSG_STORE,         /* compiler -> hostd; payload: key; fds: a sealed memory file for the cache */
    /* executor -> compiler, on their own pair */
    VGPU_MSG_COMPILE = 112, /* a: the asker's number; b: bytes in all; payload: the next ones of a request (code/request.h) */
    VGPU_MSG_COMPILED,      /* reply; a: number; status 0, fds: a sealed memory file; else payload: why not, as text */
};

struct vgpu_msg {
    uint32_t magic;
    uint16_t type;
    uint16_t payload; /* bytes behind this struct */
    uint32_t channel;
    uint32_t status;
    uint64_t a, b;
};

struct vgpu_attach {
    uint32_t protocol; /* major << 16 | minor */
    uint32_t device_index;
    uint8_t uuid[16];  /* the VM's; zero: hostd uses the host's machine id */
    char profile[32];  /* name; empty: h100-pcie */
    uint32_t pci_domain, pci_bus, pci_device, pci_function;
    uint64_t memory;   /* bytes; 0: the profile's */
};

#endif
