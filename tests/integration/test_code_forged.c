/* SPDX-License-Identifier: Apache-2.0 */
/* hostd and executors with a compiler that lies: programs run as if there were none. This test is the compiler too, as which it is
 * linked beside a copy of hostd; FORGED says how it lies. argv: vgpu-run, vgpu-hostd, vgpu-executor; or as the guest: "guest" and
 * what. */
#include <fcntl.h>
#include <glib.h>

#include "code/entry.h"
#include "code_runs.h"
#include "compiler/compiler.h"
#include "executor/socket.h"

#define CODE_BYTES 64

/* ---- The compiler ---- */

static void tell_hostd(uint16_t type, const void *payload, size_t n, int fd)
{
    vg_msg_send(COMPILER_FD_CONTROL, &(struct vgpu_msg){.type = type}, payload, n, &fd, fd >= 0);
}

static void answer(int executor, uint64_t number, uint32_t status, const char *why, int fd)
{
    vg_msg_send(executor, &(struct vgpu_msg){.type = VGPU_MSG_COMPILED, .a = number, .status = status}, why, why ? strlen(why) + 1 : 0, &fd, fd >= 0);
}

/* By write(): the filter that hostd's children inherit knows no send(). */
static void half_a_message(int fd)
{
    if (write(fd, "vgpu", 4) != 4)
        _exit(6);
}

/* An entry whose code is a return, in a file that is as it should be but for what a lie changes. */
static struct code_entry entry_for(const uint8_t *key, const void *code)
{
    struct code_entry e = {.magic = CODE_MAGIC, .status = CODE_READY, .size = CODE_BYTES};

    memcpy(e.key, key, sizeof e.key);
    code_entry_sum(&e, code, e.sum);
    return e;
}

static int file_of(const struct code_entry *e, const void *code, size_t n, bool sealed)
{
    int fd = code_memfd();

    if (fd < 0 || ftruncate(fd, (off_t)(CODE_OFFSET + n)) || pwrite(fd, e, sizeof *e, 0) < 0 || pwrite(fd, code, n, CODE_OFFSET) < 0 || (sealed && !code_memfd_seal(fd)))
        _exit(4);
    return fd;
}

static void lie(int executor, uint64_t number, const uint8_t *key)
{
    static const uint8_t code[CODE_BYTES] = {0xc3};
    const char *how = getenv("FORGED");
    struct code_entry e = entry_for(key, code);
    uint8_t long_text[VGPU_MSG_MAX_PAYLOAD];
    int pipe_ends[2] = {-1, -1};

    if (!strcmp(how, "another key")) {
        e.key[5] ^= 1;
        code_entry_sum(&e, code, e.sum);
        answer(executor, number, 0, NULL, file_of(&e, code, sizeof code, true));
    } else if (!strcmp(how, "not sealed")) {
        answer(executor, number, 0, NULL, file_of(&e, code, sizeof code, false));
    } else if (!strcmp(how, "more code than there is")) {
        e.size = 1 << 20;
        answer(executor, number, 0, NULL, file_of(&e, code, sizeof code, true));
    } else if (!strcmp(how, "a refusal as it should be")) {
        e.status = CODE_REFUSED;
        e.size = 0;
        strcpy(e.why, "an honest reason");
        code_entry_sum(&e, code, e.sum);
        answer(executor, number, 0, NULL, file_of(&e, code, 0, true));
    } else if (!strcmp(how, "a refusal with code")) {
        e.status = CODE_REFUSED;
        answer(executor, number, 0, NULL, file_of(&e, code, sizeof code, true));
    } else if (!strcmp(how, "a pipe") && !pipe(pipe_ends)) {
        answer(executor, number, 0, NULL, pipe_ends[0]);
    } else if (!strcmp(how, "a directory")) {
        answer(executor, number, 0, NULL, open("/", O_RDONLY | O_DIRECTORY));
    } else if (!strcmp(how, "no file")) {
        answer(executor, number, 0, NULL, -1);
    } else if (!strcmp(how, "a number nobody has")) {
        answer(executor, number + 1000, 0, NULL, file_of(&e, code, sizeof code, true));
    } else if (!strcmp(how, "a reason without an end")) {
        memset(long_text, 'x', sizeof long_text);
        vg_msg_send(executor, &(struct vgpu_msg){.type = VGPU_MSG_COMPILED, .a = number, .status = 999}, long_text, sizeof long_text, NULL, 0);
    } else if (!strcmp(how, "a refusal twice")) {
        answer(executor, number, 999, "so", -1);
        answer(executor, number, 999, "so", -1);
    } else if (!strcmp(how, "another message")) {
        vg_msg_send(executor, &(struct vgpu_msg){.type = VGPU_MSG_OPEN, .a = number}, NULL, 0, NULL, 0);
    } else if (!strcmp(how, "half a message")) {
        half_a_message(executor);
    } else if (!strcmp(how, "silence, and goes")) {
        _exit(0);
    } else { /* to hostd, which is to keep it; then a refusal */
        if (!strcmp(how, "hostd: a wrong sum")) {
            e.sum[0] ^= 1;
            tell_hostd(VGPU_MSG_STORE, key, CODE_KEY_SIZE, file_of(&e, code, sizeof code, true));
        } else if (!strcmp(how, "hostd: another key")) {
            e.key[0] ^= 1;
            code_entry_sum(&e, code, e.sum);
            tell_hostd(VGPU_MSG_STORE, key, CODE_KEY_SIZE, file_of(&e, code, sizeof code, true));
        } else if (!strcmp(how, "hostd: not sealed")) {
            tell_hostd(VGPU_MSG_STORE, key, CODE_KEY_SIZE, file_of(&e, code, sizeof code, false));
        } else if (!strcmp(how, "hostd: a pipe") && !pipe(pipe_ends)) {
            tell_hostd(VGPU_MSG_STORE, key, CODE_KEY_SIZE, pipe_ends[0]);
        } else if (!strcmp(how, "hostd: no file")) {
            tell_hostd(VGPU_MSG_STORE, key, CODE_KEY_SIZE, -1);
        } else if (!strcmp(how, "hostd: half a key")) {
            tell_hostd(VGPU_MSG_STORE, key, CODE_KEY_SIZE / 2, file_of(&e, code, sizeof code, true));
        } else if (!strcmp(how, "hostd: a device's message")) {
            tell_hostd(VGPU_MSG_RESET, NULL, 0, -1);
        } else if (!strcmp(how, "hostd: half a message")) {
            half_a_message(COMPILER_FD_CONTROL);
        }
        answer(executor, number, 999, "it is told so", -1);
    }
}

/* A request's first bytes have its key; the rest is waited for. */
static void serve(int executor)
{
    static uint8_t request[1 << 20];
    struct vg_packet p;
    uint64_t have = 0;

    fcntl(executor, F_SETFL, 0); /* it comes ready for one who has others to serve */
    while (vg_msg_receive(executor, &p) == VG_MSG_OK) {
        if (p.msg.type != VGPU_MSG_COMPILE || p.msg.b > sizeof request || have + p.msg.payload > p.msg.b)
            _exit(5);
        memcpy(request + have, p.payload, p.msg.payload);
        have += p.msg.payload;
        if (have == p.msg.b) {
            uint8_t key[CODE_KEY_SIZE];

            have = 0;
            code_request_key(request, (size_t)p.msg.b, key);
            lie(executor, p.msg.a, key);
        }
    }
    close(executor);
}

static int compiler(void)
{
    struct vg_packet p;

    tell_hostd(VGPU_MSG_READY, NULL, 0, -1);
    while (vg_msg_receive(COMPILER_FD_CONTROL, &p) == VG_MSG_OK) {
        if (p.msg.type == VGPU_MSG_PING)
            tell_hostd(VGPU_MSG_PONG, NULL, 0, -1);
        else if (p.msg.type == VGPU_MSG_CONNECT && p.n_fds == 1)
            serve(p.fds[0]);
    }
    return 0;
}

/* ---- */

int main(int argc, char **argv)
{
    static const struct {
        const char *how, *heard; /* what else the log has to say */
    } lies[] = {
        {"a refusal as it should be", "an honest reason"}, {"another key", NULL}, {"not sealed", NULL}, {"more code than there is", NULL}, {"a refusal with code", NULL}, {"a pipe", NULL},
        {"a directory", NULL}, {"no file", NULL}, {"a number nobody has", NULL}, {"a reason without an end", NULL},
        {"a refusal twice", NULL}, {"another message", NULL}, {"half a message", NULL},
        {"silence, and goes", "its compiler ended"}, {"hostd: a wrong sum", "code is not kept"}, {"hostd: another key", "code is not kept"},
        {"hostd: not sealed", "code is not kept"}, {"hostd: a pipe", "code is not kept"}, {"hostd: no file", "its compiler sent nonsense"},
        {"hostd: half a key", "its compiler sent nonsense"}, {"hostd: a device's message", "its compiler sent nonsense"},
        {"hostd: half a message", "its compiler sent nonsense"},
    };

    if (g_str_has_suffix(argv[0], "vgpu-compiler"))
        return compiler();
    if (argc == 3 && !strcmp(argv[1], "guest"))
        return guest(argv[2]);
    if (argc != 4)
        return 2;
    code_runs(argv[0], argv[1]);
    shell("mkdir %s/bin; cp %s %s %s/bin; ln -s $(readlink -f %s) %s/bin/vgpu-compiler", root, argv[2], argv[3], root, argv[0], root);
    for (unsigned i = 0; i < G_N_ELEMENTS(lies); i++) {
        struct seen s;

        setenv("FORGED", lies[i].how, 1);
        start_own_hostd();
        s = run("fills");
        stop_own_hostd();
        if (!ok(!s.status && s.stays == 2 && !s.cached, "a compiler that answers with %s: both kernels are interpreted", lies[i].how))
            diag("%s", last_log);
        if (lies[i].heard && !ok(strstr(last_log, lies[i].heard), "which is noticed: %s", lies[i].heard))
            diag("%s", last_log);
        ok(!system(g_strdup_printf("test -z \"$(ls -A %s/code/local)\"", root)), "nothing of it is kept");
    }
    shell("rm -rf %s", root);
    return tap_done();
}
