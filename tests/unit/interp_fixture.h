/* SPDX-License-Identifier: Apache-2.0 */
/* Run a kernel given as text on the interpreter, for tests.
 *
 *     fx_run("body", .block = 32)                        runs entry k(out, in), see FX_HEAD
 *     fx_out[gid]                                        what thread gid stored at [%o]
 *
 * With FX_COMPILE defined the same on compiled code, for what the compiler takes, unless fx_interprets.
 *
 * The last run's outcome is in fx.fault and fx.text (what it printed). */
#ifndef VGPU_TESTS_INTERP_FIXTURE_H
#define VGPU_TESTS_INTERP_FIXTURE_H

#include <stdlib.h>

#include "executor/pool.h"
#include "interp/interp.h"
#include "interp/window.h"
#include "tap.h"
#ifdef FX_COMPILE
#include "jit/jit.h"
#include "jit/run.h"
#endif

#define FX_OUT (VGPU_HEAP_BASE)
#define FX_IN (VGPU_HEAP_BASE + 4 * VGPU_MIB)
#define FX_DATA (VGPU_HEAP_BASE + 8 * VGPU_MIB)
#define FX_BYTES (4 * VGPU_MIB)
static uint32_t *const fx_out = (uint32_t *)FX_OUT, *const fx_in = (uint32_t *)FX_IN;

/* Module and entry, up to where the body begins: %ti thread in block, %gi thread in grid, %o = out + 4 * %gi, %i = in + 4 * %gi,
 * %out and %in the buffers; registers to play with: %r<40>, %rd<20>, %p<20>, %h<8>, %f<8>. */
#define FX_MODULE ".version 8.4\n.target sm_90\n.address_size 64\n"
#define FX_HEAD \
    ".visible .entry k(.param .u64 pout, .param .u64 pin) {\n" \
    ".reg .b32 %ti, %gi, %n0, %n1, %r<40>; .reg .b64 %o, %i, %out, %in, %rd<20>; .reg .pred %p<20>; .reg .b16 %h<8>;\n" \
    ".reg .f32 %f<8>;\n" \
    "ld.param.u64 %out, [pout]; ld.param.u64 %in, [pin]; mov.u32 %ti, %tid.x; mov.u32 %n0, %ctaid.x; mov.u32 %n1, %ntid.x;\n" \
    "mad.lo.u32 %gi, %n0, %n1, %ti; mad.wide.u32 %o, %gi, 4, %out; mad.wide.u32 %i, %gi, 4, %in;\n"

static struct {
    struct vg_fault fault;
    struct ptx_error err;
    char text[65536];
    size_t text_size;
    bool mapped, quiet;
    struct vg_pool *pool; /* NULL: one worker on this thread */
    struct interp_worker *worker;
} fx;

struct fx_launch {
    const char *before;   /* module-level text before the entry */
    uint32_t grid, grid_y, grid_z, block, block_y, block_z, cluster, shared;
    bool cooperative, keep_out;
    uint64_t workspace;
    const volatile uint32_t *cancel;
    void (*between)(void *kernel); /* before blocks of worker 0, which then starts without code */
};

static inline void fx_print(void *arg, const char *text, size_t n)
{
    (void)arg;
    if (fx.text_size + n < sizeof fx.text) {
        memcpy(fx.text + fx.text_size, text, n);
        fx.text_size += n;
        fx.text[fx.text_size] = 0;
    }
}

static inline void fx_setup(void)
{
    if (fx.mapped)
        return;
    if (!window_map(FX_OUT, 3 * FX_BYTES, -1, 0) || !(fx.worker = interp_worker_new(63))) {
        printf("Bail out! cannot reserve the device window\n");
        exit(1);
    }
    fx.mapped = true;
}

#ifdef FX_COMPILE
static bool fx_interprets;
static uint32_t fx_without; /* extensions that code is not to use */
static struct jit_report fx_report;

static inline void fx_compile(struct interp_kernel *k, const struct vg_launch *launch)
{
    struct jit_shape shape = {.isa = jit_isa_default()};
    void *image;

    memcpy(shape.block, launch->block, sizeof shape.block);
    shape.extensions = jit_extensions(shape.isa) & ~fx_without;
    if (fx_interprets || !(image = jit_translate(k, &shape, &fx_report)))
        return;
    if (!jit_install(k, shape.block, image, fx_report.code_bytes))
        exit(1);
}
#else
static inline void fx_compile(struct interp_kernel *k, const struct vg_launch *launch)
{
}
#endif

static inline struct interp_kernel *fx_lower(struct ptx_module *m, const struct vg_binding *b)
{
    struct ptx_function *f = ptx_find_function(m, "k");

    if (!f || !ptx_function_close(m, f, &fx.err))
        return NULL;
    vg_image_fill(m, b, (uint8_t *)FX_DATA);
    return interp_kernel_new(m, f, b, &fx.err);
}

static inline bool fx_run_(const char *body, const struct fx_launch *x)
{
    static const struct vg_binding binding = {FX_DATA, FX_DATA + FX_BYTES};
    uint64_t params[2] = {FX_OUT, FX_IN};
    struct vg_launch launch = {.grid = {x->grid ? x->grid : 1, x->grid_y ? x->grid_y : 1, x->grid_z ? x->grid_z : 1},
                               .block = {x->block ? x->block : 32, x->block_y ? x->block_y : 1, x->block_z ? x->block_z : 1},
                               .cluster = {x->cluster ? x->cluster : 1, 1, 1}, .dynamic_shared = x->shared, .params = params, .param_size = sizeof params,
                               .grid_id = 7, .cooperative = x->cooperative, .grid_workspace = x->workspace, .sm_count = 4,
                               .cancel = x->cancel, .print = fx_print};
    struct interp_grid grid = {.n_workers = 1};
    size_t n = strlen(body) + (x->before ? strlen(x->before) : 0) + 4096;
    char *text = malloc(n);
    struct interp_kernel *k = NULL;
    struct ptx_module *m;

    fx_setup();
    fx.fault = (struct vg_fault){.code = -1};
    fx.err = (struct ptx_error){.code = 0};
    fx.text_size = 0;
    fx.text[0] = 0;
    if (!x->keep_out)
        memset(fx_out, 0xa5, FX_BYTES);
    snprintf(text, n, "%s%s\n%s%s\nret;\n}\n", FX_MODULE, x->before ? x->before : "", FX_HEAD, body);
    m = ptx_module_open(text, strlen(text), &fx.err);
    if (m && (k = fx_lower(m, &binding))) {
        launch.between_blocks = x->between;
        launch.between_arg = k;
        if (!x->between)
            fx_compile(k, &launch);
        if (fx.pool) {
            vg_pool_launch(fx.pool, k, &launch, &fx.fault);
        } else {
            interp_run(fx.worker, k, &launch, &grid);
            fx.fault = grid.fault;
        }
        if (fx.fault.code && !fx.quiet)
            diag("fault %d: %s", fx.fault.code, fx.fault.message);
    } else if (!fx.quiet) {
        diag("refused: %s", fx.err.message);
    }
    interp_kernel_free(k);
    if (m)
        ptx_module_close(m);
    free(text);
    return fx.fault.code == 0;
}
#define fx_run(body, ...) fx_run_(body, &(struct fx_launch){__VA_ARGS__})

#ifdef FX_COMPILE
/* Both engines run it without a fault, the second one compiled, and write the same. */
static inline bool fx_same_(const char *body, const struct fx_launch *x)
{
    static uint32_t want[FX_BYTES / 4];
    bool first, second;

    fx_interprets = true;
    first = fx_run_(body, x);
    memcpy(want, fx_out, sizeof want);
    fx_interprets = false;
    fx_report.why[0] = 0;
    second = fx_run_(body, x);
    return first && second && !fx_report.why[0] && !memcmp(want, fx_out, sizeof want);
}
#define fx_same(body, ...) fx_same_(body, &(struct fx_launch){__VA_ARGS__})
#endif

/* Run and compare what each of n threads stored with an expression of its number t. */
#define fx_expect(name, n, want, ...) \
    ({ \
        int bad_ = 0; \
        if (ok(__VA_ARGS__, "%s runs", name)) { \
            for (uint32_t t = 0; t < (uint32_t)(n); t++) { \
                uint32_t want_ = (uint32_t)(want); \
                if (fx_out[t] != want_ && !bad_++) \
                    diag("thread %u: got %#x, want %#x", t, fx_out[t], want_); \
            } \
            ok(!bad_, "%s: every thread has its value", name); \
        } \
    })

#endif
