/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* The device's end of hostd's socket, against a fake hostd in a thread: the right answer, every wrong one, and noise. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "device/hostd_link.h"
#include "tap.h"

#define BAR2_SIZE (UINT64_C(1) << 30)

static char dir[] = "/tmp/vgpu-link-XXXXXX";
static char path[64];

/* One connection's script: what the fake hostd answers to ATTACH. */
static struct {
    unsigned char reply[sizeof(struct vgpu_msg) + VGPU_MSG_MAX_PAYLOAD];
    size_t reply_size; /* 0: hang up */
    bool with_fd;
    int listener;
    /* what it saw */
    struct vgpu_msg msg;
    struct vgpu_attach attach;
    uint64_t fd_size;
    int connection;
} fake;

static void *fake_hostd(void *unused)
{
    struct iovec iov[2] = { { &fake.msg, sizeof fake.msg }, { &fake.attach, sizeof fake.attach } };
    char control[64] __attribute__((aligned(8)));
    struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof control };
    struct cmsghdr *cmsg;
    struct stat st;
    int fd;

    fake.connection = accept(fake.listener, NULL, NULL);
    if (recvmsg(fake.connection, &mh, 0) != sizeof fake.msg + sizeof fake.attach)
        return NULL;
    cmsg = CMSG_FIRSTHDR(&mh);
    if (cmsg && cmsg->cmsg_type == SCM_RIGHTS) {
        memcpy(&fd, CMSG_DATA(cmsg), sizeof fd);
        if (fstat(fd, &st) == 0)
            fake.fd_size = (uint64_t)st.st_size;
        close(fd);
    }
    if (!fake.reply_size) {
        close(fake.connection);
        return NULL;
    }
    if (fake.with_fd) {
        struct iovec one = { fake.reply, fake.reply_size };
        struct msghdr out = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(4) };

        cmsg = CMSG_FIRSTHDR(&out);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(4);
        memcpy(CMSG_DATA(cmsg), &fake.connection, 4);
        if (sendmsg(fake.connection, &out, 0) < 0)
            return NULL;
    } else if (send(fake.connection, fake.reply, fake.reply_size, 0) < 0) {
        return NULL;
    }
    return NULL;
}

static void answer(const struct vgpu_msg *msg, const void *payload, size_t size)
{
    memcpy(fake.reply, msg, sizeof *msg);
    memcpy(fake.reply + sizeof *msg, payload, size);
    fake.reply_size = sizeof *msg + size;
}

static char error[256];
static struct vgpu_attached attached;

static int attach(void)
{
    const struct vgpu_attach request = { .protocol = VGPU_PROTOCOL_MAJOR << 16, .profile = "t4" };
    int bar2 = memfd_create("bar2", MFD_CLOEXEC), link;
    pthread_t thread;

    error[0] = 0;
    if (ftruncate(bar2, BAR2_SIZE) < 0)
        abort();
    pthread_create(&thread, NULL, fake_hostd, NULL);
    link = vgpu_link_attach(path, &request, bar2, BAR2_SIZE, &attached, error, sizeof error);
    pthread_join(thread, NULL);
    close(bar2);
    return link;
}

/* The attach that must fail, with a word of its reason. */
static void refused(const char *word, const char *what)
{
    int link = attach();

    ok(link < 0 && strstr(error, word), "%s: %s", what, error);
    if (link >= 0)
        close(link);
    close(fake.connection);
}

static struct vgpu_profile good_profile(void)
{
    return (struct vgpu_profile){ .version = VGPU_PROFILE_VERSION, .size = sizeof(struct vgpu_profile), .profile = "t4",
                                  .name = "Tesla T4" };
}

static void test_attach(void)
{
    const struct vgpu_msg good = {
        .magic = VGPU_MSG_MAGIC, .type = VGPU_MSG_ATTACHED, .payload = sizeof(struct vgpu_profile), .a = 77
    };
    struct vgpu_profile profile = good_profile();
    struct vgpu_msg msg;
    int link;

    answer(&good, &profile, sizeof profile);
    link = attach();
    ok(link >= 0, "attached %s", error);
    is_u64(fake.msg.type, VGPU_MSG_ATTACH, "hostd saw ATTACH");
    is_str(fake.attach.profile, "t4", "with the profile wanted");
    is_u64(fake.fd_size, BAR2_SIZE, "and the memory's descriptor");
    is_u64(attached.api_hash, 77, "the API hash came back");
    is_str(attached.profile.name, "Tesla T4", "and the profile");
    ok(fcntl(link, F_GETFL) & O_NONBLOCK, "the link does not block");
    is_u64(vgpu_link_receive(link, &msg), 0, "no message waits");

    is_u64(vgpu_link_send(link, VGPU_MSG_OPEN, 9, link), 0, "a message goes out");
    ok(recv(fake.connection, &msg, sizeof msg, 0) == sizeof msg && msg.type == VGPU_MSG_OPEN && msg.channel == 9, "and arrives");
    msg = (struct vgpu_msg){ .magic = VGPU_MSG_MAGIC, .type = VGPU_MSG_DEAD, .channel = 9, .status = 999 };
    if (send(fake.connection, &msg, sizeof msg, 0) < 0)
        abort();
    memset(&msg, 0, sizeof msg);
    ok(vgpu_link_receive(link, &msg) == 1 && msg.type == VGPU_MSG_DEAD && msg.status == 999, "one comes in");
    close(fake.connection);
    ok(vgpu_link_receive(link, &msg) == -1, "hostd's end is noticed");
    ok(vgpu_link_send(link, VGPU_MSG_CLOSE, 9, -1) < 0, "and sending to nobody is an error, not a signal");
    close(link);
}

static void test_refusals(void)
{
    struct vgpu_profile profile = good_profile();
    struct vgpu_msg msg = { .magic = VGPU_MSG_MAGIC, .type = VGPU_MSG_ATTACHED, .payload = sizeof profile };
    int fds_before, fds_after;

    fake.reply_size = 0;
    refused("ended", "hostd hangs up");
    answer(&msg, &profile, sizeof profile - 8);
    refused("no message", "a payload shorter than announced");
    msg.magic++;
    answer(&msg, &profile, sizeof profile);
    refused("no message", "a wrong magic");
    msg.magic--;
    msg.type = VGPU_MSG_CLOSED;
    answer(&msg, &profile, sizeof profile);
    refused("message 6", "another message");
    msg.type = VGPU_MSG_ATTACHED;
    msg.status = 2;
    msg.payload = 9;
    answer(&msg, "too\nlarge", 9);
    refused("status 2: too large", "a refusal with a text");
    msg.status = 0;
    answer(&msg, "too\nlarge", 9);
    refused("another version", "a profile of another size");
    msg.payload = sizeof profile;
    profile.version++;
    answer(&msg, &profile, sizeof profile);
    refused("malformed", "a profile of another version");
    profile = good_profile();
    memset(profile.vbios, 'x', sizeof profile.vbios);
    answer(&msg, &profile, sizeof profile);
    refused("malformed", "a string that does not end");

    profile = good_profile();
    answer(&msg, &profile, sizeof profile);
    fake.with_fd = true;
    fds_before = dup(0);
    close(fds_before);
    refused("no message", "a descriptor that nobody asked for");
    fds_after = dup(0);
    close(fds_after);
    is_u64(fds_after, fds_before, "is not kept");
    fake.with_fd = false;
}

static void test_no_hostd(void)
{
    const struct vgpu_attach request = { 0 };
    char longer[300];

    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    ok(vgpu_link_attach("/nonexistent/hostd.sock", &request, -1, 0, &attached, error, sizeof error) < 0 &&
           strstr(error, "/nonexistent/hostd.sock"), "no socket: %s", error);
    ok(vgpu_link_attach(longer, &request, -1, 0, &attached, error, sizeof error) < 0 && strstr(error, "299"),
       "too long a path: %s", error);
}

static void test_noise(void)
{
    unsigned accepted = 0, seed = 1;
    int pair[2];

    for (unsigned round = 0; round < 2000; round++) {
        unsigned char noise[sizeof(struct vgpu_msg) + 64];
        struct vgpu_msg msg;
        size_t size = (size_t)rand_r(&seed) % sizeof noise;

        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (unsigned char)rand_r(&seed);
        if (round % 2) { /* right but for its length */
            uint32_t magic = VGPU_MSG_MAGIC;
            uint16_t payload = (uint16_t)(size + 1);

            memcpy(noise + offsetof(struct vgpu_msg, magic), &magic, sizeof magic);
            memcpy(noise + offsetof(struct vgpu_msg, payload), &payload, sizeof payload);
        }
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) < 0 || send(pair[1], noise, size, 0) < 0)
            abort();
        accepted += vgpu_link_receive(pair[0], &msg) != -1;
        close(pair[0]);
        close(pair[1]);
    }
    is_u64(accepted, 0, "noise is never a message");
}

int main(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/sock", dir);
    strcpy(address.sun_path, path);
    fake.listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (bind(fake.listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(fake.listener, 4) < 0)
        return 1;
    test_attach();
    test_refusals();
    test_no_hostd();
    test_noise();
    unlink(path);
    rmdir(dir);
    return tap_done();
}
