/* SPDX-License-Identifier: Apache-2.0 */
/* The ring: commands are taken out one by one, checked, run in order and answered. */
#include "executor/ring.h"

#include <inttypes.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "decode.h"
#include "executor/pool.h"
#include "ring_commands.h"
#include "ring_decode.h"

#define PRINT_NAPS 10000 /* of 100 us, without the guest taking any text */

uint32_t vgx_fail(struct vgx *x, uint32_t status, const char *format, ...)
{
    va_list ap;

    if (!x->message[0]) {
        va_start(ap, format);
        vsnprintf(x->message, sizeof(x->message), format, ap);
        va_end(ap);
        vg_log(VG_LOG_ERROR, "error %u: %s", status, x->message);
    }
    return status;
}

const uint8_t *vgx_staging(struct vgx *x, uint64_t offset, uint64_t n)
{
    if (offset > VGPU_STAGING_SIZE || n > VGPU_STAGING_SIZE - offset)
        return NULL;
    return x->base + VGPU_STAGING_OFFSET + offset;
}

/* A guest that waits for us takes the text meanwhile. One that does not is given some time; then, as with the hardware's FIFO,
 * text that finds no room is lost. A guest that lies about print_tail loses its own. */
void vgx_print(void *executor, const char *text, size_t n)
{
    const struct timespec nap = { 0, 100000 };
    struct vgpu_control *ctl = ((struct vgx *)executor)->control;
    uint8_t *area = ((struct vgx *)executor)->base + VGPU_PRINT_OFFSET;
    uint64_t head = ctl->print_head;

    for (unsigned naps = 0; n && naps < PRINT_NAPS;) {
        uint64_t there = head - __atomic_load_n(&ctl->print_tail, __ATOMIC_ACQUIRE);

        if (there > VGPU_PRINT_SIZE)
            return;
        if (there == VGPU_PRINT_SIZE) {
            naps++;
            nanosleep(&nap, NULL);
            continue;
        }
        for (naps = 0; n && there < VGPU_PRINT_SIZE; there++, n--)
            area[head++ % VGPU_PRINT_SIZE] = (uint8_t)*text++;
        __atomic_store_n(&ctl->print_head, head, __ATOMIC_RELEASE);
    }
}

uint32_t vgx_cmd_hello(void *executor, const struct vgpu_cmd_hello *c, struct vgpu_reply_hello *reply)
{
    struct vgx *x = executor;

    if (c->protocol >> 16 != VGPU_PROTOCOL_MAJOR)
        return CU_NOT_SUPPORTED;
    if (c->api_hash != VGPU_API_HASH)
        vg_log(VG_LOG_WARN, "the guest's libraries (process %u) were built from another API table", c->pid);
    reply->workers = vg_pool_workers(x->pool);
    return CU_OK;
}

uint32_t vgx_cmd_nop(void *executor)
{
    return CU_OK;
}

uint32_t vgx_cmd_sync(void *executor)
{
    return CU_OK;
}

void vgx_lose_context(struct vgx *x, uint32_t status, uint64_t seq)
{
    struct vgpu_control *ctl = x->control;

    if (x->status)
        return;
    x->status = status;
    memcpy(ctl->message, x->message, sizeof(ctl->message));
    ctl->status_seq_lo = (uint32_t)seq;
    ctl->status_seq_hi = (uint32_t)(seq >> 32);
    __atomic_store_n(&ctl->status, status, __ATOMIC_RELEASE);
}

static void answer(struct vgx *x, const struct vgpu_answer *a)
{
    struct vgpu_reply *reply = (struct vgpu_reply *)(x->base + VGPU_REPLY_OFFSET);

    memcpy(reply + 1, a->bytes, a->used);
    *reply = (struct vgpu_reply){ a->status, (uint32_t)a->used };
}

/* The guest stores wake_at, then looks at completed; we stored completed, then look at wake_at: one of us sees the other. A guest
 * that lies about it costs itself the time of a system call. */
static void wake_guest(struct vgx *x, uint64_t seq)
{
    uint64_t wake_at;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    wake_at = __atomic_load_n(&x->control->wake_at, __ATOMIC_RELAXED);
    if (wake_at && wake_at <= seq)
        syscall(SYS_futex, &x->control->completed, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Run the command at 'bytes' (our own copy). */
static void run_command(struct vgx *x, const void *bytes, size_t size)
{
    static uint64_t room[(VGPU_REPLY_SIZE - sizeof(struct vgpu_reply)) / 8];
    struct vgpu_answer a = { .bytes = room, .room = sizeof(room) };
    const struct vgpu_ring_cmd *head = bytes;
    const struct vgpu_ring_info *info = vgpu_ring_info(head->command);
    enum vgpu_decode_result result;

    if (vg_log_enabled(VG_LOG_TRACE)) {
        char line[512];

        vgpu_ring_print(line, sizeof(line), bytes, size);
        vg_log(VG_LOG_TRACE, "%" PRIu64 " %s", head->seq, line);
    }
    if (x->status) { /* lost: nothing is executed any more */
        a.status = x->status;
    } else {
        result = vgpu_decode(bytes, size, x, &a);
        if (result == VGPU_DECODE_UNKNOWN) {
            a.status = vgx_fail(x, CU_NOT_SUPPORTED, "command %u is unknown to this host", head->command);
        } else if (result != VGPU_DECODE_OK) {
            vgx_give_up(x, vgpu_decode_text(result));
        }
    }
    if (info && info->sync)
        answer(x, &a);
    else if (a.status)
        vgx_lose_context(x, a.status, head->seq);
    __atomic_store_n(&x->control->busy, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&x->control->completed, head->seq, __ATOMIC_RELEASE);
    wake_guest(x, head->seq);
}

bool vgx_ring_step(struct vgx *x)
{
    static uint64_t copy[VGPU_RING_SIZE / 8];
    uint64_t head = __atomic_load_n(&x->control->head, __ATOMIC_ACQUIRE);
    uint64_t there = head - x->consumed;
    size_t at = x->consumed % VGPU_RING_SIZE, span;
    struct vgpu_ring_cmd c;

    if (!there)
        return false;
    if (there > VGPU_RING_SIZE || there % 8)
        vgx_give_up(x, "the ring's head is not where a command can end");
    if (sizeof(c) > VGPU_RING_SIZE - at && there >= VGPU_RING_SIZE - at) {
        x->consumed += VGPU_RING_SIZE - at; /* too short for a header: skipped by both sides */
        return true;
    }
    if (there < sizeof(c))
        vgx_give_up(x, "less than a command was published");
    memcpy(&c, x->base + VGPU_RING_OFFSET + at, sizeof(c)); /* read once: the guest can change it under us */
    span = ((size_t)c.size + 7) & ~(size_t)7;
    if (c.size < sizeof(c) || span > there || span > VGPU_RING_SIZE - at)
        vgx_give_up(x, "a command reaches beyond what was published");
    if (c.seq != x->seq + 1)
        vgx_give_up(x, "a command is out of sequence");
    if (c.command) {
        memcpy(copy, &c, sizeof(c));
        memcpy((char *)copy + sizeof(c), x->base + VGPU_RING_OFFSET + at + sizeof(c), c.size - sizeof(c));
    }
    x->consumed += span;
    __atomic_store_n(&x->control->tail, x->consumed, __ATOMIC_RELEASE);
    if (c.command) {
        x->seq = c.seq;
        __atomic_store_n(&x->control->busy, 1, __ATOMIC_RELAXED);
        run_command(x, copy, c.size);
    }
    return true;
}
