/* SPDX-License-Identifier: Apache-2.0 */
/* The command ring: encoding, publishing, waiting for space; the staging area's allocator; answers. */
#include "channel/channel.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "channel/hooks.h"

_Static_assert(__atomic_always_lock_free(sizeof(uint64_t), 0), "counters are shared with another process");
_Static_assert(!(VGPU_RING_SIZE & (VGPU_RING_SIZE - 1)), "offsets are taken by masking");

enum { HEADER = sizeof(struct vgpu_ring_cmd) };

/* Bytes from the head to the ring's end. */
static size_t room_to_end(const struct vgpu_channel *channel)
{
    return VGPU_RING_SIZE - (channel->head & (VGPU_RING_SIZE - 1));
}

static int wait_for_space(struct vgpu_channel *channel, size_t need)
{
    struct vgpu_backoff backoff = {0};

    /* What was free is still free: the host's line is looked at only when that is not enough. */
    while (VGPU_RING_SIZE - (channel->head - channel->tail) < need) {
        /* Acquire: the host read the commands before it gave their space back. */
        uint64_t tail = __atomic_load_n(&channel->control->tail, __ATOMIC_ACQUIRE);
        int status = vgpu_channel_status(channel);
        if (!status && tail == channel->tail)
            status = vgpu_backoff(channel, &backoff);
        channel->tail = tail;
        if (status)
            return status;
    }
    return 0;
}

static void publish(struct vgpu_channel *channel, size_t size)
{
    struct vgpu_control *control = channel->control;

    channel->head += size;
    /* The BAR may be mapped write-combining, whose stores pass a plain release store: a full fence drains them. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (channel->device->transport->same_kernel)
        control->guest_cpu = (uint32_t)sched_getcpu() + 1;
    /* Release: the command is there before the head that covers it. */
    __atomic_store_n(&control->head, channel->head, __ATOMIC_RELEASE);
    /* Full: the store of head comes before the load of idle. The host stores idle, fences, and looks at head again. One of
     * the two sees the other. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&control->idle, __ATOMIC_RELAXED))
        channel->device->transport->ring(channel->device);
}

static void put_header(struct vgpu_channel *channel, uint16_t command, size_t size)
{
    struct vgpu_ring_cmd header = {.command = command, .size = (uint32_t)size, .seq = channel->seq + 1};

    memcpy(channel->ring + (channel->head & (VGPU_RING_SIZE - 1)), &header, HEADER);
}

/* With the lock held. */
static int submit_locked(struct vgpu_channel *channel, uint16_t command, const void *fixed, size_t fixed_size,
                         const void *tail, size_t tail_size, uint64_t *seq)
{
    size_t size = HEADER + fixed_size + tail_size, need = (size + 7) & ~(size_t)7;
    int status = vgpu_channel_status(channel);

    if (status)
        return status;
    if (tail_size > VGPU_TAIL_MAX)
        return VGPU_ERROR_INVALID_VALUE;
    /* A filler needs a header, so what is left at the end is nothing or at least a header. */
    if (room_to_end(channel) != need && room_to_end(channel) < need + HEADER) {
        size_t filler = room_to_end(channel);
        status = wait_for_space(channel, filler);
        if (status)
            return status;
        put_header(channel, 0, filler);
        publish(channel, filler);
    }
    status = wait_for_space(channel, need);
    if (status)
        return status;
    put_header(channel, command, size);
    uint8_t *at = channel->ring + (channel->head & (VGPU_RING_SIZE - 1)) + HEADER;
    if (fixed_size)
        memcpy(at, fixed, fixed_size);
    if (tail_size)
        memcpy(at + fixed_size, tail, tail_size);
    memset(at + fixed_size + tail_size, 0, need - size);
    __atomic_store_n(&channel->seq, channel->seq + 1, __ATOMIC_RELAXED);
    if (seq)
        *seq = channel->seq;
    publish(channel, need);
    return 0;
}

int vgpu_submit(struct vgpu_channel *channel, uint16_t command, const void *fixed, size_t fixed_size, const void *tail,
                size_t tail_size, uint64_t *seq)
{
    pthread_mutex_lock(&channel->lock);
    int status = submit_locked(channel, command, fixed, fixed_size, tail, tail_size, seq);
    pthread_mutex_unlock(&channel->lock);
    return status;
}

/* ---- the staging area: a ring of bytes, freed in the order of the commands that read them ---- */

static int free_oldest(struct vgpu_channel *channel)
{
    struct vgpu_staged *oldest = &channel->staged[channel->staged_first];
    int status = vgpu_wait(channel, oldest->seq);

    channel->stage_tail = oldest->end;
    channel->staged_first = (channel->staged_first + 1) % VGPU_STAGED_MAX;
    channel->staged_count--;
    return status;
}

/* SIZE contiguous bytes; *AT gets their offset. With the lock held. */
static int stage(struct vgpu_channel *channel, size_t size, uint64_t *at)
{
    size = (size + 63) & ~(size_t)63;
    uint64_t offset = channel->stage_head % VGPU_STAGING_SIZE;
    uint64_t skip = offset + size > VGPU_STAGING_SIZE ? VGPU_STAGING_SIZE - offset : 0;

    while (channel->staged_count == VGPU_STAGED_MAX ||
           channel->stage_head + skip + size - channel->stage_tail > VGPU_STAGING_SIZE) {
        int status = free_oldest(channel);
        if (status)
            return status;
    }
    channel->stage_head += skip;
    *at = channel->stage_head % VGPU_STAGING_SIZE;
    channel->stage_head += size;
    return 0;
}

int vgpu_submit_staged(struct vgpu_channel *channel, uint16_t command, void *fixed, size_t fixed_size,
                       size_t staging_field, const void *data, size_t size, uint64_t *seq)
{
    uint64_t at, number;

    if (size > VGPU_STAGE_CHUNK)
        return VGPU_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&channel->lock);
    int status = vgpu_channel_status(channel);
    if (!status)
        status = stage(channel, size, &at);
    if (!status) {
        memcpy(channel->staging + at, data, size);
        memcpy((char *)fixed + staging_field, &at, sizeof at);
        status = submit_locked(channel, command, fixed, fixed_size, NULL, 0, &number);
    }
    if (!status) {
        unsigned last = (channel->staged_first + channel->staged_count++) % VGPU_STAGED_MAX;
        channel->staged[last] = (struct vgpu_staged){channel->stage_head, number};
        if (seq)
            *seq = number;
    }
    pthread_mutex_unlock(&channel->lock);
    return status;
}

/* ---- answers ---- */

/* The host's answer is copied once and measured before it is believed. */
static int take_reply(struct vgpu_channel *channel, struct vgpu_call_reply *reply)
{
    struct vgpu_reply header;
    const uint8_t *bytes = channel->reply + sizeof header;

    memcpy(&header, channel->reply, sizeof header);
    if (header.size > VGPU_REPLY_SIZE - sizeof header)
        return vgpu_channel_fail(channel, VGPU_ERROR_UNKNOWN, "the host's answer does not fit its area");
    if (!reply)
        return (int)header.status;
    if (!header.status) {
        if (header.size < reply->fixed_size)
            return vgpu_channel_fail(channel, VGPU_ERROR_UNKNOWN, "the host's answer is too short");
        if (reply->fixed_size)
            memcpy(reply->fixed, bytes, reply->fixed_size);
        bytes += reply->fixed_size;
        header.size -= (uint32_t)reply->fixed_size;
    }
    reply->tail_size = header.size < reply->tail_room ? header.size : reply->tail_room;
    if (reply->tail_size)
        memcpy(reply->tail, bytes, reply->tail_size);
    return (int)header.status;
}

int vgpu_call(struct vgpu_channel *channel, uint16_t command, const void *fixed, size_t fixed_size, const void *tail,
              size_t tail_size, struct vgpu_call_reply *reply)
{
    uint64_t seq;

    if (reply)
        reply->tail_size = 0;
    pthread_mutex_lock(&channel->call_lock);
    int status = vgpu_submit(channel, command, fixed, fixed_size, tail, tail_size, &seq);
    if (!status)
        status = vgpu_wait(channel, seq);
    if (!status)
        status = take_reply(channel, reply);
    pthread_mutex_unlock(&channel->call_lock);
    return status;
}
