/* SPDX-License-Identifier: Apache-2.0 */
/* OpenBLAS, and two processes that wake each other. */
#include <cblas.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "peer.h"
#include "side.h"

/* ---- sgemm ---- */

static int n;
static float *a, *b, *c;

static void sgemm_prepare(void)
{
    size_t count;

    n = SIDE_SIZE(1536, 64);
    count = (size_t)n * (size_t)n;
    a = peer_room(count * sizeof(float));
    b = peer_room(count * sizeof(float));
    c = peer_room(count * sizeof(float));
    for (size_t i = 0; i < count; i++)
        a[i] = b[i] = (float)(i % 17) / 17;
}

static void sgemm(void *none)
{
    (void)none;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, b, n, 0, c, n);
}

static double sgemm_measure(void)
{
    return side_rate(sgemm, NULL) * 2e-9 * n * n * n;
}

/* ---- Ping-pong by condition variables ---- */

static struct shared {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ball; /* with the other process */
} *table;

static void pass(bool to)
{
    pthread_mutex_lock(&table->lock);
    table->ball = to;
    pthread_cond_signal(&table->changed);
    while (table->ball == to)
        pthread_cond_wait(&table->changed, &table->lock);
    pthread_mutex_unlock(&table->lock);
}

static void ping_pong_prepare(void)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t cond;

    table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED)
        side_fail("no shared memory");
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&table->lock, &mutex);
    pthread_condattr_init(&cond);
    pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&table->changed, &cond);
    switch (fork()) {
    case -1:
        side_fail("no process");
    case 0:
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_mutex_lock(&table->lock);
        while (!table->ball)
            pthread_cond_wait(&table->changed, &table->lock);
        pthread_mutex_unlock(&table->lock);
        for (;;)
            pass(false);
    }
}

static void round_trip(void *none)
{
    (void)none;
    pass(true);
}

/* In microseconds there and back. */
static double ping_pong_measure(void)
{
    return 1e6 / side_rate(round_trip, NULL);
}

const struct peer peers_other[] = {
    {.name = "sgemm", .prepare = sgemm_prepare, .measure = sgemm_measure},
    {.name = "ping-pong", .prepare = ping_pong_prepare, .measure = ping_pong_measure},
    {0},
};
