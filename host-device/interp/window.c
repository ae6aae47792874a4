/* SPDX-License-Identifier: Apache-2.0 */
#include "interp/window.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <xmmintrin.h>

#define PAGE 4096u
#define HANDLER_STACK (64u << 10)
#define HUGE_LEAST (16 * VGPU_MIB) /* of a mapping that may use large pages, if the host has them: what is small stays as small as it is */
#define RESERVED_BASE (VGPU_WINDOW_BASE - WINDOW_MARGIN)
#define RESERVED_SIZE (VGPU_WINDOW_SIZE + 2 * WINDOW_MARGIN)

static pthread_mutex_t reserve_lock = PTHREAD_MUTEX_INITIALIZER;
static bool reserved;
static struct sigaction previous_segv, previous_bus;

static _Thread_local struct window_guard *innermost;
static _Thread_local void *handler_stack;

/* ---- The range ---- */

/* MAP_NORESERVE and PROT_NONE: the reservation costs neither memory nor commit charge, and MADV_DONTDUMP keeps 4 TiB of
 * nothing out of core files. */
static bool map_nothing(uint64_t va, uint64_t size, int extra)
{
    void *want = (void *)(uintptr_t)va;

    if (mmap(want, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | extra, -1, 0) != want)
        return false;
    madvise(want, size, MADV_DONTDUMP);
    return true;
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
    struct window_guard *g = innermost;
    uint64_t address = (uint64_t)(uintptr_t)info->si_addr;

    if (g && address - RESERVED_BASE < RESERVED_SIZE) {
        innermost = g->outer;
        g->address = address;
        _mm_setcsr(g->mxcsr);
        siglongjmp(g->env, 1);
    }
    /* Not ours: the instruction runs again under whoever was there before, as if we had never been asked. */
    sigaction(sig, sig == SIGSEGV ? &previous_segv : &previous_bus, NULL);
}

bool window_reserve(void)
{
    /* SA_NODEFER: the handler leaves by a jump, after which the signal must not stay blocked. */
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    bool done;

    pthread_mutex_lock(&reserve_lock);
    if (!reserved && map_nothing(RESERVED_BASE, RESERVED_SIZE, MAP_FIXED_NOREPLACE)) {
        sigemptyset(&sa.sa_mask);
        sigaction(SIGSEGV, &sa, &previous_segv);
        sigaction(SIGBUS, &sa, &previous_bus);
        reserved = true;
    }
    done = reserved;
    pthread_mutex_unlock(&reserve_lock);
    return done;
}

static bool valid_range(uint64_t va, uint64_t size)
{
    if (size && va % PAGE == 0 && size % PAGE == 0 && va >= VGPU_WINDOW_BASE + VGPU_WINDOW_GUARD && window_contains(va, size))
        return true;
    errno = EINVAL;
    return false;
}

bool window_map(uint64_t va, size_t size, int fd, uint64_t offset)
{
    void *want = (void *)(uintptr_t)va;
    int flags = MAP_FIXED | MAP_NORESERVE | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);

    if (!valid_range(va, size) || !window_reserve())
        return false;
    if (mmap(want, size, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset) != want)
        return false;
    madvise(want, size, MADV_DONTDUMP);
    if (size >= HUGE_LEAST)
        madvise(want, size, MADV_HUGEPAGE);
    return true;
}

bool window_unmap(uint64_t va, size_t size)
{
    return valid_range(va, size) && window_reserve() && map_nothing(va, size, MAP_FIXED);
}

/* ---- Guards ---- */

/* The handler needs a stack of its own: the one that faulted may be what overflowed. It lives as long as its thread. */
static pthread_key_t stack_key;
static pthread_once_t stack_once = PTHREAD_ONCE_INIT;

static void drop_stack(void *stack)
{
    stack_t off = {.ss_flags = SS_DISABLE};

    sigaltstack(&off, NULL);
    munmap(stack, HANDLER_STACK);
}

static void make_stack_key(void)
{
    pthread_key_create(&stack_key, drop_stack);
}

static void give_thread_a_handler_stack(void)
{
    stack_t old, mine = {.ss_size = HANDLER_STACK};

    if (!sigaltstack(NULL, &old) && !(old.ss_flags & SS_DISABLE)) {
        handler_stack = old.ss_sp;
        return;
    }
    pthread_once(&stack_once, make_stack_key);
    mine.ss_sp = mmap(NULL, HANDLER_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mine.ss_sp == MAP_FAILED)
        return;
    handler_stack = mine.ss_sp;
    sigaltstack(&mine, NULL);
    pthread_setspecific(stack_key, handler_stack);
}

void window_guard_enter(struct window_guard *g)
{
    if (!handler_stack)
        give_thread_a_handler_stack();
    g->outer = innermost;
    g->mxcsr = _mm_getcsr();
    innermost = g;
}

void window_guard_leave(struct window_guard *g)
{
    innermost = g->outer;
}

bool window_readable(uint64_t address, size_t n)
{
    struct window_guard g;

    if (!n || !window_contains(address, n))
        return false;
    if (sigsetjmp(g.env, 0))
        return false;
    window_guard_enter(&g);
    (void)*(const volatile char *)(uintptr_t)address;
    (void)*(const volatile char *)(uintptr_t)(address + n - 1);
    window_guard_leave(&g);
    return true;
}
