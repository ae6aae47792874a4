/* SPDX-License-Identifier: Apache-2.0 */
/* A root in the guest that does what no driver would: any access to the registers, any bytes in a channel. A witness on another
 * channel must not notice. vgpu-reaper runs, nothing else uses the GPU. TAP. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "tap.h"

enum { ACCESSES = 30000, LIARS = 12, UNKNOWN = 999, FREE_WITHIN_S = 20 };

static uint64_t random_state = 88172645463325252u;

static uint64_t random64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static void *map(const char *name, size_t size, off_t offset)
{
    char path[128];

    snprintf(path, sizeof path, "/sys/bus/pci/devices/0000:00:05.0/%s", name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    if (at == MAP_FAILED) {
        perror(path);
        exit(2);
    }
    return at;
}

/* ---- registers ---- */

/* Values that mean something to some register, and others. */
static uint64_t some_value(void)
{
    switch (random64() % 4) {
    case 0: return random64() % VGPU_CHANNELS;
    case 1: return VGPU_CHANNELS + random64() % 4;
    case 2: return UINT64_C(1) << random64() % 64;
    default: return random64();
    }
}

static void access_once(volatile uint8_t *at, unsigned log_size, bool write, uint64_t value)
{
    switch (log_size) {
    case 0: write ? (void)(*at = (uint8_t)value) : (void)*at; break;
    case 1: write ? (void)(*(volatile uint16_t *)at = (uint16_t)value) : (void)*(volatile uint16_t *)at; break;
    case 2: write ? (void)(*(volatile uint32_t *)at = (uint32_t)value) : (void)*(volatile uint32_t *)at; break;
    default: write ? (void)(*(volatile uint64_t *)at = value) : (void)*(volatile uint64_t *)at; break;
    }
}

/* Only what is any root's right is left out: to close the witness's channel, and all of them. */
static bool spared(uint32_t offset, uint64_t value, uint32_t witness)
{
    uint32_t at = offset & ~3u, low = (uint32_t)value, high = (uint32_t)(value >> 32);

    return (at == VGPU_REG_CHANNEL_CLOSE && low == witness) || (at + 4 == VGPU_REG_CHANNEL_CLOSE && high == witness) ||
           low == VGPU_RESET_MAGIC;
}

static void attack_registers(uint32_t witness)
{
    static const uint32_t favourites[] = {VGPU_REG_ERROR,        VGPU_REG_RESET,         VGPU_REG_CHANNEL_OPEN,
                                          VGPU_REG_CHANNEL_CLOSE, VGPU_REG_CHANNEL_STATE, VGPU_REG_DOORBELL,
                                          VGPU_PROFILE_OFFSET,    VGPU_BAR0_SIZE - 8};
    volatile uint8_t *bar0 = map("resource0", VGPU_BAR0_SIZE, 0);

    for (unsigned i = 0; i < ACCESSES; i++) {
        unsigned log_size = random64() % 8 ? 2 : random64() % 4;
        uint32_t offset = random64() % 2 ? favourites[random64() % 8] : (uint32_t)(random64() % (VGPU_BAR0_SIZE - 8));
        uint64_t value = some_value();

        if (random64() % 8)
            offset &= ~3u;
        if (!spared(offset, value, witness))
            access_once(bar0 + offset, log_size, random64() % 2, value);
    }
    munmap((void *)(uintptr_t)bar0, VGPU_BAR0_SIZE);
}

/* ---- a channel ---- */

/* Opens a channel, then lies on it in the ARGUMENTth way. Says its channel, then what its next calls give. */
static int liar(int way)
{
    device_ptr p;
    int error = cuda_open();

    random_state += (uint64_t)way * 7919;
    if (!error)
        error = cu.cuMemAlloc_v2(&p, 4096);
    say(error);
    int n = hear();
    if (error || n < 0)
        return 1;
    uint8_t *base = map("resource2_wc", VGPU_CHANNEL_SIZE, (off_t)n * VGPU_CHANNEL_SIZE);
    struct vgpu_control *control = (struct vgpu_control *)base;
    nap_ms(20); /* the executor sleeps */
    switch (way % 4) {
    case 0: /* a head that no command can end at */
        control->head += 1 + random64() % 7;
        break;
    case 1: /* far beyond the ring */
        control->head += (1 + random64() % 1000) * VGPU_RING_SIZE;
        break;
    case 2: /* rubbish for a command */
        for (unsigned i = 0; i < 64; i++)
            base[VGPU_RING_OFFSET + (control->head + i) % VGPU_RING_SIZE] = (uint8_t)random64();
        control->head += 64;
        break;
    default: /* rubbish in all that the guest writes */
        for (unsigned i = 0; i < VGPU_RING_SIZE; i++)
            base[VGPU_RING_OFFSET + i] = (uint8_t)random64();
        for (unsigned i = 0; i < offsetof(struct vgpu_control, tail); i++)
            base[i] = (uint8_t)random64();
    }
    ((volatile uint32_t *)map("resource0", VGPU_BAR0_SIZE, 0))[VGPU_REG_DOORBELL / 4 + n] = 1;
    nap_ms(100); /* before our library writes over the lie */
    error = cuda_works(p, 1);
    if (!error)
        error = cuda_works(p, 2);
    say(error);
    return 0;
}

/* Works whenever it is asked to. */
static int witness(int unused)
{
    device_ptr p;
    int error = cuda_open();

    if (!error)
        error = cu.cuMemAlloc_v2(&p, 4096);
    do
        say(error ? error : cuda_works(p, 11));
    while (hear() > 0);
    return 0;
}

static int ask(struct child *c)
{
    child_tell(c, 1);
    return child_hear(c);
}

static bool busy_within(unsigned busy, int limit_s)
{
    for (double end = now_s() + limit_s; channels_busy() != busy; nap_ms(50))
        if (now_s() > end)
            return false;
    return true;
}

int main(void)
{
    cuda_load("libcuda.so.1");
    registers_map();
    signal(SIGPIPE, SIG_IGN);

    struct child watch = child_start(witness, 0);
    is_u64(child_hear(&watch), 0, "a witness uses the GPU");
    int n = channel_of(watch.pid);
    ok(n >= 0, "on channel %d", n);
    attack_registers((uint32_t)n);
    ok(reg(VGPU_REG_MAGIC) == VGPU_MAGIC && reg(VGPU_REG_STATUS) == VGPU_STATUS_HOST, "the registers are what they were");
    is_u64(ask(&watch), 0, "the witness has not noticed");
    ok(busy_within(1, FREE_WITHIN_S), "what was opened without an owner is closed");

    for (int way = 0; way < LIARS; way++) {
        struct child c = child_start(liar, way);
        int opened = child_hear(&c);
        child_tell(&c, channel_of(c.pid));
        int error = child_hear(&c);
        ok(!opened && error == UNKNOWN, "a liar loses its channel: error %d", error);
        is_u64(child_end(&c), 0, "and ends");
        is_u64(ask(&watch), 0, "the witness has not noticed");
    }
    ok(busy_within(1, FREE_WITHIN_S), "their channels are closed");
    child_tell(&watch, 0);
    is_u64(child_end(&watch), 0, "the witness ends");
    ok(busy_within(0, FREE_WITHIN_S), "no channel is open");
    is_u64(reg(VGPU_REG_MEM_GRANTED_MIB), 0, "nothing is granted");
    return tap_done();
}
