/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the device in sysfs and claiming a channel of it, on a folder that looks like sysfs and a thread that acts as the
 * device. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "channel/channel.h"
#include "channel/hooks.h"
#include "tap.h"

const char *const vgpu_log_name = "test";

enum { CHANNELS = 4, QUIET = -1 };
static char sysfs[] = "/tmp/vgpu-sysfs-XXXXXX";
static volatile uint32_t *bar0;
static uint8_t *bar2;
static atomic_bool stop;
static atomic_bool broken; /* channels die when they are opened */

static void put(const char *function, const char *name, const char *text)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", sysfs, function);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%s/%s", sysfs, function, name);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file))
        exit(2);
}

static void set(uint32_t offset, uint32_t value)
{
    bar0[offset / 4] = value;
}

/* A BAR of FUNCTION: a file of SIZE bytes, mapped. */
static void *make_bar(const char *function, const char *name, size_t size)
{
    char path[PATH_MAX];

    put(function, name, "");
    snprintf(path, sizeof path, "%s/%s/%s", sysfs, function, name);
    int fd = open(path, O_RDWR);
    if (fd < 0 || ftruncate(fd, (off_t)size))
        exit(2);
    void *bar = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return bar;
}

/* A function whose BARs are files. */
static void make_device(const char *function, const char *class)
{
    put(function, "vendor", "0x10de\n");
    put(function, "class", class);
    bar0 = make_bar(function, "resource0", VGPU_BAR0_SIZE);
    bar2 = make_bar(function, "resource2_wc", CHANNELS * VGPU_CHANNEL_SIZE);
    struct vgpu_profile profile = {.version = VGPU_PROFILE_VERSION, .size = sizeof profile, .name = "A GPU"};
    memcpy((char *)bar0 + VGPU_PROFILE_OFFSET, &profile, sizeof profile);
    set(VGPU_REG_MAGIC, VGPU_MAGIC);
    set(VGPU_REG_PROTOCOL, VGPU_PROTOCOL_MAJOR << 16 | 99);
    set(VGPU_REG_STATUS, VGPU_STATUS_HOST);
    set(VGPU_REG_CHANNELS, CHANNELS);
    set(VGPU_REG_CHANNEL_SIZE, VGPU_CHANNEL_SIZE);
    set(VGPU_REG_PROFILE_OFFSET, VGPU_PROFILE_OFFSET);
    set(VGPU_REG_PROFILE_SIZE, sizeof profile);
    set(VGPU_REG_CHANNEL_OPEN, (uint32_t)QUIET);
    set(VGPU_REG_CHANNEL_CLOSE, (uint32_t)QUIET);
}

static void *device_main(void *unused)
{
    (void)unused;
    while (!stop) {
        uint32_t n = bar0[VGPU_REG_CHANNEL_CLOSE / 4];
        if (n < CHANNELS) {
            set(VGPU_REG_CHANNEL_CLOSE, (uint32_t)QUIET);
            set(VGPU_REG_CHANNEL_STATE + 4 * n, VGPU_CHANNEL_FREE);
        }
        n = bar0[VGPU_REG_CHANNEL_OPEN / 4];
        if (n < CHANNELS) {
            set(VGPU_REG_CHANNEL_OPEN, (uint32_t)QUIET);
            set(VGPU_REG_CHANNEL_STATE + 4 * n, broken ? VGPU_CHANNEL_DEAD : VGPU_CHANNEL_OPEN);
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
    return NULL;
}

static int find(struct vgpu_device *device, bool *nothing)
{
    *device = (struct vgpu_device){.bar0_fd = -1, .bar2_fd = -1, .socket = -1, .doorbell = -1};
    return vgpu_pci_find(device, sysfs, nothing);
}

static void test_find(void)
{
    struct vgpu_device device;
    bool nothing;

    is_u64(find(&device, &nothing), VGPU_ERROR_NO_DEVICE, "an empty machine");
    ok(nothing, "has nothing");
    put("0000:00:01.0", "vendor", "0x8086\n");
    put("0000:00:01.0", "class", "0x030200\n");
    put("0000:00:02.0", "vendor", "0x10de\n");
    put("0000:00:02.0", "class", "0x020000\n");
    put("0000:00:03.0", "vendor", "nonsense");
    find(&device, &nothing);
    ok(nothing, "other devices are nothing");
    make_device("0000:00:05.0", "0x030200\n");
    is_u64(find(&device, &nothing), 0, "the device");
    is_str(device.profile.name, "A GPU", "its profile");
    is_str(device.transport->name, "pci", "over PCI");

    static const struct {
        uint32_t offset, value;
        int status;
        const char *what;
    } cases[] = {
        {VGPU_REG_MAGIC, 0x12345678, VGPU_ERROR_NO_DEVICE, "another device's BAR0"},
        {VGPU_REG_MAGIC, 0xffffffff, VGPU_ERROR_NO_DEVICE, "a disabled BAR"},
        {VGPU_REG_PROTOCOL, (VGPU_PROTOCOL_MAJOR + 1) << 16, VGPU_ERROR_DRIVER_MISMATCH, "another major version"},
        {VGPU_REG_STATUS, 0, VGPU_ERROR_UNKNOWN, "no hostd"},
        {VGPU_REG_STATUS, VGPU_STATUS_HOST | VGPU_STATUS_LOST, VGPU_ERROR_UNKNOWN, "a lost hostd"},
        {VGPU_REG_CHANNEL_SIZE, 4096, VGPU_ERROR_DRIVER_MISMATCH, "channels of another size"},
        {VGPU_REG_PROFILE_OFFSET, 0xfffc, VGPU_ERROR_DRIVER_MISMATCH, "a profile beyond the end"},
        {VGPU_REG_PROFILE_OFFSET, 0xffffff00, VGPU_ERROR_DRIVER_MISMATCH, "far beyond it"},
        {VGPU_REG_PROFILE_SIZE, 16, VGPU_ERROR_DRIVER_MISMATCH, "a profile that is too short"},
        {VGPU_PROFILE_OFFSET, 77, VGPU_ERROR_DRIVER_MISMATCH, "a profile of another version"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t before = bar0[cases[i].offset / 4];
        set(cases[i].offset, cases[i].value);
        is_u64(find(&device, &nothing), cases[i].status, "%s", cases[i].what);
        ok(!nothing, "is not nothing");
        set(cases[i].offset, before);
    }
    /* In configuration space: vendor and device, then the command register. */
    put("0000:00:05.0", "config", "\xde\x10\x31\x23\x05\x04");
    is_u64(find(&device, &nothing), VGPU_ERROR_NO_DEVICE, "memory decoding is off");
    ok(!nothing, "is not nothing");
    put("0000:00:05.0", "config", "\xde\x10\x31\x23\x02\x04");
    is_u64(find(&device, &nothing), 0, "memory decoding is on");
}

/* A process that opens a channel, says which, and waits to be killed. */
static pid_t other_process(uint32_t *channel)
{
    int fds[2];
    bool nothing;

    if (pipe(fds))
        exit(2);
    pid_t child = fork();
    if (!child) {
        struct vgpu_device device;
        if (find(&device, &nothing) || device.transport->open(&device))
            _exit(1);
        if (write(fds[1], &device.channel, sizeof device.channel) < 0)
            _exit(1);
        pause();
        _exit(0);
    }
    close(fds[1]);
    if (read(fds[0], channel, sizeof *channel) != sizeof *channel)
        *channel = 77;
    close(fds[0]);
    return child;
}

static void test_channels(void)
{
    struct vgpu_device device;
    uint32_t first, second;
    bool nothing;

    is_u64(find(&device, &nothing), 0, "the device");
    pid_t a = other_process(&first), b = other_process(&second);
    is_u64(first, 0, "a process gets channel 0");
    is_u64(second, 1, "another gets channel 1");
    is_u64(device.transport->open(&device), 0, "a third");
    is_u64(device.channel, 2, "channel 2");
    ok(device.transport->alive(&device), "it lives");
    device.transport->close(&device);
    is_u64(bar0[(VGPU_REG_CHANNEL_STATE + 8) / 4], VGPU_CHANNEL_FREE, "closing frees it");
    kill(a, SIGKILL);
    waitpid(a, NULL, 0);
    is_u64(bar0[VGPU_REG_CHANNEL_STATE / 4], VGPU_CHANNEL_OPEN, "a killed process leaves its channel open");
    is_u64(device.transport->open(&device), 0, "the next one");
    is_u64(device.channel, 0, "sweeps it and takes it");
    set(VGPU_REG_CHANNEL_STATE, VGPU_CHANNEL_DEAD);
    ok(!device.transport->alive(&device), "a dead channel is noticed");
    device.transport->close(&device);
    set(VGPU_REG_CHANNEL_STATE + 12, VGPU_CHANNEL_OPEN);
    is_u64(device.transport->open(&device), 0, "opening");
    is_u64(bar0[(VGPU_REG_CHANNEL_STATE + 12) / 4], VGPU_CHANNEL_FREE, "sweeps all that nobody owns");
    is_u64(bar0[(VGPU_REG_CHANNEL_STATE + 4) / 4], VGPU_CHANNEL_OPEN, "and nothing that somebody does");
    device.transport->close(&device);
    struct vgpu_control *control = (struct vgpu_control *)(bar2 + 3 * VGPU_CHANNEL_SIZE);
    control->guest_pid = (uint32_t)getpid();
    set(VGPU_REG_CHANNEL_STATE + 12, VGPU_CHANNEL_OPEN);
    is_u64(vgpu_pci_sweep(&device), 0, "a sweep");
    is_u64(bar0[(VGPU_REG_CHANNEL_STATE + 12) / 4], VGPU_CHANNEL_OPEN,
           "spares what another copy of this library opened in this process");
    control->guest_pid = 0;
    is_u64(vgpu_pci_sweep(&device), 1, "but nothing of nobody's");
    broken = true;
    is_u64(device.transport->open(&device), VGPU_ERROR_UNKNOWN, "an executor that does not start");
    broken = false;
    is_u64(device.transport->open(&device), 0, "is no reason not to try again");
    device.transport->close(&device);
    kill(b, SIGKILL);
    waitpid(b, NULL, 0);
}

int main(void)
{
    pthread_t thread;
    char command[128];

    if (!mkdtemp(sysfs))
        return 2;
    test_find();
    pthread_create(&thread, NULL, device_main, NULL);
    test_channels();
    stop = true;
    pthread_join(thread, NULL);
    snprintf(command, sizeof command, "rm -r %s", sysfs);
    return system(command) || tap_done();
}
