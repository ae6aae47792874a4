/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-executor: started by vgpu-hostd for one guest process, with four descriptors at fixed places. It ends when hostd's end
 * of the socket closes, and never outlives hostd. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "blas/blas.h"
#include "executor/pool.h"
#include "executor/privileges.h"
#include "executor/ring.h"
#include "executor/sandbox.h"
#include "executor/socket.h"
#include "executor/start.h"
#include "executor/watchdog.h"

#define DESCRIPTORS 256 /* at most */
#define LOOKS 64      /* a microsecond or two: a guest that launches and waits is back by then */
#define POLL_NS 50000 /* how long the ring is polled after the last command before the doorbell is waited for */

void vgx_give_up(struct vgx *x, const char *why)
{
    struct vgpu_msg failed = { .type = VGPU_MSG_FAILED, .channel = x->channel, .status = CU_UNKNOWN };

    vg_log(VG_LOG_ERROR, "channel given up: %s", why);
    snprintf(x->message, sizeof(x->message), "%s", why);
    vgx_lose_context(x, CU_UNKNOWN, x->seq);
    vg_msg_send(x->control_socket, &failed, why, strlen(why) + 1, NULL, 0);
    _exit(3);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Sleep until the doorbell rings; end when hostd goes away. */
static void wait_doorbell(struct vgx *x)
{
    struct pollfd fds[2] = { { x->doorbell, POLLIN, 0 }, { x->control_socket, POLLIN, 0 } };
    uint64_t count;

    __atomic_store_n(&x->control->idle, 1, __ATOMIC_SEQ_CST);
    /* The guest stores head, then looks at idle; we store idle, then look at head: one of us sees the other. */
    atomic_thread_fence(memory_order_seq_cst);
    if (__atomic_load_n(&x->control->head, __ATOMIC_SEQ_CST) == x->consumed) {
        while (poll(fds, 2, -1) < 0 && errno == EINTR)
            ;
        if (fds[1].revents) /* hostd says nothing unasked: this is its end */
            _exit(0);
        if (fds[0].revents && read(x->doorbell, &count, sizeof(count)) < 0 && errno != EAGAIN)
            _exit(1);
    }
    __atomic_store_n(&x->control->idle, 0, __ATOMIC_RELAXED);
}

static bool pending(const struct vgx *x)
{
    return __atomic_load_n(&x->control->head, __ATOMIC_ACQUIRE) != x->consumed;
}

/* Polls the ring, at first without a pause, then letting others run in between. True when a command came. */
static bool look(const struct vgx *x)
{
    uint64_t start;

    for (int i = 0; i < LOOKS; i++) {
        if (pending(x))
            return true;
        __builtin_ia32_pause();
    }
    for (start = now_ns(); now_ns() - start < POLL_NS; sched_yield())
        if (pending(x))
            return true;
    return false;
}

/* The guest has said that it submits from this CPU: it cannot run while we look at the ring. */
static bool shares_cpu(const struct vgx *x)
{
    return __atomic_load_n(&x->control->guest_cpu, __ATOMIC_RELAXED) == (uint32_t)sched_getcpu() + 1;
}

static void serve(struct vgx *x)
{
    for (;;)
        if (!vgx_ring_step(x) && (shares_cpu(x) || !look(x)))
            wait_doorbell(x);
}

static struct vg_user user; /* whom to become */

static bool start(struct vgx *x, int argc, char **argv)
{
    off_t offset;
    struct stat st;

    if (argc != 4 || !vg_user_parse(argv[3], &user))
        return errno = EINVAL, false;
    x->channel = (unsigned)strtoul(argv[1], NULL, 10);
    x->bar2 = VGX_FD_BAR2;
    x->doorbell = VGX_FD_DOORBELL;
    x->control_socket = VGX_FD_CONTROL;
    offset = (off_t)x->channel * VGPU_CHANNEL_SIZE;
    if (x->channel >= VGPU_CHANNELS || fstat(x->bar2, &st) || st.st_size < (off_t)VGPU_MEMORY_OFFSET)
        return errno = EINVAL, false;
    x->base = mmap(NULL, VGPU_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, x->bar2, offset);
    if (x->base == MAP_FAILED)
        return false;
    x->control = (struct vgpu_control *)(x->base + VGPU_CONTROL_OFFSET);
    return vgx_memory_init(x) && vgx_module_init(x) && (x->pool = vg_pool_new(0)) &&
           vgx_watchdog_start((unsigned)strtoul(argv[2], NULL, 10));
}

int main(int argc, char **argv)
{
    static struct vgx x;
    struct vgpu_msg ready = { .type = VGPU_MSG_READY };
    char who[32];
    bool compiles;

    syscall(SYS_close_range, VGX_FD_END, ~0u, 0);
    snprintf(who, sizeof(who), "executor %s", argc > 1 ? argv[1] : "?");
    vg_log_init(who);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!start(&x, argc, argv)) {
        vg_log(VG_LOG_ERROR, "cannot start: %s", strerror(errno));
        return 2;
    }
    blas_start_threads();
    compiles = vgx_engine_init(x.control_socket, x.channel);
    if (!vg_limit(DESCRIPTORS) || !vg_become(user, SIGKILL) || !vgx_sandbox_enter(compiles)) {
        vg_log(VG_LOG_ERROR, "cannot confine itself: %s", strerror(errno));
        return 2;
    }
    ready.channel = x.channel;
    if (!vg_msg_send(x.control_socket, &ready, NULL, 0, NULL, 0))
        return 2;
    serve(&x);
}
