/* SPDX-License-Identifier: Apache-2.0 */
/* Launches: what the guest asks is checked against the function and the hardware's limits, then run to its end on the pool. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "executor/executor.h"
#include "executor/heap.h"
#include "executor/pool.h"
#include "executor/watchdog.h"
#include "interp/interp.h"
#include "ring_commands.h"
#include "ring_decode.h"

#define LAUNCH_COOPERATIVE 1u
#define MAX_THREADS 1024

static bool dims_ok(const struct vgpu_cmd_launch *c)
{
    uint64_t threads = 1;

    for (int i = 0; i < 3; i++) {
        if (!c->grid[i] || !c->block[i] || c->block[i] > MAX_THREADS || c->grid[i] > (i ? 65535u : 0x7fffffffu))
            return false;
        threads *= c->block[i];
    }
    return threads <= MAX_THREADS && c->block[2] <= 64;
}

static uint64_t threads_of(const struct vgpu_cmd_launch *c)
{
    uint64_t threads = 1;

    for (int i = 0; i < 3; i++)
        threads *= (uint64_t)c->grid[i] * c->block[i];
    return threads;
}

static bool prepare(struct vgx *x, struct vgx_function *f, struct ptx_error *err)
{
    if (!f->kernel)
        f->kernel = interp_kernel_new(f->module->ptx, f->ptx, &f->module->binding, err);
    return f->kernel;
}

/* The heap lives as long as the process: what one kernel allocates the next may free. */
static bool give_heap(struct vgx *x, struct vg_launch *launch)
{
    uint64_t base = x->heap ? 0 : vgx_image_alloc(x, VGX_HEAP_SIZE);

    if (base)
        x->heap = vgx_heap_new(base, VGX_HEAP_SIZE);
    x->heap_used = true;
    launch->malloc = vgx_heap_malloc;
    launch->free = vgx_heap_free;
    launch->malloc_arg = x->heap;
    return x->heap;
}

static uint32_t tell_fault(struct vgx *x, const struct vg_fault *fault)
{
    char near[128];

    if (fault->code == CU_ILLEGAL_ADDRESS && fault->generic && vgx_tell_near(x, fault->address, near, sizeof(near)))
        return vgx_fail(x, (uint32_t)fault->code, "%s (%s)", fault->message, near);
    return vgx_fail(x, (uint32_t)fault->code, "%s", fault->message);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

uint32_t vgx_cmd_launch(void *executor, const struct vgpu_cmd_launch *c, const void *tail, size_t tail_size)
{
    struct vgx *x = executor;
    struct vgx_function *f = vgx_find_function(x, c->function);
    struct ptx_error err = { 0 };
    struct vg_fault fault = { 0 };
    struct vg_launch launch = {
        .dynamic_shared = c->shared,
        .cluster = { 1, 1, 1 },
        .params = tail,
        .param_size = tail_size,
        .grid_id = ++x->launches,
        .cooperative = c->flags & LAUNCH_COOPERATIVE,
        .sm_count = 1,
        .print = vgx_print,
        .print_arg = x,
    };
    double start, took;

    if (!f)
        return vgx_fail(x, CU_INVALID_HANDLE, "the guest launches a function that it never got");
    if (!dims_ok(c) || (c->flags & ~LAUNCH_COOPERATIVE) || tail_size < f->ptx->param_size ||
        c->shared > INTERP_MAX_SHARED || f->ptx->shared_size > INTERP_MAX_SHARED - c->shared)
        return vgx_fail(x, CU_INVALID_VALUE, "launch of %s: grid, block, shared memory or parameters out of bounds", f->ptx->name);
    if (!prepare(x, f, &err))
        return vgx_fail(x, (uint32_t)err.code, "%s: %s", f->ptx->name, err.message);
    memcpy(launch.grid, c->grid, sizeof(launch.grid));
    memcpy(launch.block, c->block, sizeof(launch.block));
    for (int i = 0; i < 3; i++)
        launch.cluster[i] = c->cluster[i] ? c->cluster[i] : 1;
    if (launch.cooperative) {
        if (!x->grid_workspace)
            x->grid_workspace = vgx_image_alloc(x, 64);
        if (!x->grid_workspace)
            return vgx_fail(x, CU_OUT_OF_MEMORY, "no memory for a cooperative launch");
        memset((void *)x->grid_workspace, 0, 64);
        launch.grid_workspace = x->grid_workspace;
    }

    if ((x->heap_used || ptx_find_function(f->module->ptx, "malloc")) && !give_heap(x, &launch))
        return vgx_fail(x, CU_OUT_OF_MEMORY, "no memory for the heap of kernels");

    vgx_pages_expect_launch(x, tail, f->ptx->param_size, threads_of(c));
    vgx_engine_begin(&f->engine, f->kernel, f->ptx->name, &launch);
    start = seconds();
    launch.cancel = vgx_watchdog_begin();
    vg_pool_launch(x->pool, f->kernel, &launch, &fault);
    vgx_watchdog_end();
    took = seconds() - start;
    vgx_engine_end(&launch, took);
    vg_log(VG_LOG_DEBUG, "launch %" PRIu64 " %s grid %u,%u,%u block %u,%u,%u shared %u %.3f ms", launch.grid_id, f->ptx->name,
           c->grid[0], c->grid[1], c->grid[2], c->block[0], c->block[1], c->block[2], c->shared, took * 1e3);
    return fault.code ? tell_fault(x, &fault) : CU_OK;
}
