/* SPDX-License-Identifier: Apache-2.0 */
/* How guest processes end, or do not, and what becomes of their channels; seen from a process that has none itself.
 *
 *   pci-deaths swept|reaped   kill -9 in mid-launch: the next opener sweeps; or, with nobody coming, vgpu-reaper does
 *   pci-deaths fork           a child has no CUDA, and does not harm its parent
 *   pci-deaths lock           what else a process does leaves its lock alone
 *   pci-deaths stopped N      stopped for N seconds in mid-launch
 *   pci-deaths copies PATH    a second copy of the driver library, PATH, in one process
 *   pci-deaths storm N        for N seconds, processes are killed wherever they are
 *   pci-deaths exhausted      all channels taken
 *
 * Nothing else may use the GPU meanwhile. TAP. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "tap.h"

static int seconds; /* the argument, or */
static const char *copy_path;

enum { NOT_INITIALIZED = 3, OUT_OF_MEMORY = 2, BIG = 256 << 20, REAPED_WITHIN_S = 10 };

/* ---- processes under test ---- */

/* Says its error, then free MiB; runs a kernel. */
static int visitor(int unused)
{
    size_t free_bytes = 0, total;
    device_ptr p;
    int error = cuda_open();

    if (!error)
        error = cu.cuMemGetInfo_v2(&free_bytes, &total);
    if (!error)
        error = cu.cuMemAlloc_v2(&p, 4096);
    if (!error)
        error = cuda_works(p, 7);
    say(error);
    say((int)(free_bytes >> 20));
    return 0;
}

static int visit(int *free_mib)
{
    struct child c = child_start(visitor, 0);
    int error = child_hear(&c);

    *free_mib = child_hear(&c);
    child_end(&c);
    return error;
}

/* Waits for the end of a kernel that has none. */
static int spinner(int unused)
{
    device_ptr p, big;
    int error = cuda_open();

    if (!error)
        error = cu.cuMemAlloc_v2(&big, BIG);
    if (!error)
        error = cu.cuMemAlloc_v2(&p, 4096);
    if (!error)
        error = cuda_launch("spin", 64, p, 0);
    say(error);
    return error ? 1 : cu.cuCtxSynchronize();
}

static bool all_free_within(int limit_s)
{
    for (double end = now_s() + limit_s; channels_busy(); nap_ms(20))
        if (now_s() > end)
            return false;
    return true;
}

/* A process in mid-launch with BIG bytes is killed. Returns how much was granted while it lived. */
static uint32_t kill_in_mid_launch(void)
{
    struct child c = child_start(spinner, 0);
    int started = child_hear(&c);

    is_u64(started, 0, "an endless kernel is launched");
    nap_ms(300);
    int n = channel_of(c.pid);
    ok(n >= 0 && channel_state((uint32_t)n) == VGPU_CHANNEL_OPEN, "the process holds channel %d", n);
    uint32_t granted = reg(VGPU_REG_MEM_GRANTED_MIB);
    int status = child_kill(&c);
    ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it is killed in mid-launch");
    ok(n < 0 || !lock_owner((uint32_t)n), "its lock went with it");
    return granted;
}

static void test_swept(void)
{
    int before, after;

    is_u64(visit(&before), 0, "the GPU works");
    ok(all_free_within(0), "no channel is open");
    uint32_t granted = kill_in_mid_launch();
    ok(granted >= BIG >> 20, "%u MiB are granted to it", granted);
    nap_ms(1500);
    is_u64(channels_busy(), 1, "nobody has swept its channel");
    is_u64(visit(&after), 0, "the next process can work");
    is_u64(after, before, "and finds as much free memory as the first");
    ok(all_free_within(0), "no channel is open");
    is_u64(reg(VGPU_REG_MEM_GRANTED_MIB), 0, "and nothing granted");
}

static void test_reaped(void)
{
    kill_in_mid_launch();
    ok(all_free_within(REAPED_WITHIN_S), "nobody comes, and its channel is closed");
    is_u64(reg(VGPU_REG_MEM_GRANTED_MIB), 0, "its memory is returned");
}

/* ---- fork ---- */

/* NVML only looks at the device, in a child too: this is its struct nvmlMemory. */
static void *nvml_device;
static int (*nvml_memory)(void *device, unsigned long long memory[3]);

static bool nvml_begin(void)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    int (*init)(void) = library ? (int (*)(void))dlsym(library, "nvmlInit_v2") : NULL;
    int (*device)(unsigned, void **) = library ? (int (*)(unsigned, void **))dlsym(library, "nvmlDeviceGetHandleByIndex_v2") : NULL;

    nvml_memory = library ? (int (*)(void *, unsigned long long *))dlsym(library, "nvmlDeviceGetMemoryInfo") : NULL;
    return init && device && nvml_memory && !init() && !device(0, &nvml_device);
}

static int grandchild(device_ptr p)
{
    unsigned long long memory[3];
    size_t a, b;

    return nvml_memory(nvml_device, memory)                       ? 6
           : cu.cuInit(0) != NOT_INITIALIZED                      ? 1
           : cu.cuCtxSynchronize() != NOT_INITIALIZED             ? 2
           : cu.cuMemGetInfo_v2(&a, &b) != NOT_INITIALIZED        ? 3
           : cuda_launch("fill", 256, p, 1) != NOT_INITIALIZED    ? 4
           : cu.cuMemcpyHtoD_v2(p, &a, sizeof a) != NOT_INITIALIZED ? 5
                                                                    : 0;
}

static int forker(int unused)
{
    device_ptr p;
    int status = -1, error = cuda_open();

    if (!error)
        error = cu.cuMemAlloc_v2(&p, 4096);
    if (!error)
        error = cuda_works(p, 100);
    if (!error && !nvml_begin())
        error = -1;
    say(error);
    /* One leaves through exit and its destructors, one at once. */
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (!pid) {
            status = grandchild(p);
            if (i)
                _exit(status);
            exit(status);
        }
        waitpid(pid, &status, 0);
        say(status);
    }
    hear();
    say(cuda_works(p, 200));
    hear();
    return 0;
}

static void test_fork(void)
{
    struct child c = child_start(forker, 0);

    is_u64(child_hear(&c), 0, "a process uses the GPU, and NVML");
    is_u64(child_hear(&c), 0, "its child gets CUDA_ERROR_NOT_INITIALIZED from every call, but may go on asking NVML; it exits");
    is_u64(child_hear(&c), 0, "so may another, which _exits");
    ok(channel_of(c.pid) >= 0, "the parent still holds its channel");
    nap_ms(2500);
    child_tell(&c, 0);
    is_u64(child_hear(&c), 0, "and still works after the reaper's rounds");
    child_tell(&c, 0);
    is_u64(child_end(&c), 0, "it ends");
    ok(all_free_within(0), "and has closed its channel itself");
}

/* ---- the lock ---- */

/* Another of our libraries finds the device in the same process, and lets go of it. */
static int nvml_in_passing(void)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    int (*init)(void) = library ? (int (*)(void))dlsym(library, "nvmlInit_v2") : NULL;
    int (*end)(void) = library ? (int (*)(void))dlsym(library, "nvmlShutdown") : NULL;
    int error = !init || !end ? -1 : init();

    if (!error)
        error = end();
    return error || dlclose(library);
}

static int keeper(int unused)
{
    device_ptr p;
    void *context;
    int error = cuda_open();

    if (!error)
        error = cu.cuMemAlloc_v2(&p, 4096);
    say(error);
    for (int i = 0; i < 2; i++) {
        say(nvml_in_passing());
        hear();
    }
    /* Closes the channel; the next use opens one. */
    error = cu.cuDevicePrimaryCtxReset_v2(0);
    say(error);
    hear();
    error = cu.cuDevicePrimaryCtxRetain(&context, 0);
    if (!error)
        error = cuda_open();
    if (!error)
        error = cu.cuMemAlloc_v2(&p, 4096);
    say(error ? error : cuda_works(p, 3));
    hear();
    say(cuda_works(p, 4));
    hear();
    return 0;
}

static void test_lock(void)
{
    struct child c = child_start(keeper, 0);

    is_u64(child_hear(&c), 0, "a process uses the GPU");
    for (int i = 0; i < 2; i++) {
        is_u64(child_hear(&c), 0, "it starts and ends NVML");
        ok(channel_of(c.pid) >= 0, "and still holds its channel");
        child_tell(&c, 0);
    }
    is_u64(child_hear(&c), 0, "it resets its context");
    ok(channel_of(c.pid) < 0 && all_free_within(0), "and holds no channel");
    child_tell(&c, 0);
    is_u64(child_hear(&c), 0, "it comes back");
    ok(channel_of(c.pid) >= 0, "and holds one again");
    nap_ms(2500);
    child_tell(&c, 0);
    is_u64(child_hear(&c), 0, "which the reaper leaves alone");
    child_tell(&c, 0);
    is_u64(child_end(&c), 0, "it ends");
}

/* ---- stopped ---- */

enum { SLOW_STEPS = 2000000 };

static int sleeper(int unused)
{
    device_ptr p, data;
    uint32_t words[256], count = 0;
    int error = cuda_open();

    if (!error)
        error = cu.cuMemAlloc_v2(&p, 4096);
    if (!error)
        error = cu.cuMemAlloc_v2(&data, 4096);
    if (!error)
        error = cuda_works(data, 500);
    if (!error)
        error = cuda_launch("slow", 1, p, SLOW_STEPS);
    say(error);
    error = cu.cuCtxSynchronize(); /* it is stopped in here */
    say(error);
    if (!error)
        error = cu.cuMemcpyDtoH_v2(&count, p, sizeof count);
    say(error ? error : count != SLOW_STEPS);
    if (!error)
        error = cu.cuMemcpyDtoH_v2(words, data, sizeof words);
    say(error ? error : words[0] != 500 || words[255] != 755);
    say(error ? error : cuda_works(data, 600));
    return 0;
}

static void test_stopped(void)
{
    struct child c = child_start(sleeper, 0);
    int free_mib;

    is_u64(child_hear(&c), 0, "a process launches a slow kernel");
    int n = channel_of(c.pid);
    kill(c.pid, SIGSTOP);
    nap_ms((unsigned)seconds * 1000);
    ok(n >= 0 && channel_state((uint32_t)n) == VGPU_CHANNEL_OPEN && lock_owner((uint32_t)n) == c.pid,
       "stopped for %d s, it still holds channel %d", seconds, n);
    is_u64(visit(&free_mib), 0, "others work meanwhile");
    kill(c.pid, SIGCONT);
    is_u64(child_hear(&c), 0, "it wakes, and its kernel is done");
    is_u64(child_hear(&c), 0, "and has counted to its end");
    is_u64(child_hear(&c), 0, "what it had on the GPU is still there");
    is_u64(child_hear(&c), 0, "and it works on");
    is_u64(child_end(&c), 0, "it ends");
    ok(all_free_within(0), "and has closed its channel itself");
}

/* ---- no channel left ---- */

static int holder(int unused)
{
    say(cuda_open());
    hear();
    return 0;
}

static void test_exhausted(void)
{
    struct child holders[VGPU_CHANNELS];
    unsigned open = 0, killed = 0;
    int free_mib;

    for (unsigned i = 0; i < VGPU_CHANNELS; i++) {
        holders[i] = child_start(holder, 0);
        open += !child_hear(&holders[i]);
    }
    is_u64(open, VGPU_CHANNELS, "as many processes as there are channels use the GPU");
    is_u64(channels_busy(), VGPU_CHANNELS, "no channel is left");
    is_u64(visit(&free_mib), OUT_OF_MEMORY, "one more gets CUDA_ERROR_OUT_OF_MEMORY");
    child_tell(&holders[5], 0);
    is_u64(child_end(&holders[5]), 0, "one ends");
    is_u64(visit(&free_mib), 0, "and another can come");
    for (unsigned i = 0; i < VGPU_CHANNELS; i++)
        if (i != 5)
            killed += child_kill(&holders[i]) == SIGKILL;
    is_u64(killed, VGPU_CHANNELS - 1, "the others are killed");
    is_u64(visit(&free_mib), 0, "the next process can work");
    ok(all_free_within(REAPED_WITHIN_S), "no channel is open");
    is_u64(reg(VGPU_REG_MEM_GRANTED_MIB), 0, "nothing is granted");
}

/* ---- two copies of the library ---- */

static int twin(int unused)
{
    device_ptr p = 0, q = 0;
    int error = cuda_open();

    if (!error)
        error = cu.cuMemAlloc_v2(&p, 4096);
    say(error ? error : cuda_works(p, 1));
    struct cuda first = cu;
    cuda_load(copy_path);
    say(cu.cuInit == first.cuInit);
    error = cuda_open();
    if (!error)
        error = cu.cuMemAlloc_v2(&q, 4096);
    say(error ? error : cuda_works(q, 2));
    hear();
    cu = first;
    say(cuda_works(p, 3));
    return 0;
}

static void test_copies(void)
{
    struct child c = child_start(twin, 0);

    is_u64(child_hear(&c), 0, "a process uses the GPU");
    is_u64(child_hear(&c), 0, "it loads another copy of the driver library");
    is_u64(child_hear(&c), 0, "which works");
    is_u64(channels_busy(), 2, "on a channel of its own");
    ok(lock_owner(0) == c.pid && lock_owner(1) == c.pid, "both are locked");
    nap_ms(2500);
    child_tell(&c, 0);
    is_u64(child_hear(&c), 0, "the first one still works");
    is_u64(child_end(&c), 0, "it ends");
    ok(all_free_within(0), "and has closed both channels itself");
}

/* ---- killed anywhere ---- */

enum { WORKERS = 5 };

static int worker(int seed)
{
    unsigned state = (unsigned)seed;

    for (int turns = rand_r(&state) % 40; turns >= 0; turns--) {
        device_ptr p, q;
        int error = cuda_open();

        if (!error)
            error = cu.cuMemAlloc_v2(&p, 4096);
        if (!error)
            error = cu.cuMemAlloc_v2(&q, (size_t)(1 + rand_r(&state) % 100) << 20);
        if (!error)
            error = cuda_works(p, state);
        if (!error && !(rand_r(&state) % 4))
            error = cu.cuDevicePrimaryCtxReset_v2(0);
        else if (!error)
            error = cu.cuMemFree_v2(q);
        if (error)
            return 1;
    }
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
        say(error ? error : cuda_works(p, (uint32_t)getpid()));
    while (hear() > 0);
    return 0;
}

static void test_storm(void)
{
    struct child workers[WORKERS], watch = child_start(witness, 0);
    unsigned state = 1, killed = 0, ended = 0, wrong = 0, bad = 0;

    is_u64(child_hear(&watch), 0, "a witness uses the GPU");
    for (int i = 0; i < WORKERS; i++)
        workers[i] = child_start(worker, i);
    for (double end = now_s() + seconds; now_s() < end;) {
        int i = rand_r(&state) % WORKERS;
        nap_ms((unsigned)rand_r(&state) % 200);
        int status = child_kill(&workers[i]);
        killed += WIFSIGNALED(status);
        ended += WIFEXITED(status);
        wrong += WIFEXITED(status) && WEXITSTATUS(status);
        workers[i] = child_start(worker, (int)state);
        child_tell(&watch, 1);
        bad += child_hear(&watch) != 0;
    }
    for (int i = 0; i < WORKERS; i++)
        child_kill(&workers[i]);
    diag("%u processes were killed, %u had ended by themselves", killed, ended);
    ok(killed > 0, "processes are killed");
    is_u64(wrong, 0, "those that end by themselves saw no error");
    is_u64(bad, 0, "nor did the witness, ever");
    child_tell(&watch, 0);
    is_u64(child_end(&watch), 0, "it ends");
    ok(all_free_within(REAPED_WITHIN_S), "no channel is open");
    is_u64(reg(VGPU_REG_MEM_GRANTED_MIB), 0, "nothing is granted");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        {"swept", test_swept}, {"reaped", test_reaped}, {"fork", test_fork}, {"lock", test_lock}, {"stopped", test_stopped},
        {"copies", test_copies}, {"storm", test_storm}, {"exhausted", test_exhausted},
    };
    const char *name = argc > 1 ? argv[1] : "";

    cuda_load("libcuda.so.1");
    registers_map();
    signal(SIGPIPE, SIG_IGN);
    copy_path = argc > 2 ? argv[2] : "";
    seconds = atoi(copy_path);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (strcmp(tests[i].name, name))
            continue;
        tests[i].run();
        return tap_done();
    }
    fprintf(stderr, "usage: pci-deaths swept|reaped|fork|lock|stopped SECONDS|copies PATH|storm SECONDS|exhausted\n");
    return 2;
}
