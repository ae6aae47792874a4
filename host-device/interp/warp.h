/* SPDX-License-Identifier: Apache-2.0 */
/* What the interpreter's own files share: a kernel as micro-operations, and a warp that executes them.
 *
 * A warp is plain data: its lanes are divided into groups, each with a program counter, a call frame and a mask. One group
 * runs; the others wait for their turn, for lanes to meet them, or for a barrier. A warp that cannot go on returns from
 * warp_run() and is resumed by another call, so warps need no stacks of their own. */
#ifndef VGPU_INTERP_WARP_H
#define VGPU_INTERP_WARP_H

#include "interp/interp.h"
#include "interp/lanes.h"
#include "interp/window.h"

struct uop;
struct warp;
struct block;

/* Execute one micro-operation for the running group; returns the next one. */
typedef const struct uop *uop_fn(struct warp *w, const struct uop *u);

/* An operand: the place of its array, as an offset from one of the warp's bases. The low two bits choose the base. */
enum operand_base { BASE_FRAME, BASE_CONST, BASE_SPECIAL, BASE_NONE };
#define REF_NONE ((uint32_t)BASE_NONE)

struct uop {
    uop_fn *run;
    uop_fn *inner;               /* guarded operations: what runs for the lanes whose guard holds */
    lane_op *lane;
    const struct ptx_insn *insn;
    const uint32_t *refs;        /* operands: nd destinations, then ns sources; memory operations: address first */
    union {
        const struct uop *target;     /* of a branch */
        const struct call_site *call;
        const struct branch_table *table;
        const uint8_t *bits;          /* collectives: width of each of refs, 0 absent */
        void (*fn)(void);             /* atomics: the new value */
        int64_t imm2;                 /* cp.async: added to the source address */
    };
    int64_t imm;                 /* added to an address; the constant of a move; see each handler */
    uint32_t guard, guard_flip;  /* predicate and what to xor it with */
    uint8_t nd, ns;
    uint8_t space;               /* enum address_space */
    uint8_t wide;                /* address register has 64 bits */
    uint8_t bytes, vec;          /* memory: of one element; elements */
    bool volatile_access;        /* a spin loop may wait on this */
};

struct branch_table {
    uint32_t n;
    const struct uop *targets[];
};

/* Where an address operand points, once spaces are resolved. */
enum address_space {
    ADDRESS_DEVICE,      /* host address in the window: global, const, generic */
    ADDRESS_SHARED,      /* offset in the block's shared memory */
    ADDRESS_LOCAL,       /* offset in the lane's local memory */
    ADDRESS_FRAME,       /* the same, from the start of the frame's part of it (symbols of .func) */
    ADDRESS_PARAM,       /* offset in the entry's parameters */
};

/* One side of a value that a call passes: an array, or a place in the local memory of a frame. */
struct call_value {
    bool in_reg;
    uint32_t at;         /* ref, or offset from the frame's start */
    uint32_t bytes;
};

struct func {
    const struct ptx_function *f;
    struct uop *code;            /* NULL: not lowered */
    uint32_t n_code;
    uint32_t frame_bytes;        /* struct frame's registers */
    uint32_t local_bytes;        /* of a frame, a lane: locals, parameters of its calls, its own parameters */
    uint32_t first_formal;       /* where its own parameters and results lie there */
    uint32_t n_params, n_rets;
    struct call_value *params;   /* its own side of calls; then the returns */
    uint32_t *refs;
    uint32_t *place;             /* by register: where it lies in the frame; for compiled code, which meets operations there */
    uint32_t *first_uop;         /* by instruction, and one behind the last */
    void *extra;                 /* list of what its operations point at, freed with it */
};

struct call_site {
    struct call_site *next;
    const struct func *callee;   /* NULL: indirect, or a built-in */
    uint32_t target;             /* indirect: ref of the address */
    const struct builtin *builtin;
    uint32_t n_args, n_rets;
    struct call_value args[];    /* then the returns */
};

/* A special register that the kernel reads, as an array in each warp's special area. */
struct special {
    uint8_t sreg, component, bits;
    bool per_block;              /* changes from block to block */
    uint32_t offset;
};

struct interp_kernel {
    struct ptx_module *m;
    struct ptx_function *f;
    struct vg_binding binding;
    struct func *funcs;          /* by the module's function index */
    struct func *entry;
    char *consts;
    size_t const_bytes;
    struct special *specials;
    uint32_t n_specials, special_bytes;
    uint32_t local_stride;       /* bytes of local memory a lane */
    uint32_t stack;              /* of these, for the stack */
    struct interp_native *_Atomic native; /* compiled code, or NULL */
    struct ptx_flat *source;     /* of a rewritten kernel: what it was made from */
    struct interp_kernel *_Atomic *flat; /* see interp_kernel_flat() */
    bool has_stack;              /* it calls, or allocates on the stack */
};

/* Registers of one activation of a function. Shared by all groups that called it together. */
struct frame {
    struct frame *parent;
    const struct func *func;
    const struct uop *return_to;
    const struct call_site *site;
    uint32_t lanes;              /* that have neither returned nor exited */
    uint32_t local;              /* where its part of local memory starts */
    uint32_t top[VG_WARP];       /* what each lane has on the stack behind that part, in bytes: alloca */
    uint32_t depth;
    char *regs;                  /* 64-byte aligned; CC.CF in the first word */
    struct frame *next;          /* all of the warp's, for freeing */
    size_t bytes;
};
#define VG_STACK_ALIGN 32u       /* of each lane's part of local memory */
#define FRAME_CARRY 0
#define FRAME_TEMPS 64           /* temporaries of an instruction's own micro-operations */

enum group_wait { READY, WAIT_LANES, WAIT_BARRIER };
struct group {
    const struct uop *pc;
    struct frame *frame;
    uint32_t mask;
    uint32_t turn;               /* how often it ran out of fuel: the group that did so least runs first */
    uint8_t wait;                /* enum group_wait */
    uint8_t barrier;
};

struct warp {
    struct lane_args args;       /* mask: the running group's lanes, 0 when no group runs; present: lanes not exited */
    char *base[4];               /* by enum operand_base */
    const struct uop *limit;     /* the running group stops before any operation at or behind this one */
    struct frame *frame;         /* of the running group */
    int32_t fuel;                /* backward branches until the warp looks around */
    uint32_t turn;
    unsigned n_groups;
    struct group groups[VG_WARP];
    struct block *block;
    unsigned index;              /* in its block */
    bool yielded;                /* it left warp_run with lanes ready to go on */
    void *native;                /* compiled code's own, NULL before the warp's first turn */
    bool polled;                 /* it looked at memory that others may change, or slept */
    uint32_t wait_mask[VG_WARP]; /* of a lane in WAIT_LANES: the lanes it waits for */
    struct frame entry_frame;
    struct frame *frames;        /* of calls */
    size_t frame_total;          /* bytes of frames beyond the entry's */
    uint64_t local_base;         /* of lane 0; lane l: + l * local_stride */
    uint64_t ea[VG_WARP] __attribute__((aligned(64))); /* addresses of the memory operation that runs */
    unsigned ea_bytes;           /* that it touches at each */
    bool ea_row;                 /* lane l's address is ea[0] + l * ea_bytes; only ea[0] is filled in */
    /* From here on not cleared when a launch begins. */
    uint64_t joint[(LANE_MAX_DST + LANE_MAX_SRC) * 2 * VG_WARP] __attribute__((aligned(64))); /* operands of lanes that met */
};

struct barrier {
    uint32_t expected;           /* threads; 0: all of the block that have not exited */
    uint32_t arrived[32];        /* by warp: lanes */
    uint32_t threads;            /* all of arrived */
    uint32_t again;              /* arrivals of threads that had arrived already */
    uint32_t popc;               /* bar.red: predicates that were true ... */
    uint32_t asked;              /* ... of so many */
};

/* A warp of compiled code, while the code runs none of it: it has not begun, has ended, or has come with all its lanes to barrier 0,
 * for all of the block, where its registers lie in its frame. */
struct parked {
    uint32_t at;                 /* PARKED_AT() or one of those below */
    uint32_t lanes;              /* at a barrier: that have not exited */
};
#define PARKED_BEGIN 0u          /* it is to begin, or runs */
#define PARKED_ENDED UINT32_MAX
#define PARKED_AT(insn, copy) (2 * (insn) + (copy) + 1) /* at this instruction of the kernel, in one of code's two copies of it */
#define PARKED_INSN(at) (((at) - 1) / 2)

struct block {
    struct interp_worker *worker;
    uint32_t ctaid[3];
    unsigned n_warps;
    unsigned present;            /* threads that have not exited */
    struct warp *warps[32];
    struct barrier barriers[16];
    uint32_t active_barriers;    /* those at which someone has arrived; the others are all zero */
    /* Of compiled code, which goes through warps in order, in one round after another: a round leads to a barrier of them all. */
    unsigned begun;              /* warps, in order, that have had their turn in this round */
    unsigned met;                /* threads of those that are parked at its end */
    uint32_t made;               /* by warp: it has needed a state. Of others the state says that they have ended */
    struct parked parked[32];
    uint64_t shared_base, local_base;
    const struct interp_native *native; /* what runs its warps instead of the operations */
    bool busy;                   /* a block of the grid lives here */
    void *memory;                /* of the warps, one behind the other; reused from launch to launch */
    size_t warp_bytes;           /* of each */
    size_t memory_size;
};

struct interp_worker {
    unsigned index;
    uint64_t scratch;            /* its part of the window */
    uint64_t mapped;             /* bytes mapped from there */
    struct block **blocks;       /* places for resident blocks */
    unsigned n_blocks;
    sigjmp_buf leave;            /* where warp_fault() goes */
    struct warp *running;
    void *native_state;          /* compiled code's own, kept from launch to launch */
    void (*native_free)(void *);
    /* The launch it works on. */
    struct interp_kernel *k;
    const struct vg_launch *launch;
    struct interp_grid *grid;
    uint64_t grid_blocks;
    uint64_t next_block, last_block; /* blocks that it has taken and not begun */
    uint64_t few;                /* as many it takes next */
    uint32_t next_ctaid[3];      /* of next_block */
    bool alone;                  /* it has one resident block, and nothing to do between that and the next */
    uint64_t serial;             /* of the launch, among its launches */
    uint32_t threads, n_warps;   /* of a block */
    uint32_t shared_size;        /* bytes, static and dynamic */
    uint64_t shared_bytes;       /* the same in whole pages */
    uint64_t param_base;
    uint64_t place_bytes;        /* of a resident block: shared and local memory */
    char text[4096];             /* device printf */
};

/* Memory that an instruction touches. */
struct touch {
    uint64_t at[VG_WARP];        /* by lane, so many bytes */
    uint32_t mask, bytes;
};

/* Compiled code of a kernel for blocks of one shape. It executes a warp as the micro-operations would, on the same state,
 * and calls them for what it does not do itself. */
struct interp_native {
    struct interp_native *next;  /* code for other shapes */
    uint32_t block[3];
    /* Give the block's warps that have not had it in this round their turn, one after another, and so on in further rounds, until one
     * waits or gives way, which is returned; NULL: there is none left, or it has been long. A warp's state is made (warp_begin()) when
     * something needs it. */
    struct warp *(*begin)(struct block *b);
    /* As warp_run(), of a warp that begin() has left behind; others may follow it as in begin(). */
    struct warp *(*run)(struct warp *w);
    /* The hardware stopped an access of the warp's: which instruction's, and *t. NULL: the micro-operation's that ran. The warp may
     * be another one of the block by now: *w gets which. */
    const struct ptx_insn *(*locate)(const struct warp **w, struct touch *t);
    void (*free)(struct interp_native *native);
};

#define WARP_FUEL 256            /* backward branches a turn */
#define SPIN_COST 64             /* what an access that others may answer takes of it */

static inline void warp_polls(struct warp *w)
{
    w->fuel -= SPIN_COST;
    w->polled = true;
}

/* Numbers, since a region that a kernel does not have is at NULL. */
static inline void *warp_at(const struct warp *w, uint32_t ref)
{
    return (void *)((uintptr_t)w->base[ref & 3] + (ref & ~3u));
}

/* ---- special.c ---- */
/* Fill the special registers of a block's warps that stay for the launch, or those of a warp that change with the block. */
void special_fill(struct block *b);
void special_fill_block(struct warp *w);

/* ---- launch.c ---- */
/* The state of a warp at the entry, with all its lanes and no group. */
void warp_begin(struct warp *w);
/* The state of one that compiled code runs, if it has none yet. */
void warp_make(struct warp *w);
/* Block b has ended: begin the launch's next one in its place, for the worker that runs it in compiled code. False: the worker has
 * other things to see to first. */
bool block_follow(struct block *b);
static inline unsigned mask_threads(uint32_t mask)
{
    return mask == ~0u ? VG_WARP : (unsigned)__builtin_popcount(mask);
}
/* Lanes that warp n of the block begins with. */
static inline uint32_t warp_lanes(const struct interp_worker *worker, unsigned n)
{
    uint32_t left = worker->threads - n * VG_WARP;

    return left >= VG_WARP ? ~0u : (1u << left) - 1;
}

/* ---- lower.c ---- */
/* The kernel rewritten for the compiler (ptx/flat.h), made at the first call, on any thread, and freed with k; k itself where there is
 * nothing to rewrite, NULL when memory is short. */
struct interp_kernel *interp_kernel_flat(const struct interp_kernel *k);

/* ---- run.c: groups and control flow ---- */
/* Run until the warp has ended (no lane present), waits, or has used up its fuel. */
void warp_run(struct warp *w);
/* The running group stops here: remember it with its pc. */
struct group *group_push(struct warp *w, const struct uop *pc, uint32_t mask, enum group_wait wait);
/* Choose the group to run next, or stop the warp. */
const struct uop *warp_schedule(struct warp *w);
void warp_enter_frame(struct warp *w, struct frame *f);
/* Out of fuel: the running group stops before u, and the warp for now. */
const struct uop *run_yield_at(struct warp *w, const struct uop *u);
/* The running group's lanes end; returns what runs next. */
const struct uop *warp_exit(struct warp *w);
uop_fn run_lane, run_lane_1_1, run_lane_1_2, run_lane_1_3, run_guarded, run_bra, run_bra_if, run_brx, run_exit, run_trap,
    run_nop, run_alloca, run_stacksave, run_stackrestore, run_yield, run_fence, run_not_pred, run_local_address, run_clock, run_move_const;

/* ---- converge.c: lanes that wait for each other ---- */
uop_fn run_collective, run_collective_all, run_barrier;
/* The operation at which a parked warp waits. */
const struct uop *parked_at(const struct block *b, unsigned warp);
/* It waits there, and nobody has noted it elsewhere. */
bool is_parked(const struct block *b, unsigned warp);
/* Lanes arrived at or left: let those that need not wait longer go on. */
void converge_lanes(struct warp *w);
void converge_block(struct block *b);
/* All of the warp's lanes arrive at the barrier that u waits at, one for all of the block's threads. True when it was for them
 * that the others waited; else they wait now, as after u. */
bool barrier_arrive(struct warp *w, const struct uop *u, unsigned number);

/* ---- call.c, builtin.c ---- */
uop_fn run_call, run_call_indirect, run_ret;
struct builtin;
/* The function that a kernel may declare .extern and call, NULL when there is none of that name. */
const struct builtin *builtin_find(const char *name);
void builtin_run(struct warp *w, const struct call_site *site);
/* Lane l's copy of a call's value, in the caller's frame f: its first bytes, as a number. */
uint64_t call_value_get(const struct warp *w, const struct frame *f, const struct call_value *v, unsigned l);
void call_value_set(struct warp *w, const struct frame *f, const struct call_value *v, unsigned l, uint64_t x);
void frame_drop_lanes(struct warp *w, struct frame *f, uint32_t mask);
void frame_free_all(struct warp *w);

/* ---- mem.c (compiled per instruction set), atom.c, address.c ---- */
/* The operation for a load or store of elements of so many bytes, from or into registers of so many bits; NULL: none. */
typedef uop_fn *memory_selector(bool store, bool is_signed, unsigned bytes, unsigned bits);
memory_selector memory_select_base, memory_select_v3, memory_select_v4, memory_select;
/* The operation for an atom or red, and the function for its uop.fn; NULL when there is none. */
uop_fn *atom_select(const struct ptx_insn *insn, void (**fn)(void));
uop_fn run_cp_async, run_address, run_cvta, run_isspacep;

/* ---- fault.c ---- */
/* End the launch: the first fault of its grid is kept, all workers stop. lane -1: not known; insn may be NULL. */
_Noreturn void warp_fault(struct warp *w, const struct ptx_insn *insn, int lane, int code, uint64_t address, const char *fmt,
                          ...) __attribute__((format(printf, 6, 7)));
/* Note a fault and stop the grid, without leaving the caller. w may be NULL. */
void fault_record(struct interp_worker *worker, const struct warp *w, const struct ptx_insn *insn, int lane, int code,
                  uint64_t address, const char *what);
/* The hardware stopped the operation of the running warp at this address. */
void fault_record_access(struct interp_worker *worker, uint64_t address);
void grid_lock(struct interp_grid *g);
void grid_unlock(struct interp_grid *g);

#endif
