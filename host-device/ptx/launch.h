/* SPDX-License-Identifier: Apache-2.0 */
/* What a launch is, for either engine: the kernel's code is IR (ptx/ir.h), its place in memory is a binding, and what can go
 * wrong is a fault. Nothing here knows CUDA's API, a channel, or which engine runs. */
#ifndef VGPU_PTX_LAUNCH_H
#define VGPU_PTX_LAUNCH_H

#include "ptx/ir.h"

#define VG_WARP 32

/* Where a module's variables lie in the device window. The executor allocates one data image a module (module->data_size
 * bytes, symbols at their offsets) and fills it by vg_image_fill(). */
struct vg_binding {
    uint64_t data;      /* device address of the module's data image */
    uint64_t functions; /* address of function 0; function i is at functions + i * VG_FUNCTION_STRIDE. Never mapped:
                           only calls understand it. */
};
#define VG_FUNCTION_STRIDE 16

/* Initial bytes of the module's data image: initialisers and their relocations. 'image' has module->data_size bytes. */
void vg_image_fill(const struct ptx_module *m, const struct vg_binding *b, uint8_t *image);

struct vg_launch {
    uint32_t grid[3], block[3], cluster[3]; /* cluster: 1,1,1 when there is none */
    uint32_t dynamic_shared;                /* bytes */
    const void *params;                     /* function->param_size bytes, at the formals' offsets */
    size_t param_size;
    uint64_t grid_id;
    bool cooperative;                       /* all blocks are resident at once */
    uint64_t grid_workspace;                /* cooperative: device address behind %envreg1:%envreg2, zeroed, 64 bytes or more */
    uint32_t sm_count;                      /* what %nsmid reports */
    const volatile uint32_t *cancel;        /* not 0: end the launch soon, with VG_FAULT_CANCELLED, or if it is
                                               VG_FAULT_TIMEOUT with that */
    /* Called by the thread of worker 0 before it begins a block. May be NULL. */
    void (*between_blocks)(void *arg);
    void *between_arg;
    /* Device printf: called in some order, a whole formatted line or piece at a time. */
    void (*print)(void *arg, const char *text, size_t n);
    void *print_arg;
    /* Device malloc and free; 0 is NULL. Absent: malloc returns 0. False: the address is not NULL and no living allocation. */
    uint64_t (*malloc)(void *arg, uint64_t n);
    bool (*free)(void *arg, uint64_t address);
    void *malloc_arg;
};

/* Codes are CUresult's. */
enum vg_fault_code {
    VG_FAULT_NONE = 0,
    VG_FAULT_OUT_OF_MEMORY = 2,
    VG_FAULT_ILLEGAL_ADDRESS = 700,
    VG_FAULT_TIMEOUT = 702,
    VG_FAULT_ASSERT = 710,
    VG_FAULT_STACK = 714,          /* hardware stack error: call depth, local memory */
    VG_FAULT_ILLEGAL_INSTRUCTION = 715,
    VG_FAULT_MISALIGNED = 716,
    VG_FAULT_ADDRESS_SPACE = 717,
    VG_FAULT_INVALID_PC = 718,     /* indirect call to no function */
    VG_FAULT_TRAP = 719,           /* launch failed */
    VG_FAULT_CANCELLED = 999,
};

/* The first fault of a launch. 'message' is one sentence for the log: kernel, what, PTX line, block, thread, address. */
struct vg_fault {
    int code;
    uint32_t line;       /* PTX line, 0 unknown */
    uint32_t block[3], thread[3];
    uint64_t address;
    bool generic;        /* address is a generic one, not an offset in shared, local or parameter memory */
    char message[512];
};

#endif
