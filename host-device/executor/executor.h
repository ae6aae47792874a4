/* SPDX-License-Identifier: Apache-2.0 */
/* One guest process's executor: it takes commands from one channel's ring and runs them, in order.
 *
 *   main.c     start, sleeping and waking, the end
 *   ring.c     commands out of the ring, answers              commands 0x01 to 0x03
 *   memory.c   extents, mappings, copies            commands 0x10 to 0x19
 *   pages.c    large pages                          command  0x1a
 *   module.c   images, functions, variables         commands 0x20 to 0x26
 *   near.c     what a bad address is near to
 *   launch.c   kernels                              command  0x30, on pool.c and an engine
 *   heap.c     device malloc and free
 *   limits.c   where the heap is, how large stacks are   commands 0x31 to 0x32
 *   library.c  what cuBLAS asks for                 commands 0x50 to 0x51, on blas/
 *
 * Handlers are named vgx_cmd_* and called by the generated decoder (ring_decode.h) with sizes already checked; everything
 * else in a command is the guest's claim and is checked here. A handler returns a CUresult. What a queued command returns
 * becomes the channel's sticky status: from then on nothing of this channel is executed and every answer is that status. */
#ifndef VGPU_EXECUTOR_EXECUTOR_H
#define VGPU_EXECUTOR_EXECUTOR_H

#include <glib.h>
#include <stdbool.h>

#include "executor/engine.h"
#include "executor/log.h"
#include "ptx/launch.h"
#include "vgpu_protocol.h"

enum {
    CU_OK = 0,
    CU_INVALID_VALUE = 1,
    CU_OUT_OF_MEMORY = 2,
    CU_INVALID_IMAGE = 200,
    CU_NO_BINARY = 209,
    CU_INVALID_PTX = 218,
    CU_INVALID_HANDLE = 400,
    CU_NOT_FOUND = 500,
    CU_ILLEGAL_ADDRESS = 700,
    CU_TIMEOUT = 702,
    CU_MISALIGNED_ADDRESS = 716,
    CU_NOT_SUPPORTED = 801,
    CU_UNKNOWN = 999,
};

struct vg_pool;
struct vgx_heap;
struct interp_kernel;

/* A part of BAR2 granted to this process, and where it is shown in the window. */
struct vgx_extent {
    uint64_t offset, size;
};
struct vgx_mapping {
    uint64_t va, size, offset;
};

struct vgx_module {
    uint64_t handle;
    struct ptx_module *ptx;
    struct vg_binding binding;
    uint64_t image_size; /* at binding.data */
    bool placed;         /* there in memory of the guest's, not in the window's image region */
    uint32_t cc;
};

struct vgx_function {
    uint64_t handle;
    struct vgx_module *module;
    struct ptx_function *ptx;
    struct interp_kernel *kernel; /* lowered at the first launch */
    struct vgx_engine engine;
};

struct vgx {
    unsigned channel;
    int bar2, doorbell, control_socket;
    struct vgpu_control *control;
    uint8_t *base;              /* the channel's VGPU_CHANNEL_SIZE bytes */
    uint64_t consumed, seq;     /* the host's own copies of 'tail' and of the last command's number */
    uint32_t status;            /* of the context, sticky */
    char message[sizeof(((struct vgpu_control *)0)->message)];

    GArray *extents;            /* struct vgx_extent */
    GArray *mappings;           /* struct vgx_mapping, sorted by va, disjoint */
    struct vgx_mapping unmapped[16]; /* the last ones, in a ring: what is touched after it was freed */
    unsigned n_unmapped;
    uint8_t *large;             /* for each granule of the heap: it is one large page, or was refused */
    unsigned large_refused;     /* how often the host had no large page */
    GHashTable *modules;        /* handle -> struct vgx_module */
    GHashTable *functions;      /* handle -> struct vgx_function */
    GHashTable *images;         /* handle -> GByteArray: being collected */
    uint64_t image_next;        /* where the next module's image goes */
    GArray *image_holes;        /* struct vgx_mapping without offset: unloaded images */
    uint64_t function_next;
    uint64_t grid_workspace;    /* 64 bytes for cooperative launches, 0 before the first */

    struct vgx_heap *heap;      /* device malloc's; NULL before the first kernel that may call it, unless the guest placed it */
    bool heap_used;

    struct vg_pool *pool;
    uint64_t launches;
};

/* Say what went wrong, for the guest's log and ours; the first message of a channel is kept. Returns 'status'. */
__attribute__((format(printf, 3, 4))) uint32_t vgx_fail(struct vgx *x, uint32_t status, const char *format, ...);

bool vgx_memory_init(struct vgx *x);
bool vgx_module_init(struct vgx *x);

/* n bytes of the staging area at 'offset', or NULL when they are not inside it. */
const uint8_t *vgx_staging(struct vgx *x, uint64_t offset, uint64_t n);

/* True when [va, va + n) is memory that a command may name: in the window, below the running blocks' scratch memory, or in
 * the modules' images. Whether it is mapped shows when it is touched, under a window_guard. */
bool vgx_is_device_range(uint64_t va, uint64_t n);

/* True when every byte of [va, va + n) is mapped now, which only this thread can change. Module images count. */
bool vgx_range_mapped(struct vgx *x, uint64_t va, uint64_t n);

/* [va, va + n) is about to be written; 'threads' threads with these parameters are about to run. */
bool vgx_pages_init(struct vgx *x);
void vgx_pages_expect(struct vgx *x, uint64_t va, uint64_t n);
void vgx_pages_expect_launch(struct vgx *x, const void *params, size_t size, uint64_t threads);

/* Whole granules, no longer mapped. */
void vgx_pages_forget(struct vgx *x, uint64_t va, uint64_t n);

/* Words for what a bad device address is near to; their length, 0 when there is nothing to say. */
size_t vgx_tell_near(struct vgx *x, uint64_t va, char *text, size_t room);
void vgx_note_unmapped(struct vgx *x, uint64_t va, uint64_t size);

/* Where the guest's text output goes (device printf). */
void vgx_print(void *executor, const char *text, size_t n);

struct vgx_function *vgx_find_function(struct vgx *x, uint64_t handle);

/* Memory for a module's image in the window's image region, zeroed; 0 when there is none left. */
uint64_t vgx_image_alloc(struct vgx *x, uint64_t size);
void vgx_image_free(struct vgx *x, uint64_t va, uint64_t size);

#endif
