/* SPDX-License-Identifier: Apache-2.0 */
/* The device window: 4 TiB of address space at the same place in the executor as on the device, so that a device address
 * *is* a host address and confinement is one range check.
 *
 *   - WINDOW_MARGIN ...                                never mapped: what is not far from the window lies in nothing else
 *   VGPU_WINDOW_BASE                                  never mapped: null and near-null offsets fault
 *   + 2 MiB ...                                       device memory, mapped by the executor as the guest maps it
 *   VGPU_SCRATCH_BASE ... VGPU_WINDOW_END             the engines' own: shared, local and parameter memory of running blocks
 *
 *   VGPU_WINDOW_END ... + WINDOW_MARGIN               never mapped, either
 *
 * Whatever is not mapped is PROT_NONE; touching it raises SIGSEGV or SIGBUS, which window_fault_guard() turns into a fault of
 * the running launch. Constants are in vgpu_protocol.h. */
#ifndef VGPU_INTERP_WINDOW_H
#define VGPU_INTERP_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include "vgpu_protocol.h"

#define WINDOW_MARGIN (256 * VGPU_GIB)

/* Reserve the window and its margins (once a process; later calls do nothing). False with errno when the address range is taken. */
bool window_reserve(void);

/* Map 'size' bytes of 'fd' at 'offset' (or private zeroed memory with fd -1) at device address va, read-write; unmap again.
 * va and size are multiples of 4 KiB and lie inside the window: anything else is refused (false, errno EINVAL). */
bool window_map(uint64_t va, size_t size, int fd, uint64_t offset);
bool window_unmap(uint64_t va, size_t size);

/* True when [address, address + n) lies in the window (mapped or not). Saturating: no wrap-around. */
static inline bool window_contains(uint64_t address, uint64_t n);

/* Run code that touches device memory on this thread:
 *     struct window_guard g;
 *     if (!sigsetjmp(g.env, 0)) { window_guard_enter(&g); ...; window_guard_leave(&g); } else { g.address faulted }
 * A SIGSEGV/SIGBUS whose address lies in the window jumps to the innermost guard of the thread; any other is fatal as usual. */
struct window_guard {
    sigjmp_buf env;
    struct window_guard *outer;
    uint64_t address;  /* of the fault */
    uint32_t mxcsr;    /* the thread's floating-point control at entry, restored by the jump */
};
void window_guard_enter(struct window_guard *g);
void window_guard_leave(struct window_guard *g);

/* n bytes (1 to 4096) in the window can be read: found out by trying, on a thread that is under no guard or may have one more. */
bool window_readable(uint64_t address, size_t n);

static inline bool window_contains(uint64_t address, uint64_t n)
{
    return address - VGPU_WINDOW_BASE <= VGPU_WINDOW_SIZE && n <= VGPU_WINDOW_SIZE - (address - VGPU_WINDOW_BASE);
}

#endif
