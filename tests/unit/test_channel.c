/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side of a channel against a host that is a thread of this program: ring, filler, staging, answers, waiting, death;
 * device memory as it is told to that host; and a host that lies. */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "channel/channel.h"
#include "channel/hooks.h"
#include "channel/mem.h"
#include "tap.h"

const char *const vgpu_log_name = "test";

enum { EXTENTS = 16 };
static const uint64_t bar2_size = VGPU_MEMORY_OFFSET + EXTENTS * (uint64_t)VGPU_EXTENT;

/* What the host saw and how it behaves. */
static struct host {
    uint8_t *bar2;
    struct vgpu_control *control;
    atomic_bool stop, hold, alive;
    atomic_uint rings;
    uint64_t consumed, commands, bytes, bad, last_seq;
    uint32_t refuse;      /* status of grants */
    uint64_t lie_size;    /* size of answers, when not 0 */
    bool granted[EXTENTS];
    uint64_t mapped, written;
    unsigned checksum;
} host;

static bool is_alive(struct vgpu_device *device)
{
    (void)device;
    return host.alive;
}

static void on_ring(struct vgpu_device *device)
{
    (void)device;
    host.rings++;
    host.control->idle = 0;
}

static const struct vgpu_transport transport = {.name = "test", .alive = is_alive, .ring = on_ring};
static struct vgpu_device device = {.transport = &transport, .bar2_size = bar2_size, .where = "a thread", .bar0_fd = -1};

static void answer(uint32_t status, const void *bytes, uint32_t size)
{
    struct vgpu_reply *reply = (struct vgpu_reply *)(host.bar2 + VGPU_REPLY_OFFSET);

    reply->status = status;
    reply->size = host.lie_size ? (uint32_t)host.lie_size : size;
    if (size)
        memcpy(reply + 1, bytes, size);
}

static void on_grant(const struct vgpu_cmd_grant *grant)
{
    uint64_t units = grant->size / VGPU_EXTENT;

    for (uint64_t at = 0; !host.refuse && at + units <= EXTENTS; at++) {
        uint64_t run = 0;
        while (run < units && !host.granted[at + run])
            run++;
        if (run < units)
            continue;
        memset(host.granted + at, 1, units);
        struct vgpu_reply_grant got = {VGPU_MEMORY_OFFSET + at * VGPU_EXTENT, units * VGPU_EXTENT};
        answer(0, &got, sizeof got);
        return;
    }
    answer(2, NULL, 0);
}

static void run(const struct vgpu_ring_cmd *header, const void *fixed)
{
    const struct vgpu_cmd_ungrant *range = fixed;
    const struct vgpu_cmd_write_staged *staged = fixed;

    switch (header->command) {
    case VGPU_CMD_SYNC:
        answer(0, NULL, 0);
        break;
    case VGPU_CMD_HELLO:
        answer(0, &(struct vgpu_reply_hello){.workers = 1}, sizeof(struct vgpu_reply_hello));
        break;
    case VGPU_CMD_MODULE_LOAD:
        answer(218, "wrong", 6);
        break;
    case VGPU_CMD_GRANT:
        on_grant(fixed);
        break;
    case VGPU_CMD_UNGRANT:
        memset(host.granted + (range->offset - VGPU_MEMORY_OFFSET) / VGPU_EXTENT, 0, range->size / VGPU_EXTENT);
        break;
    case VGPU_CMD_MEM_MAP:
        host.mapped += ((const struct vgpu_cmd_mem_map *)fixed)->size;
        break;
    case VGPU_CMD_MEM_UNMAP:
        host.mapped -= ((const struct vgpu_cmd_mem_unmap *)fixed)->size;
        break;
    case VGPU_CMD_WRITE: {
        const uint8_t *bytes = (const uint8_t *)fixed + sizeof(struct vgpu_cmd_write);
        for (size_t i = 0; i < header->size - sizeof *header - sizeof(struct vgpu_cmd_write); i++)
            host.checksum = host.checksum * 31 + bytes[i];
        break;
    }
    case VGPU_CMD_WRITE_STAGED:
        for (size_t i = 0; i < staged->size; i++)
            host.checksum = host.checksum * 31 + host.bar2[VGPU_STAGING_OFFSET + staged->staging + i];
        break;
    default:
        break;
    }
}

/* Reads the ring as the protocol says a host does. */
static void *host_main(void *unused)
{
    struct vgpu_control *control = host.control;
    unsigned quiet = 0;

    (void)unused;
    while (!host.stop) {
        uint64_t head = __atomic_load_n(&control->head, __ATOMIC_ACQUIRE);
        if (host.hold || head == host.consumed) {
            if (quiet++ > 50) {
                __atomic_store_n(&control->idle, 1, __ATOMIC_RELAXED);
                __atomic_thread_fence(__ATOMIC_SEQ_CST);
                if (__atomic_load_n(&control->head, __ATOMIC_ACQUIRE) == host.consumed || host.hold)
                    nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
            }
            continue;
        }
        quiet = 0;
        uint64_t at = host.consumed % VGPU_RING_SIZE, left = VGPU_RING_SIZE - at;
        if (left < sizeof(struct vgpu_ring_cmd)) {
            host.consumed += left;
            continue;
        }
        const struct vgpu_ring_cmd *header = (const struct vgpu_ring_cmd *)(host.bar2 + VGPU_RING_OFFSET + at);
        uint64_t size = (header->size + 7) & ~7u;
        if (header->size < sizeof *header || size > left || size > head - host.consumed || header->flags ||
            header->seq != host.last_seq + 1) {
            host.bad++;
            host.consumed = head;
            continue;
        }
        if (header->command) {
            host.commands++;
            host.last_seq = header->seq;
            run(header, header + 1);
        } else if (size != left) {
            host.bad++;
        }
        host.consumed += size;
        __atomic_store_n(&control->tail, host.consumed, __ATOMIC_RELEASE);
        if (header->command)
            __atomic_store_n(&control->completed, header->seq, __ATOMIC_RELEASE);
    }
    return NULL;
}

static pthread_t thread;
static struct vgpu_channel channel;

static void begin(void)
{
    memset(host.bar2, 0, VGPU_CHANNEL_SIZE);
    uint8_t *bar2 = host.bar2;
    memset(&host, 0, sizeof host);
    host.bar2 = bar2;
    host.control = (struct vgpu_control *)bar2;
    host.alive = true;
    vgpu_channel_init(&channel, &device, bar2);
    pthread_create(&thread, NULL, host_main, NULL);
}

static void end(void)
{
    host.stop = true;
    pthread_join(thread, NULL);
}

static void test_ring(void)
{
    uint8_t bytes[VGPU_TAIL_MAX];
    unsigned want = 0, seed = 3;
    uint64_t seq = 0, before = 0;
    int failed = 0, order = 0;

    begin();
    for (int i = 0; i < 5000; i++) {
        seed = seed * 1664525 + 1013904223;
        size_t n = i % 50 ? (seed >> 16) % 300 : (seed >> 8) % VGPU_TAIL_MAX;
        struct vgpu_cmd_write command = {.stream = 1};
        for (size_t k = 0; k < n; k++)
            want = want * 31 + (bytes[k] = (uint8_t)(seed >> (k % 24)));
        failed += vgpu_submit(&channel, VGPU_CMD_WRITE, &command, sizeof command, bytes, n, &seq) != 0;
        order += seq != before + 1;
        before = seq;
    }
    is_u64(vgpu_wait_idle(&channel), 0, "5000 commands of all lengths");
    is_u64(failed, 0, "were submitted");
    is_u64(order, 0, "with numbers in order");
    is_u64(host.bad, 0, "read without a fault");
    is_u64(host.commands, 5000, "each once");
    is_u64(host.checksum, want, "their bytes arrived");
    is_u64(vgpu_submit(&channel, VGPU_CMD_WRITE, bytes, 16, bytes, sizeof bytes + 8, &seq), VGPU_ERROR_INVALID_VALUE,
           "a tail that is too long is refused");
    end();
}

static void test_staging(void)
{
    static uint8_t bytes[VGPU_STAGE_CHUNK];
    unsigned want = 0, seed = 9;
    int failed = 0;

    begin();
    for (int i = 0; i < 300; i++) {
        seed = seed * 1664525 + 1013904223;
        size_t n = (seed >> 4) % (VGPU_STAGE_CHUNK + 1);
        n = i % 3 ? n : n % 1000;
        struct vgpu_cmd_write_staged command = {.stream = 1, .size = n};
        for (size_t k = 0; k < n; k++)
            want = want * 31 + (bytes[k] = (uint8_t)(seed + k * 13));
        failed += vgpu_submit_staged(&channel, VGPU_CMD_WRITE_STAGED, &command, sizeof command,
                                     offsetof(struct vgpu_cmd_write_staged, staging), bytes, n, NULL) != 0;
        memset(bytes, 0xee, n);
    }
    is_u64(vgpu_wait_idle(&channel), 0, "300 staged commands");
    is_u64(failed, 0, "were submitted");
    is_u64(host.checksum, want, "no byte was overwritten before it was read");
    end();
}

static void test_calls(void)
{
    char text[16] = "";
    struct vgpu_cmd_module_load load = {0};
    struct vgpu_reply_module_load loaded;
    struct vgpu_call_reply reply = {.fixed = &loaded, .fixed_size = sizeof loaded, .tail = text, .tail_room = sizeof text};

    begin();
    is_u64(vgpu_call(&channel, VGPU_CMD_SYNC, NULL, 0, NULL, 0, NULL), 0, "a call");
    is_u64(vgpu_call(&channel, VGPU_CMD_MODULE_LOAD, &load, sizeof load, NULL, 0, &reply), 218, "one that fails");
    is_str(text, "wrong", "says why");
    is_u64(vgpu_channel_status(&channel), 0, "the channel goes on");
    host.lie_size = VGPU_REPLY_SIZE;
    is_u64(vgpu_call(&channel, VGPU_CMD_SYNC, NULL, 0, NULL, 0, NULL), 999, "an answer that is too long");
    is_u64(vgpu_call(&channel, VGPU_CMD_SYNC, NULL, 0, NULL, 0, NULL), 999, "ends the channel");
    end();
    begin();
    struct vgpu_reply_hello answer_;
    reply = (struct vgpu_call_reply){.fixed = &answer_, .fixed_size = sizeof answer_};
    host.lie_size = 4;
    is_u64(vgpu_call(&channel, VGPU_CMD_HELLO, &(struct vgpu_cmd_hello){0}, 16, NULL, 0, &reply), 999,
           "an answer that is too short");
    end();
}

static void test_errors(void)
{
    uint64_t seq;

    begin();
    is_u64(vgpu_submit(&channel, VGPU_CMD_NOP, NULL, 0, NULL, 0, &seq), 0, "a command");
    vgpu_wait(&channel, seq);
    snprintf(host.control->message, sizeof host.control->message, "kernel k, line 7");
    __atomic_store_n(&host.control->status, 700, __ATOMIC_RELEASE);
    is_u64(vgpu_wait(&channel, seq), 700, "the host's error");
    is_u64(vgpu_submit(&channel, VGPU_CMD_NOP, NULL, 0, NULL, 0, &seq), 700, "is sticky");
    host.control->status = 0;
    is_u64(vgpu_submit(&channel, VGPU_CMD_NOP, NULL, 0, NULL, 0, &seq), 700, "whatever the host says then");
    end();

    begin();
    host.hold = true;
    is_u64(vgpu_submit(&channel, VGPU_CMD_NOP, NULL, 0, NULL, 0, &seq), 0, "a command that is never done");
    ok(!vgpu_done(&channel, seq) && !vgpu_idle(&channel), "is under way");
    host.alive = false;
    is_u64(vgpu_wait(&channel, seq), 999, "the host's death ends the wait");
    end();

    begin();
    host.hold = true;
    uint8_t bytes[4000] = {0};
    int status = 0;
    struct vgpu_cmd_write command = {0};
    for (int i = 0; i < 100 && !status; i++) {
        if (i == 10)
            host.alive = false;
        status = vgpu_submit(&channel, VGPU_CMD_WRITE, &command, sizeof command, bytes, sizeof bytes, NULL);
    }
    is_u64(status, 999, "or the wait for space in the ring");
    end();
}

static void test_doorbell(void)
{
    begin();
    for (int i = 0; i < 20; i++) {
        while (!__atomic_load_n(&host.control->idle, __ATOMIC_ACQUIRE))
            ;
        vgpu_call(&channel, VGPU_CMD_SYNC, NULL, 0, NULL, 0, NULL);
    }
    ok(host.rings >= 1, "a sleeping host is woken");
    end();
}

static void *wait_for_last(void *unused)
{
    (void)unused;
    return (void *)(intptr_t)vgpu_wait_idle(&channel);
}

/* A guest on the host's own kernel sleeps on the counter; the host wakes it, or the time runs out. */
static void test_wake(void)
{
    struct vgpu_transport near = transport;
    uint64_t seq, wake_at = 0;

    near.same_kernel = true;
    begin();
    device.transport = &near;
    host.hold = true;
    vgpu_submit(&channel, VGPU_CMD_NOP, NULL, 0, NULL, 0, &seq);
    is_u64(host.control->guest_cpu > 0, 1, "the guest says which CPU it is on");
    pthread_t waiter;
    pthread_create(&waiter, NULL, wait_for_last, NULL);
    while (!(wake_at = __atomic_load_n(&host.control->wake_at, __ATOMIC_ACQUIRE)))
        ;
    is_u64(wake_at, seq, "and which command it sleeps for");
    host.hold = false;
    while (!vgpu_done(&channel, seq))
        ;
    syscall(SYS_futex, &host.control->completed, FUTEX_WAKE, 1, NULL, NULL, 0);
    void *status;
    pthread_join(waiter, &status);
    ok(!status, "it wakes when that is done");
    is_u64(host.control->wake_at, 0, "and asks no more");
    device.transport = &transport;
    end();
}

static void test_print(void)
{
    begin();
    memcpy(host.bar2 + VGPU_PRINT_OFFSET, "# printed by a kernel\n", 22);
    __atomic_store_n(&host.control->print_head, 22, __ATOMIC_RELEASE);
    vgpu_wait_idle(&channel);
    is_u64(host.control->print_tail, 22, "what kernels print is taken");
    __atomic_store_n(&host.control->print_head, UINT64_C(1) << 40, __ATOMIC_RELEASE);
    memset(host.bar2 + VGPU_PRINT_OFFSET, ' ', VGPU_PRINT_SIZE);
    host.bar2[VGPU_PRINT_OFFSET] = '#';
    host.bar2[VGPU_PRINT_OFFSET + VGPU_PRINT_SIZE - 1] = '\n';
    vgpu_drain_print(&channel);
    is_u64(host.control->print_tail, UINT64_C(1) << 40, "a counter that jumps harms nothing");
    end();
}

/* ---- memory ---- */

static void test_memory(void)
{
    struct vgpu_memory memory;
    struct vgpu_allocation allocation;
    uint64_t p[200], big, va;
    uint32_t word = 5, got = 0;
    int failed = 0;

    begin();
    is_u64(vgpu_memory_init(&memory, &channel), 0, "memory");
    for (int i = 0; i < 200; i++)
        failed += vgpu_memory_alloc(&memory, (uint64_t)i * i + 1, VGPU_RANGE_DEVICE, 0, NULL, &p[i]) != 0;
    is_u64(failed, 0, "200 small allocations");
    is_u64(host.mapped % VGPU_GRANULE, 0, "are mapped in granules");
    ok(vgpu_memory_find(&memory, p[100] + 50, &allocation), "found");
    ok(allocation.va == p[100] && allocation.bytes == 100 * 100 + 1, "as allocated");
    ok(!vgpu_memory_find(&memory, p[100] + 100 * 100 + 1, &allocation), "not behind its end");
    is_u64(vgpu_wait_idle(&channel), 0, "idle");
    is_u64(vgpu_memory_copy(&memory, p[7] + 4, &word, 4, VGPU_TO_DEVICE), 0, "the CPU writes");
    is_u64(vgpu_memory_copy(&memory, p[7] + 4, &got, 4, VGPU_FROM_DEVICE), 0, "and reads");
    is_u64(got, 5, "the same");
    is_u64(vgpu_memory_copy(&memory, VGPU_HEAP_BASE - 4096, &got, 4, VGPU_FROM_DEVICE), 1, "not where nothing is");
    for (int i = 0; i < 200; i++)
        failed += vgpu_memory_free(&memory, p[i], 1u << VGPU_RANGE_DEVICE) != 0;
    is_u64(failed, 0, "freed");
    is_u64(vgpu_memory_free(&memory, p[0], 1u << VGPU_RANGE_DEVICE), 1, "once");
    is_u64(vgpu_wait_idle(&channel), 0, "idle");
    is_u64(host.mapped, 0, "nothing is mapped");

    is_u64(vgpu_memory_alloc(&memory, 16 * (uint64_t)VGPU_EXTENT, VGPU_RANGE_DEVICE, 0, NULL, &big), 0, "all memory");
    is_u64(vgpu_memory_alloc(&memory, 1, VGPU_RANGE_DEVICE, 0, NULL, &va), 2, "then none");
    is_u64(vgpu_memory_free(&memory, big, 1u << VGPU_RANGE_DEVICE), 0, "freed");
    /* Every second extent taken: a large allocation is made of pieces. */
    uint64_t half[8];
    for (int i = 0; i < 8; i++)
        host.granted[2 * i] = true;
    vgpu_wait_idle(&channel);
    is_u64(vgpu_memory_alloc(&memory, 5 * (uint64_t)VGPU_EXTENT, VGPU_RANGE_DEVICE, 0, NULL, &big), 0, "from pieces");
    is_u64(vgpu_memory_free(&memory, big, 1u << VGPU_RANGE_DEVICE), 0, "freed");
    for (int i = 0; i < 7; i++)
        failed += vgpu_memory_alloc(&memory, VGPU_EXTENT, VGPU_RANGE_DEVICE, 0, (void *)&half, &half[i]) != 0;
    is_u64(failed, 0, "allocations with an owner");
    vgpu_memory_free_owner(&memory, &half);
    ok(!vgpu_memory_find(&memory, half[3], &allocation), "go with it");

    is_u64(vgpu_memory_reserve(&memory, VGPU_GIB, 0, 0, &va), 0, "a reservation");
    ok(va >= VGPU_RESERVE_BASE && va % VGPU_GRANULE == 0, "lies above the heap");
    is_u64(vgpu_memory_reserve(&memory, 8 * VGPU_TIB, 0, 0, &big), 2, "one that is too large");
    is_u64(vgpu_memory_unreserve(&memory, va, VGPU_GRANULE), 1, "a part cannot be freed");
    is_u64(vgpu_memory_unreserve(&memory, va, VGPU_GIB), 0, "the whole can");

    is_u64(vgpu_memory_alloc(&memory, 100, VGPU_RANGE_HOST, 0, NULL, &va), 0, "pinned memory");
    *(volatile uint32_t *)(uintptr_t)va = 77;
    is_u64(vgpu_memory_copy(&memory, va, &got, 4, VGPU_FROM_DEVICE), 0, "is device memory");
    is_u64(got, 77, "at the same address");
    is_u64(host.bad, 0, "the host never saw nonsense");
    vgpu_memory_destroy(&memory);
    end();
}

int main(void)
{
    device.bar2_fd = memfd_create("bar2", MFD_CLOEXEC);
    if (ftruncate(device.bar2_fd, (off_t)bar2_size))
        return 2;
    host.bar2 = mmap(NULL, VGPU_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, device.bar2_fd, 0);
    test_ring();
    test_staging();
    test_calls();
    test_errors();
    test_doorbell();
    test_wake();
    test_print();
    test_memory();
    return tap_done();
}
