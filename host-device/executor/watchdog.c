/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "ptx/launch.h"

#define LOOKS 8 /* a limit: how exact it is */

static unsigned limit_ms;
static _Atomic uint64_t running; /* number of the launch that runs, 0: none */
static uint64_t launches;
static volatile uint32_t cancel;

static void *watch(void *arg)
{
    const uint64_t ns = (uint64_t)limit_ms * 1000000 / LOOKS;
    const struct timespec nap = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
    uint64_t seen = 0;

    for (unsigned looks = 0;; nanosleep(&nap, NULL)) {
        uint64_t now = atomic_load(&running);

        looks = now && now == seen ? looks + 1 : 0;
        seen = now;
        if (looks > LOOKS)
            cancel = VG_FAULT_TIMEOUT;
    }
    return arg;
}

bool vgx_watchdog_start(unsigned milliseconds)
{
    pthread_t thread;

    limit_ms = milliseconds;
    errno = milliseconds ? pthread_create(&thread, NULL, watch, NULL) : 0;
    return !errno;
}

const volatile uint32_t *vgx_watchdog_begin(void)
{
    cancel = 0;
    atomic_store(&running, ++launches);
    return limit_ms ? &cancel : NULL;
}

void vgx_watchdog_end(void)
{
    atomic_store(&running, 0);
}
