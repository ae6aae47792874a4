/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the host, and noticing that it is gone. */
#include "channel/channel.h"

#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "channel/hooks.h"

/* LOOKS: a microsecond or two, in which an idle host has run an empty kernel. Who waits longer lets others run between looks: the
 * host's executor may be on this very CPU. */
enum { LOOKS = 64, YIELD_NS = 20000, NAP_MIN_NS = 20000, NAP_MAX_NS = 1000000, NAPS_A_CHECK = 8 };

uint64_t vgpu_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Counters of the control page are written by the host: loads are atomic and, where data follows a counter, acquiring. */
static uint64_t load_acquire(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

int vgpu_channel_fail(struct vgpu_channel *channel, uint32_t status, const char *why)
{
    uint32_t none = 0;

    if (__atomic_compare_exchange_n(&channel->status, &none, status, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        vgpu_log(VGPU_LOG_ERROR, "channel %u of %s: %s (error %u)", channel->device->channel, channel->device->where, why,
                 status);
    return (int)__atomic_load_n(&channel->status, __ATOMIC_RELAXED);
}

int vgpu_channel_status(struct vgpu_channel *channel)
{
    uint32_t status = __atomic_load_n(&channel->status, __ATOMIC_RELAXED);

    if (status)
        return (int)status;
    /* Acquire: the message was written before the status. */
    status = __atomic_load_n(&channel->control->status, __ATOMIC_ACQUIRE);
    if (!status)
        return 0;
    char message[sizeof channel->control->message];
    snprintf(message, sizeof message, "%.*s", (int)sizeof message - 1, channel->control->message);
    return vgpu_channel_fail(channel, status, message);
}

static int check_alive(struct vgpu_channel *channel)
{
    int status = vgpu_channel_status(channel);

    if (!status && !channel->device->transport->alive(channel->device)) {
        /* The host may have said why just before it went. */
        status = vgpu_channel_status(channel);
        if (!status)
            status = vgpu_channel_fail(channel, VGPU_ERROR_UNKNOWN, "the executor or vgpu-hostd went away");
    }
    return status;
}

/* Until the time is over or, on the host's own kernel, until it says that the command is done; one thread at a time can be told. */
static void nap(struct vgpu_channel *channel, const struct vgpu_backoff *backoff)
{
    const struct timespec time = {.tv_nsec = backoff->sleep_ns};
    struct vgpu_control *control = channel->control;

    if (!backoff->seq || !channel->device->transport->same_kernel || pthread_mutex_trylock(&channel->sleep_lock)) {
        nanosleep(&time, NULL);
        return;
    }
    __atomic_store_n(&control->wake_at, backoff->seq, __ATOMIC_RELAXED);
    /* Full: the store of wake_at comes before the load of completed. The host stores completed, fences, and looks at wake_at. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint64_t seen = load_acquire(&control->completed);
    if (seen < backoff->seq)
        syscall(SYS_futex, &control->completed, FUTEX_WAIT, (uint32_t)seen, &time, NULL, 0);
    __atomic_store_n(&control->wake_at, 0, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&channel->sleep_lock);
}

int vgpu_backoff(struct vgpu_channel *channel, struct vgpu_backoff *backoff)
{
    uint64_t now = vgpu_now_ns();

    if (!backoff->began)
        backoff->began = now;
    if (now - backoff->began < YIELD_NS) {
        sched_yield();
        return 0;
    }
    vgpu_drain_print(channel); /* a full print area would hold the kernel that we wait for */
    if (backoff->sleeps++ % NAPS_A_CHECK == NAPS_A_CHECK - 1) {
        int status = check_alive(channel);
        if (status)
            return status;
    }
    backoff->sleep_ns = !backoff->sleep_ns                  ? NAP_MIN_NS
                        : backoff->sleep_ns < NAP_MAX_NS / 2 ? backoff->sleep_ns * 2
                                                             : NAP_MAX_NS;
    nap(channel, backoff);
    return 0;
}

bool vgpu_done(struct vgpu_channel *channel, uint64_t seq)
{
    return load_acquire(&channel->control->completed) >= seq;
}

int vgpu_wait(struct vgpu_channel *channel, uint64_t seq)
{
    struct vgpu_backoff backoff = {.seq = seq};

    for (int i = 0; i < LOOKS && !channel->one_cpu && !vgpu_done(channel, seq); i++)
        __builtin_ia32_pause();
    while (!vgpu_done(channel, seq)) {
        int status = vgpu_channel_status(channel);
        if (!status)
            status = vgpu_backoff(channel, &backoff);
        if (status) {
            vgpu_drain_print(channel);
            return status;
        }
    }
    vgpu_drain_print(channel);
    /* The status of a failed command is stored before 'completed' passes it. */
    return vgpu_channel_status(channel);
}

uint64_t vgpu_last_seq(struct vgpu_channel *channel)
{
    return __atomic_load_n(&channel->seq, __ATOMIC_RELAXED);
}

bool vgpu_idle(struct vgpu_channel *channel)
{
    return vgpu_done(channel, vgpu_last_seq(channel));
}

int vgpu_wait_idle(struct vgpu_channel *channel)
{
    return vgpu_wait(channel, vgpu_last_seq(channel));
}

void vgpu_drain_print(struct vgpu_channel *channel)
{
    struct vgpu_control *control = channel->control;

    if (load_acquire(&control->print_head) == __atomic_load_n(&control->print_tail, __ATOMIC_RELAXED))
        return;
    pthread_mutex_lock(&channel->print_lock);
    uint64_t tail = control->print_tail, head = load_acquire(&control->print_head);
    if (head - tail > VGPU_PRINT_SIZE)
        tail = head - VGPU_PRINT_SIZE; /* the host wrote over what nobody took */
    while (tail < head) {
        size_t at = tail % VGPU_PRINT_SIZE, n = VGPU_PRINT_SIZE - at;
        if (n > head - tail)
            n = head - tail;
        fwrite(channel->print + at, 1, n, stdout);
        tail += n;
    }
    fflush(stdout);
    /* Release: the text was read before its space is given back. */
    __atomic_store_n(&control->print_tail, tail, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&channel->print_lock);
}
