/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side of device memory: which addresses are taken, what physical memory lies behind them, and how the CPU
 * reaches it. The host only grants extents; everything else is decided here and told to it by queued commands.
 *
 * Functions return 0 or a CUresult. One lock guards all of it, taken before the channel's. Sizes are bytes. */
#ifndef VGPU_CHANNEL_MEM_H
#define VGPU_CHANNEL_MEM_H

#include "channel/channel.h"

/* What an address range is. */
enum vgpu_range_kind {
    VGPU_RANGE_DEVICE,     /* cuMemAlloc */
    VGPU_RANGE_HOST,       /* cuMemHostAlloc: also mapped in this process, at the same address */
    VGPU_RANGE_MANAGED,    /* cuMemAllocManaged: likewise */
    VGPU_RANGE_REGISTERED, /* cuMemHostRegister: mapped in this process over the caller's pages */
    VGPU_RANGE_MAPPED,     /* cuMemMap, inside a reservation */
    VGPU_RANGE_INTERNAL,   /* the library's own */
};
#define VGPU_RANGE_KINDS 6

struct vgpu_piece {
    uint64_t offset, size; /* of BAR2 */
};

/* Physical memory: whole granules, not always contiguous. Counted references. */
struct vgpu_phys {
    uint64_t size;
    unsigned refs, count;
    struct vgpu_piece pieces[];
};

struct vgpu_range {
    uint64_t va, size; /* whole granules */
    uint64_t bytes;    /* as asked for */
    enum vgpu_range_kind kind;
    uint32_t flags;
    void *owner;       /* whose end frees it */
    uint64_t id;       /* never used twice */
    struct vgpu_phys *phys;
    void *host;        /* where this process sees it; NULL: nowhere */
    uint64_t host_size;
    uint64_t expected_from, expected_to; /* of 'size': what the host was told will be written */
    bool accessible;   /* MAPPED: cuMemSetAccess was called */
    bool readonly;
    /* A granule that is shared by small allocations: slots of equal size. */
    struct vgpu_slab *slab;
};

/* What an address belongs to: one allocation. */
struct vgpu_allocation {
    uint64_t va, bytes, id;
    enum vgpu_range_kind kind;
    uint32_t flags;
    void *owner;
    void *host; /* of its first byte, or NULL */
    bool accessible, readonly;
};

struct vgpu_extent;

struct vgpu_memory {
    struct vgpu_channel *channel;
    pthread_mutex_t lock;
    struct vgpu_extent **extents;
    size_t extent_count;
    uint64_t returned; /* number of the last command that gave an extent back */
    struct vgpu_range **ranges; /* by address */
    size_t range_count, range_room;
    size_t registered; /* how many of them are registered host memory */
    struct vgpu_piece *reservations; /* by address; 'offset' is the address */
    size_t reservation_count, reservation_room;
    struct vgpu_slab *slabs[VGPU_RANGE_KINDS][32]; /* those with a free slot, by kind and size class */
    uint64_t cursor, reserve_cursor; /* where the search for addresses goes on */
    uint64_t next_id;
    uint8_t **views; /* of BAR2, VGPU_EXTENT each, mapped when first touched */
    uint64_t view_count;
};

int vgpu_memory_init(struct vgpu_memory *memory, struct vgpu_channel *channel);
/* Before the channel is closed. */
void vgpu_memory_destroy(struct vgpu_memory *memory);

/* BYTES (not 0) of kind DEVICE, HOST, MANAGED or INTERNAL, 256-byte aligned. HOST and MANAGED memory can be used by the CPU
 * at once. */
int vgpu_memory_alloc(struct vgpu_memory *memory, uint64_t bytes, enum vgpu_range_kind kind, uint32_t flags, void *owner,
                      uint64_t *va);
/* Frees the allocation that begins at VA and is of a kind whose bit is set in KINDS. */
int vgpu_memory_free(struct vgpu_memory *memory, uint64_t va, unsigned kinds);
void vgpu_memory_free_owner(struct vgpu_memory *memory, void *owner);

/* False when VA belongs to no allocation. */
bool vgpu_memory_find(struct vgpu_memory *memory, uint64_t va, struct vgpu_allocation *allocation);
/* What a pointer of this process is to the device: pinned, managed or registered memory. False for any other. */
bool vgpu_memory_of_host(struct vgpu_memory *memory, const void *host, uint64_t *va);
/* Bytes that were granted to this process and are not in use. */
uint64_t vgpu_memory_slack(struct vgpu_memory *memory);

/* ---- the CPU's view; the caller has seen to it that no command is under way there ---- */

enum vgpu_direction { VGPU_TO_DEVICE, VGPU_FROM_DEVICE };

/* [va, va + size) is about to be written from here: a command tells the host, unless it knows. Much memory is faster to write then. */
int vgpu_memory_expect(struct vgpu_memory *memory, uint64_t va, uint64_t size);
/* INVALID_VALUE when not all of [va, va + size) is accessible allocated memory; then nothing was copied. */
int vgpu_memory_copy(struct vgpu_memory *memory, uint64_t va, void *host, uint64_t size, enum vgpu_direction direction);
/* Whether it is. */
bool vgpu_memory_reachable(struct vgpu_memory *memory, uint64_t va, uint64_t size);

/* ---- host memory that was not ours ---- */

int vgpu_memory_register(struct vgpu_memory *memory, void *host, uint64_t size, uint32_t flags, void *owner);
int vgpu_memory_unregister(struct vgpu_memory *memory, void *host);

/* ---- virtual memory management (cuMem*) ---- */

int vgpu_memory_reserve(struct vgpu_memory *memory, uint64_t size, uint64_t alignment, uint64_t wanted, uint64_t *va);
int vgpu_memory_unreserve(struct vgpu_memory *memory, uint64_t va, uint64_t size);
int vgpu_phys_create(struct vgpu_memory *memory, uint64_t size, struct vgpu_phys **phys);
void vgpu_phys_drop(struct vgpu_memory *memory, struct vgpu_phys *phys);
/* Takes a reference to PHYS, whole. Nothing is accessible until vgpu_memory_access. */
int vgpu_memory_map(struct vgpu_memory *memory, uint64_t va, uint64_t size, struct vgpu_phys *phys, void *owner);
int vgpu_memory_unmap(struct vgpu_memory *memory, uint64_t va, uint64_t size);
enum vgpu_access { VGPU_ACCESS_NONE = 0, VGPU_ACCESS_READ = 1, VGPU_ACCESS_READWRITE = 3 };
int vgpu_memory_access(struct vgpu_memory *memory, uint64_t va, uint64_t size, enum vgpu_access access);
/* The physical memory mapped at VA, with a reference for the caller; NULL: none. */
struct vgpu_phys *vgpu_memory_phys_at(struct vgpu_memory *memory, uint64_t va);

/* ---- between mem's files; the lock is held ---- */

int vgpu_phys_alloc(struct vgpu_memory *memory, uint64_t size, struct vgpu_phys **phys);
void vgpu_phys_release(struct vgpu_memory *memory, struct vgpu_phys *phys);
size_t vgpu_range_index(const struct vgpu_memory *memory, uint64_t va); /* of the first range that ends above VA */
struct vgpu_range *vgpu_range_at(struct vgpu_memory *memory, uint64_t va);
/* A free stretch of the heap. */
int vgpu_range_place(struct vgpu_memory *memory, uint64_t size, uint64_t *va);
int vgpu_range_insert(struct vgpu_memory *memory, struct vgpu_range *range);
void vgpu_range_remove(struct vgpu_memory *memory, struct vgpu_range *range);
/* Tells the host where RANGE's memory is seen, or no longer. */
int vgpu_range_show(struct vgpu_memory *memory, const struct vgpu_range *range);
int vgpu_range_hide(struct vgpu_memory *memory, const struct vgpu_range *range);
/* Maps RANGE's first SIZE bytes into this process at HOST. */
int vgpu_range_map_host(struct vgpu_memory *memory, const struct vgpu_range *range, void *host, uint64_t size, bool replace);
/* Unmaps, gives the physical memory back, forgets the range. */
void vgpu_range_destroy(struct vgpu_memory *memory, struct vgpu_range *range);
uint8_t *vgpu_view(struct vgpu_memory *memory, uint64_t offset);
void vgpu_view_drop(struct vgpu_memory *memory, uint64_t offset, uint64_t size);

int vgpu_slab_alloc(struct vgpu_memory *memory, uint64_t bytes, enum vgpu_range_kind kind, uint32_t flags, void *owner,
                    uint64_t *va);
int vgpu_slab_free(struct vgpu_memory *memory, struct vgpu_range *range, uint64_t va);
void vgpu_slab_destroy(struct vgpu_memory *memory, struct vgpu_range *range);
bool vgpu_slab_slot(const struct vgpu_range *range, uint64_t va, uint64_t *base, uint64_t *bytes, uint64_t *id);
/* The most that shares a granule. */
#define VGPU_SLAB_MAX (512u * 1024)

/* Makes a range of whole granules with memory behind it, shown to the host. */
int vgpu_range_create(struct vgpu_memory *memory, uint64_t bytes, enum vgpu_range_kind kind, uint32_t flags, void *owner,
                      struct vgpu_range **range);

static inline uint64_t vgpu_round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

#endif
