/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of vgpu-hostd that stand still: silent, in the middle of a message, without reading what they asked for, and more of them
 * than hostd has descriptors for. Others are served meanwhile. argv: vgpu-hostd. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw_client.h"
#include "tap.h"

enum { SILENT = 100, QUESTIONS = 20000, CROWD = 4500, PATIENCE_S = 240 };

static char path[108];

static bool works(struct raw *r)
{
    return raw_wait(r, raw_send(r, VGPU_CMD_SYNC, NULL, 0, NULL, 0)) && !raw_reply(r, NULL, 0);
}

/* A new client gets a channel that works. */
static bool served(void)
{
    struct raw r;
    bool good = raw_open(&r, path) && works(&r);

    if (good)
        raw_close(&r);
    return good;
}

/* What comes until the end of the connection; false when it goes on. */
static bool ends(int fd)
{
    struct vg_packet p;
    enum vg_msg_result got;

    while ((got = vg_msg_receive(fd, &p)) == VG_MSG_OK)
        vg_packet_close_fds(&p);
    return got == VG_MSG_CLOSED;
}

static void silent(void)
{
    int fds[SILENT];

    for (int i = 0; i < SILENT; i++)
        fds[i] = raw_connect(path);
    ok(served(), "%d clients that never speak", SILENT);
    for (int i = 0; i < SILENT; i++)
        close(fds[i]);
}

static void halves(void)
{
    struct vgpu_msg m = {.magic = VGPU_MSG_MAGIC, .type = VGPU_MSG_LOCAL_OPEN, .payload = 100};
    static const size_t lengths[] = {1, 4, sizeof m - 1, sizeof m};

    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        int fd = raw_connect(path);

        ok(send(fd, &m, lengths[i], MSG_NOSIGNAL) == (ssize_t)lengths[i] && served(), "%zu bytes of a message of %zu", lengths[i], sizeof m + m.payload);
        ok(ends(fd), "its connection ends");
        close(fd);
    }
}

/* Asks until the connection is full or gone, and reads nothing. */
static void ask(int fd, const struct vgpu_msg *m)
{
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (int i = 0, patience = 1000; i < QUESTIONS && patience; i++)
        if (!vg_msg_send(fd, m, NULL, 0, NULL, 0)) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                break;
            usleep(1000); /* hostd reads on */
            patience--;
        }
    fcntl(fd, F_SETFL, 0);
}

static void never_reads(void)
{
    struct vgpu_msg info = {.type = VGPU_MSG_LOCAL_INFO}, open = {.type = VGPU_MSG_LOCAL_OPEN}, finish = {.type = VGPU_MSG_CLOSE, .channel = 5};
    struct vg_packet p = {0};
    struct vgpu_attach attach = {.protocol = VGPU_PROTOCOL_MAJOR << 16 | VGPU_PROTOCOL_MINOR};
    int asks = raw_connect(path), opens = raw_connect(path), device = raw_connect(path), memory = memfd_create("bar2", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    ask(asks, &info);
    ok(served(), "a client that asks and asks and reads no answer");
    ok(ends(asks), "its connection ends");
    ok(vg_msg_send(opens, &open, NULL, 0, NULL, 0) && served(), "a client that does not want to know which channel it has");
    ok(!ftruncate(memory, 1 << 30) && !fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) && vg_msg_send(device, &(struct vgpu_msg){.type = VGPU_MSG_ATTACH}, &attach, sizeof attach, &memory, 1) &&
       vg_msg_receive(device, &p) == VG_MSG_OK && p.msg.type == VGPU_MSG_ATTACHED && !p.msg.status, "a device attaches");
    ask(device, &finish);
    ok(served(), "and does not read what becomes of its channels");
    ok(ends(device), "its connection ends");
    close(asks);
    close(opens);
    close(device);
    close(memory);
}

#ifndef __SANITIZE_ADDRESS__ /* such a hostd sets itself no limit */
/* As many as there can be; 0: none, for lack of rights. */
static int crowd(int fds[CROWD])
{
    struct rlimit limit = {CROWD + 100, CROWD + 100};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = 0;

    strcpy(address.sun_path, path);
    if (setrlimit(RLIMIT_NOFILE, &limit))
        return 0;
    for (int refused = 0; n < CROWD && refused < 3000;) {
        fds[n] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fds[n] >= 0 && !connect(fds[n], (struct sockaddr *)&address, sizeof address)) {
            n++;
            refused = 0;
            continue;
        }
        if (fds[n] >= 0)
            close(fds[n]);
        refused++;
        usleep(1000); /* the queue of those who wait is full */
    }
    return n;
}

static void too_many(void)
{
    static int fds[CROWD];
    struct raw r;
    bool before = raw_open(&r, path) && works(&r);
    int n = crowd(fds);

    if (!n) {
        skip(3, "this user may not have so many descriptors");
        return;
    }
    ok(before && n > 3000 && n < CROWD, "%d clients, and no more are taken", n);
    ok(works(&r), "one with a channel works on");
    for (int i = 0; i < n; i++)
        close(fds[i]);
    ok(served(), "when they have gone, another is served");
    raw_close(&r);
}

#endif

int main(int argc, char **argv)
{
    pid_t hostd;

    if (argc != 2)
        return 2;
    alarm(PATIENCE_S);
    setenv("VGPU_LOG", "error", 1);
    hostd = raw_begin(argv[1], path);
    silent();
    halves();
    never_reads();
#ifndef __SANITIZE_ADDRESS__
    too_many();
#endif
    ok(raw_end(hostd, path), "hostd ends when asked, and removes its socket");
    return tap_done();
}
