/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile guest process may put into its ring: the executor's ring reader, decoder and handlers, in this process, with
 * hostd played by two functions.
 *
 * Input: records of {u8 command, u8 how, u16 size} and 'size' bytes: the command's struct and tail. how: HOW_* bits that spoil
 * what a good guest would do. Command 0xff writes its bytes into the staging area instead, at the offset that its first four
 * bytes name. The staging area begins with a small PTX module. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "executor/pool.h"
#include "executor/ring.h"
#include "executor/socket.h"
#include "executor/watchdog.h"
#include "fuzz.h"
#include "interp/window.h"
#include "ring_commands.h"
#include "ring_decode.h"

#define UNITS 4 /* extents that hostd has */
#define STAGE 0xff

enum { HOW_SIZE = 1, HOW_SEQ = 2, HOW_RAW = 4, HOW_HEAD = 8, HOW_FLAGS = 16 };

static struct vgx x;
static bool granted[UNITS];
static sigjmp_buf over;

static const char module[] =
    ".version 8.0\n.target sm_80\n.address_size 64\n.global .align 8 .u64 g[8];\n.extern .shared .align 16 .b8 s[];\n"
    ".extern .func (.param .b64 r) malloc(.param .b64 n);\n"
    ".visible .entry k(.param .u64 p, .param .u32 n) { .reg .b64 %a; .reg .b32 %r; ld.param.u64 %a, [p]; ld.param.u32 %r, [n];\n"
    "st.global.u32 [%a], %r; atom.global.add.u32 %r, [%a+4], 1; st.shared.u32 [s], %r; ret; }\n"
    ".visible .entry empty() { ret; }\n";

/* ---- hostd ---- */

static struct vgpu_msg reply;

bool vg_msg_send(int socket, const struct vgpu_msg *m, const void *payload, size_t n, const int *fds, int n_fds)
{
    uint64_t units = (m->a + VGPU_EXTENT - 1) / VGPU_EXTENT, first = 0;

    reply = (struct vgpu_msg){.type = VGPU_MSG_RETURNED};
    if (m->type == VGPU_MSG_RETURN)
        for (uint64_t i = 0; i < m->b / VGPU_EXTENT; i++)
            granted[(m->a - VGPU_MEMORY_OFFSET) / VGPU_EXTENT + i] = false;
    if (m->type != VGPU_MSG_GRANT)
        return true;
    reply = (struct vgpu_msg){.type = VGPU_MSG_GRANTED, .status = 2};
    for (uint64_t i = 0; i < UNITS && reply.status; i++) {
        first = granted[i] ? i + 1 : first;
        if (i + 1 - first < units)
            continue;
        memset(granted + first, true, units);
        reply = (struct vgpu_msg){.type = VGPU_MSG_GRANTED, .a = VGPU_MEMORY_OFFSET + first * VGPU_EXTENT, .b = units * VGPU_EXTENT};
    }
    return true;
}

enum vg_msg_result vg_msg_receive(int socket, struct vg_packet *p)
{
    p->msg = reply;
    p->n_fds = 0;
    return VG_MSG_OK;
}

void vg_packet_close_fds(struct vg_packet *p)
{
}

void vgx_give_up(struct vgx *executor, const char *why)
{
    siglongjmp(over, 1);
}

/* ---- A channel's life ---- */

static void set_up(void)
{
    x.bar2 = memfd_create("bar2", 0);
    if (x.bar2 < 0 || ftruncate(x.bar2, (off_t)(VGPU_MEMORY_OFFSET + UNITS * VGPU_EXTENT)))
        abort();
    x.base = mmap(NULL, VGPU_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, x.bar2, 0);
    x.control = (struct vgpu_control *)(x.base + VGPU_CONTROL_OFFSET);
    if (x.base == MAP_FAILED || !vgx_memory_init(&x) || !vgx_module_init(&x) || !(x.pool = vg_pool_new(1)) ||
        !vgx_watchdog_start(30))
        abort();
}

static void forget_everything(void)
{
    GList *modules = g_hash_table_get_keys(x.modules);

    for (GList *m = modules; m; m = m->next)
        vgx_cmd_module_unload(&x, &(struct vgpu_cmd_module_unload){.module = *(uint64_t *)m->data});
    g_list_free(modules);
    g_hash_table_remove_all(x.images);
    for (guint i = 0; i < x.mappings->len; i++) {
        struct vgx_mapping *m = &g_array_index(x.mappings, struct vgx_mapping, i);

        window_unmap(m->va, m->size);
    }
    g_array_set_size(x.mappings, 0);
    g_array_set_size(x.extents, 0);
    memset(granted, 0, sizeof granted);
    memset(x.control, 0, sizeof *x.control);
    x.status = 0;
    x.message[0] = 0;
    x.consumed = x.seq = 0;
    x.function_next = VGPU_FUNCTION_BASE + VGPU_WINDOW_GUARD;
}

/* ---- The guest ---- */

static uint64_t head, seq;

static void publish(const void *bytes, size_t n)
{
    size_t at = head % VGPU_RING_SIZE;

    if (n > VGPU_RING_SIZE - at) {
        struct vgpu_ring_cmd filler = {.size = (uint32_t)(VGPU_RING_SIZE - at), .seq = seq + 1};

        if (VGPU_RING_SIZE - at >= sizeof filler)
            memcpy(x.base + VGPU_RING_OFFSET + at, &filler, sizeof filler);
        head += VGPU_RING_SIZE - at;
        at = 0;
    }
    memcpy(x.base + VGPU_RING_OFFSET + at, bytes, n);
    head += (n + 7) & ~(size_t)7;
    x.control->head = head;
}

static void send(unsigned command, unsigned how, const uint8_t *bytes, size_t n)
{
    static uint8_t room[VGPU_RING_SIZE / 2];
    struct vgpu_ring_cmd c = {.command = (uint16_t)command, .size = (uint32_t)(sizeof c + n), .seq = seq + 1};

    if (n > sizeof room - sizeof c)
        n = sizeof room - sizeof c;
    c.size = (uint32_t)(sizeof c + n);
    if (how & HOW_SIZE && n >= 4)
        memcpy(&c.size, bytes, 4);
    if (how & HOW_SEQ)
        c.seq += n;
    if (how & HOW_FLAGS)
        c.flags = (uint16_t)n;
    memcpy(room, &c, sizeof c);
    memcpy(room + sizeof c, bytes, n);
    if (how & HOW_RAW)
        publish(bytes, n);
    else
        publish(room, sizeof c + n);
    if (how & HOW_HEAD && n >= 8)
        memcpy(&x.control->head, bytes, 8);
    seq++;
    while (vgx_ring_step(&x))
        ;
}

static void stage(const uint8_t *bytes, size_t n)
{
    uint32_t at;

    if (n < sizeof at)
        return;
    memcpy(&at, bytes, sizeof at);
    at %= VGPU_STAGING_SIZE;
    n -= sizeof at;
    memcpy(x.base + VGPU_STAGING_OFFSET + at, bytes + sizeof at, n < VGPU_STAGING_SIZE - at ? n : VGPU_STAGING_SIZE - at);
}

static void play(const uint8_t *data, size_t n)
{
    while (n >= 4) {
        uint16_t size;

        memcpy(&size, data + 2, 2);
        size = size > n - 4 ? (uint16_t)(n - 4) : size;
        if (data[0] == STAGE)
            stage(data + 4, size);
        else
            send(data[0], data[1], data + 4, size);
        data += 4 + size;
        n -= 4 + size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!x.base)
        set_up();
    memcpy(x.base + VGPU_STAGING_OFFSET, module, sizeof module);
    head = seq = 0;
    if (!sigsetjmp(over, 0))
        play(data, n);
    forget_everything();
    return 0;
}
