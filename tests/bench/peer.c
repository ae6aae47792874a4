/* SPDX-License-Identifier: Apache-2.0 */
/* bench-peer NAME: what this machine can do, measured beside what we do (side.h). Arithmetic and memory on two threads. */
#include "peer.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "side.h"

enum { THREADS = 2 };

struct share {
    const struct peer *peer;
    unsigned index;
    pthread_barrier_t *barrier;
    double began, ended;
};

void *peer_room(size_t bytes)
{
    void *p = peer_map(bytes);

    if (!p)
        side_fail("out of memory");
    return p;
}

/* The index-th of the CPUs that this process may use; where there are fewer, the scheduler has the choice. */
static void pin(unsigned index)
{
    cpu_set_t all, one;

    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all))
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && !index--) {
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
}

static void *run_share(void *arg)
{
    struct share *s = arg;

    pin(s->index);
    pthread_barrier_wait(s->barrier);
    s->began = side_now();
    s->peer->run(s->index, THREADS);
    s->ended = side_now();
    return NULL;
}

double peer_rate(const struct peer *peer)
{
    struct share shares[THREADS];
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    double began = 0, ended = 0;

    pthread_barrier_init(&barrier, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        shares[i] = (struct share){.peer = peer, .index = i, .barrier = &barrier};
        if (pthread_create(&threads[i], NULL, run_share, &shares[i]))
            side_fail("no thread");
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        began = i && began < shares[i].began ? began : shares[i].began;
        ended = ended > shares[i].ended ? ended : shares[i].ended;
    }
    pthread_barrier_destroy(&barrier);
    return peer->work() * 1e-9 / (ended - began);
}

static double measure(void *arg)
{
    const struct peer *peer = arg;

    return peer->measure ? peer->measure() : peer_rate(peer);
}

static const struct peer *const groups[] = {peers_arithmetic, peers_memory, peers_other};

int main(int argc, char **argv)
{
    for (unsigned g = 0; argc == 2 && g < sizeof groups / sizeof *groups; g++)
        for (const struct peer *p = groups[g]; p->name; p++)
            if (!strcmp(p->name, argv[1])) {
                if (p->prepare)
                    p->prepare();
                return side_serve(measure, (void *)p);
            }
    fputs("usage: bench-peer NAME\n", stderr);
    return 2;
}
