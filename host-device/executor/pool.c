/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "interp/interp.h"

/* Launches follow each other closely while a model runs: an idle worker looks for the next one this long before it sleeps,
 * and not at all where it would take the CPU from who brings it. */
#define SPIN_NS 50000
#define WORKERS_MAX 64

struct task {
    struct interp_kernel *kernel;
    const struct vg_launch *launch;
    struct interp_grid grid;
};

struct vg_pool {
    unsigned n;
    struct interp_worker *workers[WORKERS_MAX];
    pthread_t threads[WORKERS_MAX]; /* of workers 1 to started */
    unsigned started;
    bool spins;

    struct task task;
    _Atomic uint32_t number;        /* of the launch that the workers are to run; the last one is over when busy is 0 */
    _Atomic uint32_t busy;          /* workers that have not finished it */
    _Atomic bool end;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
};

struct start {
    struct vg_pool *pool;
    unsigned index;
};

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Wait until the launch number is another one than 'seen', or the pool ends. */
static void wait_for_launch(struct vg_pool *p, uint32_t seen)
{
    uint64_t until = p->spins ? now() + SPIN_NS : 0;

    while (until && atomic_load(&p->number) == seen && !atomic_load(&p->end)) {
        for (int i = 0; i < 64; i++)
            __builtin_ia32_pause();
        if (now() > until)
            break;
    }
    if (atomic_load(&p->number) != seen)
        return;
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->number) == seen && !atomic_load(&p->end))
        pthread_cond_wait(&p->wake, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
    struct start *s = arg;
    struct vg_pool *p = s->pool;
    unsigned index = s->index;

    free(s);
    for (uint32_t seen = 0;;) {
        wait_for_launch(p, seen);
        if (atomic_load(&p->end))
            return NULL;
        seen++;
        interp_run(p->workers[index], p->task.kernel, p->task.launch, &p->task.grid);
        if (atomic_fetch_sub(&p->busy, 1) == 1) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->lock);
        }
    }
}

static bool start_thread(struct vg_pool *p, unsigned index)
{
    struct start *s = malloc(sizeof *s);

    if (!s)
        return false;
    *s = (struct start){p, index};
    errno = pthread_create(&p->threads[index], NULL, work, s);
    if (!errno)
        return true;
    free(s);
    return false;
}

struct vg_pool *vg_pool_new(unsigned n)
{
    struct vg_pool *p = calloc(1, sizeof *p);
    cpu_set_t cpus;
    int online = sched_getaffinity(0, sizeof cpus, &cpus) ? 1 : CPU_COUNT(&cpus);

    if (!p)
        return NULL;
    if (!n)
        n = (unsigned)online;
    p->n = n < WORKERS_MAX ? n : WORKERS_MAX;
    p->spins = online > 1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    for (unsigned i = 0; i < p->n; i++) {
        p->workers[i] = interp_worker_new(i);
        if (!p->workers[i] || (i && !start_thread(p, i))) {
            vg_pool_free(p);
            return NULL;
        }
        p->started = i;
    }
    return p;
}

void vg_pool_free(struct vg_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->end, true);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 1; i <= p->started; i++)
        pthread_join(p->threads[i], NULL);
    for (unsigned i = 0; i < p->n; i++)
        interp_worker_free(p->workers[i]);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->done);
    free(p);
}

unsigned vg_pool_workers(const struct vg_pool *p)
{
    return p->n;
}

static void wait_for_workers(struct vg_pool *p)
{
    uint64_t until = p->spins ? now() + SPIN_NS : 0;

    while (until && atomic_load(&p->busy)) {
        for (int i = 0; i < 64; i++)
            __builtin_ia32_pause();
        if (now() > until)
            break;
    }
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->busy))
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

bool vg_pool_launch(struct vg_pool *p, struct interp_kernel *k, const struct vg_launch *launch, struct vg_fault *fault)
{
    uint64_t blocks = (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2];

    p->task = (struct task){.kernel = k, .launch = launch};
    if (p->n == 1 || blocks <= 1) { /* not worth waking anybody */
        p->task.grid.n_workers = 1;
        interp_run(p->workers[0], k, launch, &p->task.grid);
    } else {
        p->task.grid.n_workers = p->n;
        atomic_store(&p->busy, p->n - 1);
        pthread_mutex_lock(&p->lock);
        atomic_fetch_add(&p->number, 1);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
        interp_run(p->workers[0], k, launch, &p->task.grid);
        wait_for_workers(p);
    }
    *fault = p->task.grid.fault;
    return !fault->code;
}
