/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a channel. */
#include "channel/channel.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "channel/hooks.h"

static void read_comm(char *comm, size_t room)
{
    int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, comm, room - 1);

    if (fd >= 0)
        close(fd);
    comm[n > 0 ? n : 0] = 0;
    comm[strcspn(comm, "\n")] = 0;
}

void vgpu_channel_init(struct vgpu_channel *channel, struct vgpu_device *device, void *memory)
{
    uint8_t *base = memory;
    cpu_set_t cpus;

    memset(channel, 0, sizeof *channel);
    pthread_mutex_init(&channel->lock, NULL);
    pthread_mutex_init(&channel->call_lock, NULL);
    pthread_mutex_init(&channel->print_lock, NULL);
    pthread_mutex_init(&channel->sleep_lock, NULL);
    channel->device = device;
    channel->control = (struct vgpu_control *)(base + VGPU_CONTROL_OFFSET);
    channel->ring = base + VGPU_RING_OFFSET;
    channel->reply = base + VGPU_REPLY_OFFSET;
    channel->print = base + VGPU_PRINT_OFFSET;
    channel->staging = base + VGPU_STAGING_OFFSET;
    channel->one_cpu = !sched_getaffinity(0, sizeof cpus, &cpus) && CPU_COUNT(&cpus) == 1;
    channel->control->guest_pid = (uint32_t)getpid();
    channel->control->guest_version = VGPU_PROTOCOL_MAJOR << 16 | VGPU_PROTOCOL_MINOR;
    read_comm(channel->control->guest_comm, sizeof channel->control->guest_comm);
}

static int hello(struct vgpu_channel *channel)
{
    struct vgpu_cmd_hello command = {
        .protocol = VGPU_PROTOCOL_MAJOR << 16 | VGPU_PROTOCOL_MINOR,
        .pid = (uint32_t)getpid(),
        .api_hash = VGPU_API_HASH,
    };
    struct vgpu_reply_hello answer;
    struct vgpu_call_reply reply = {.fixed = &answer, .fixed_size = sizeof answer};

    return vgpu_call(channel, VGPU_CMD_HELLO, &command, sizeof command, NULL, 0, &reply);
}

int vgpu_channel_open(struct vgpu_channel *channel, struct vgpu_device *device)
{
    int status = device->transport->open(device);

    if (status)
        return status;
    off_t offset = (off_t)device->channel * VGPU_CHANNEL_SIZE;
    void *memory = mmap(NULL, VGPU_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, device->bar2_fd, offset);
    if (memory == MAP_FAILED) {
        vgpu_log(VGPU_LOG_ERROR, "%s: mapping channel %u: %m", device->where, device->channel);
        device->transport->close(device);
        return VGPU_ERROR_UNKNOWN;
    }
    madvise(memory, VGPU_CHANNEL_SIZE, MADV_DONTFORK);
    vgpu_channel_init(channel, device, memory);
    status = hello(channel);
    if (status) {
        vgpu_log(VGPU_LOG_ERROR, "%s: the executor refused this process: error %d", device->where, status);
        vgpu_channel_close(channel);
    }
    return status;
}

void vgpu_channel_leave(struct vgpu_channel *channel)
{
    channel->control->guest_comm[0] = 0; /* in order: hostd does not warn of work that is still queued */
    channel->device->transport->close(channel->device);
}

void vgpu_channel_close(struct vgpu_channel *channel)
{
    if (!channel->status)
        vgpu_drain_print(channel);
    vgpu_channel_leave(channel);
    munmap(channel->control, VGPU_CHANNEL_SIZE);
    channel->control = NULL;
}
