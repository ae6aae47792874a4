/* SPDX-License-Identifier: Apache-2.0 */
/* Between compiled code and the process it runs in: all that code knows of it is a struct jit_env. */
#ifndef VGPU_JIT_RUN_H
#define VGPU_JIT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct warp;

/* Numbers and addresses that a warp finds at its start. */
#define JIT_ENV_LIST(X) \
    X(frame)        /* registers of the entry's frame, where operations find their operands, of the block's first warp */ \
    X(special)      /* special registers, of the first */ \
    X(warp_bytes)   /* from one warp's to the next */ \
    X(param)        /* the launch's parameters */ \
    X(shared)       /* the block's shared memory */ \
    X(shared_size)  /* bytes */ \
    X(local)        /* lane 0's local memory, of the first */ \
    X(local_bytes)  /* from one warp's to the next */ \
    X(data)         /* the module's variables */ \
    X(block)        /* struct block, of which code reads and writes what is compiled code's own */ \
    X(warp)         /* its number in the block. Code goes on with others, and notes it here */ \
    X(ctaid_x)      /* its block's place in the grid */ \
    X(ctaid_y) \
    X(ctaid_z)
enum jit_env_field {
#define X(name) JIT_ENV_##name,
    JIT_ENV_LIST(X)
#undef X
    JIT_ENV_FIELDS
};

struct jit_env {
    uint64_t field[JIT_ENV_FIELDS];
    /* Execute instruction i for the lanes of mask. Returns when they have gone through it, maybe after a while. */
    void (*operation)(struct jit_env *env, uint32_t i, uint32_t mask);
    /* Let other warps run. */
    void (*yield)(struct jit_env *env);
    /* The interpreter takes these lanes over at instruction i ... */
    void (*park)(struct jit_env *env, uint32_t i, uint32_t mask);
    /* ... and the warp with them: all have been parked. Does not return. */
    void (*leave)(struct jit_env *env);
    /* The same, for ways that code hardly ever takes: all of its registers stay as they are, so that what it has in them at other
     * times need not be anywhere else. */
    void (*keep_operation)(struct jit_env *env, uint32_t i, uint32_t mask);
    void (*keep_yield)(struct jit_env *env);
    void (*keep_park)(struct jit_env *env, uint32_t i, uint32_t mask);
    /* These lanes end, others do not. */
    void (*end)(struct jit_env *env, uint32_t mask);
    /* All lanes that there still are end, of a warp that has a state or in a block in which others wait for that. Otherwise code
     * counts them itself. */
    void (*over)(struct jit_env *env);
    /* All of the warp's lanes go through instruction i, a barrier for the whole block with this number. Barrier 0 is code's own as
     * long as nobody waits there who is not parked. */
    void (*barrier)(struct jit_env *env, uint32_t i, uint32_t mask, uint32_t number);
    uint32_t fresh;            /* code has not called for anything since it took this warp up */
    uint32_t rounds;           /* of the block, that code may still begin before the worker is to look around */
    uint32_t present;          /* lanes that have not ended, after an operation that calls a function */
    uint32_t polled;           /* set: code has looked at memory that others may change */
    /* The access that runs, for who asks after the hardware has stopped it. All that does not change is in the image: */
    uint32_t site;             /* where in 'sites' its record begins */
    uint32_t mask;             /* the lanes that run it, unless that is in the record */
    const uint32_t *sites;
    uint32_t mxcsr;            /* what the code has set, in this warp or one before, 0: nothing. What it calls runs as the process does */
    struct warp *w;
    uint64_t threads;          /* of the launch */
    uint64_t address[32];
};

/* A record of a place in the code that touches memory. */
struct jit_site {
    uint32_t insn;             /* the instruction */
    uint32_t mask;             /* of the lanes that run it; 0: jit_env has it */
    uint32_t bytes;            /* of a lane's access */
    uint32_t step;             /* JIT_STEP_EACH: address[lane]; _TABLE(n): address[lane / n] + table[lane]; else address[0] + lane * step */
    uint32_t more;             /* records that follow, of other instructions that touch memory at the same time */
    uint32_t table[];          /* 32, where step names it */
};
#define JIT_STEP_EACH UINT32_MAX
#define JIT_STEP_TABLE(n) (UINT32_MAX - (n))
#define JIT_NO_SITE UINT32_MAX /* in jit_env.site: no access of code's own runs */

/* Code takes up the warp that the environment names, where that is parked or at its beginning, and goes on with others of the block as
 * long as there are some whose turn it is; code that parks none may leave that to the caller. */
typedef void jit_code(struct jit_env *env);

struct interp_kernel;
/* Let the interpreter's workers run the mapped image (n bytes, entered at its start) for the kernel's launches whose blocks have
 * this shape, from the next block on. The kernel unmaps it when it goes. False when memory is short: the image is still the
 * caller's. */
bool jit_install(struct interp_kernel *k, const uint32_t block[3], void *image, size_t n);

#endif
