/* SPDX-License-Identifier: Apache-2.0 */
#include "raw_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#define PATIENCE 30000 /* milliseconds until something that must happen counts as not happening */

int raw_connect(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        close(fd);
        return -1;
    }
    return fd;
}

pid_t raw_start_hostd(const char *hostd, const char *path, const char *const *extra)
{
    const char *argv[16] = { hostd, "--socket", path };
    pid_t pid;

    for (int i = 3; extra && *extra && i < 15; i++)
        argv[i] = *extra++;
    pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execv(hostd, (char **)argv);
        _exit(127);
    }
    for (int i = 0; i < PATIENCE / 10 && pid > 0 && !waitpid(pid, NULL, WNOHANG); i++) {
        int fd = raw_connect(path);

        if (fd >= 0) {
            close(fd);
            return pid;
        }
        usleep(10000);
    }
    /* No number that is none: who is to be signalled must be a process of ours. */
    printf("Bail out! %s does not start\n", hostd);
    exit(1);
}

pid_t raw_begin(const char *hostd, char path[108])
{
    char dir[] = "/tmp/vgpu-test-XXXXXX";

    if (!mkdtemp(dir)) {
        printf("Bail out! no folder for a socket\n");
        exit(1);
    }
    snprintf(path, 108, "%s/s", dir);
    return raw_start_hostd(hostd, path, NULL);
}

bool raw_end(pid_t hostd, const char *path)
{
    char *dir = strndup(path, strlen(path) - strlen("/s"));
    bool good = !kill(hostd, SIGTERM) && waitpid(hostd, NULL, 0) == hostd && access(path, F_OK);
    pid_t rm = fork();

    if (!rm) {
        execlp("rm", "rm", "-rf", dir, NULL);
        _exit(127);
    }
    waitpid(rm, NULL, 0);
    free(dir);
    return good;
}

bool raw_open(struct raw *r, const char *path)
{
    struct vgpu_msg m = { .type = VGPU_MSG_LOCAL_OPEN };
    struct vg_packet p;

    memset(r, 0, sizeof(*r));
    r->socket = raw_connect(path);
    if (r->socket < 0 || !vg_msg_send(r->socket, &m, NULL, 0, NULL, 0) || vg_msg_receive(r->socket, &p) != VG_MSG_OK)
        return false;
    r->status = p.msg.status;
    if (p.msg.status || p.n_fds != 3)
        return false;
    r->channel = p.msg.channel;
    r->bar0_fd = p.fds[0];
    r->bar2_fd = p.fds[1];
    r->doorbell = p.fds[2];
    r->bar0 = mmap(NULL, VGPU_BAR0_SIZE, PROT_READ, MAP_SHARED, r->bar0_fd, 0);
    r->base = mmap(NULL, VGPU_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, r->bar2_fd, (off_t)r->channel * VGPU_CHANNEL_SIZE);
    r->control = (struct vgpu_control *)(r->base + VGPU_CONTROL_OFFSET);
    return r->bar0 != MAP_FAILED && r->base != MAP_FAILED;
}

void raw_close(struct raw *r)
{
    munmap((void *)r->bar0, VGPU_BAR0_SIZE);
    munmap(r->base, VGPU_CHANNEL_SIZE);
    close(r->bar0_fd);
    close(r->bar2_fd);
    close(r->doorbell);
    close(r->socket);
}

static void ring(struct raw *r)
{
    uint64_t one = 1;

    if (write(r->doorbell, &one, sizeof(one)) < 0)
        return;
}

void raw_publish(struct raw *r, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r->base[VGPU_RING_OFFSET + (r->head + i) % VGPU_RING_SIZE] = ((const uint8_t *)bytes)[i];
    r->head += n;
    __atomic_store_n(&r->control->head, r->head, __ATOMIC_SEQ_CST);
    ring(r);
}

uint64_t raw_send(struct raw *r, uint16_t command, const void *fixed, size_t n, const void *tail, size_t n_tail)
{
    static uint64_t bytes[VGPU_RING_SIZE / 8];
    size_t span = (sizeof(struct vgpu_ring_cmd) + n + n_tail + 7) & ~(size_t)7, at = r->head % VGPU_RING_SIZE;
    struct vgpu_ring_cmd c = { .seq = r->seq + 1 };

    if (span > VGPU_RING_SIZE - at) {
        c.size = (uint32_t)(VGPU_RING_SIZE - at);
        if (c.size < sizeof(c))
            r->head += c.size;
        else
            raw_publish(r, memcpy(bytes, &c, sizeof(c)), c.size);
    }
    c.command = command;
    c.size = (uint32_t)(sizeof(c) + n + n_tail);
    memcpy(bytes, &c, sizeof(c));
    memcpy((char *)bytes + sizeof(c), fixed, n);
    if (n_tail)
        memcpy((char *)bytes + sizeof(c) + n, tail, n_tail);
    raw_publish(r, bytes, span);
    return ++r->seq;
}

uint32_t raw_call(struct raw *r, uint16_t command, const void *fixed, size_t n, const void *tail, size_t n_tail, void *reply,
                  size_t n_reply)
{
    return raw_wait(r, raw_send(r, command, fixed, n, tail, n_tail)) ? raw_reply(r, reply, n_reply) : 0xdead;
}

uint32_t raw_sync(struct raw *r)
{
    return raw_call(r, VGPU_CMD_SYNC, NULL, 0, NULL, 0, NULL, 0);
}

uint32_t raw_state(const struct raw *r)
{
    return r->bar0[(VGPU_REG_CHANNEL_STATE + 4 * r->channel) / 4];
}

bool raw_wait(struct raw *r, uint64_t seq)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (__atomic_load_n(&r->control->completed, __ATOMIC_ACQUIRE) >= seq)
            return true;
        if (raw_state(r) == VGPU_CHANNEL_DEAD)
            return false;
        usleep(1000);
    }
    return false;
}

bool raw_wait_register(const struct raw *r, uint32_t reg, uint32_t value)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (r->bar0[reg / 4] == value)
            return true;
        usleep(1000);
    }
    return false;
}

uint32_t raw_reply(struct raw *r, void *reply, size_t n)
{
    const struct vgpu_reply *head = (const struct vgpu_reply *)(r->base + VGPU_REPLY_OFFSET);

    if (reply && !head->status)
        memcpy(reply, head + 1, n < head->size ? n : head->size);
    return head->status;
}
