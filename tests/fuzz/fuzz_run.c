/* SPDX-License-Identifier: Apache-2.0 */
/* PTX text that is run: each of a module's first kernels is lowered and launched on the interpreter, with pointers to memory of
 * its own as parameters. What does not end is cancelled after some milliseconds. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"
#include "interp/interp.h"
#include "interp/window.h"

#define HEAP VGPU_HEAP_BASE
#define DATA (VGPU_HEAP_BASE + VGPU_MIB)
#define KERNELS 4
#define PARAMS 4096
#define RUN_NS 10000000

static volatile uint32_t cancel;
static timer_t timer;
static struct interp_worker *worker;
static uint64_t params[PARAMS / 8];

static void on_timer(int sig)
{
    cancel = VG_FAULT_TIMEOUT;
}

static void set_up(void)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};

    signal(SIGUSR1, on_timer);
    worker = interp_worker_new(0);
    if (!worker || timer_create(CLOCK_MONOTONIC, &ev, &timer) || !window_map(HEAP, 2 * VGPU_MIB, -1, 0))
        abort();
    for (size_t i = 0; i < PARAMS / 8; i++)
        params[i] = HEAP + 4096 * (i % 64);
}

static void print(void *arg, const char *text, size_t n)
{
}

/* The first bytes of the heap go round: enough for a kernel that writes where it is told. */
static uint64_t give(void *arg, uint64_t n)
{
    return n && n <= 65536 ? HEAP + 512 * 1024 : 0;
}

static bool take(void *arg, uint64_t address)
{
    return address % 2 == 0;
}

static void run(struct ptx_module *m, struct ptx_function *f, const struct vg_binding *b)
{
    const struct itimerspec soon = {.it_value = {.tv_nsec = RUN_NS}}, never = {{0}};
    struct ptx_error err;
    struct interp_kernel *k = interp_kernel_new(m, f, b, &err);
    struct interp_grid grid = {.n_workers = 1};
    struct vg_launch launch = {.grid = {2, 1, 1}, .block = {33, 2, 1}, .cluster = {1, 1, 1}, .dynamic_shared = 256,
                               .params = params, .param_size = PARAMS, .sm_count = 1, .cancel = &cancel, .print = print,
                               .malloc = give, .free = take};

    if (!k)
        return;
    for (int i = 0; i < 3; i++)
        if (f->reqntid[i])
            launch.block[i] = f->reqntid[i];
    cancel = 0;
    timer_settime(timer, 0, &soon, NULL);
    if (f->param_size <= PARAMS)
        interp_run(worker, k, &launch, &grid);
    timer_settime(timer, 0, &never, NULL);
    interp_kernel_free(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct vg_binding b = {.data = DATA, .functions = VGPU_FUNCTION_BASE + VGPU_WINDOW_GUARD};
    struct ptx_error err;
    struct ptx_module *m;
    uint32_t ran = 0;

    if (!worker)
        set_up();
    m = ptx_module_open((const char *)data, n, &err);
    if (!m)
        return 0;
    memset((void *)(uintptr_t)HEAP, 0, 2 * VGPU_MIB);
    if (m->data_size <= VGPU_MIB)
        vg_image_fill(m, &b, (uint8_t *)(uintptr_t)DATA);
    for (uint32_t i = 0; i < m->nfunctions && ran < KERNELS && m->data_size <= VGPU_MIB; i++)
        if (m->functions[i].is_entry && ptx_function_close(m, &m->functions[i], &err)) {
            run(m, &m->functions[i], &b);
            ran++;
        }
    ptx_module_close(m);
    return 0;
}
