/* SPDX-License-Identifier: Apache-2.0 */
/* How lane operations end a launch. */
#include "interp/lanes.h"
#include "interp/window.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void lane_fault(const struct lane_args *a, unsigned lane, int code, uint64_t address, const char *what)
{
    fprintf(stderr, "lane %u: %s (%d) at %#llx\n", lane, what, code, (unsigned long long)address);
    abort();
}

void lane_check(const struct lane_args *a, unsigned lane, uint64_t address, size_t n, size_t align)
{
    if (!window_contains(address, n))
        lane_fault(a, lane, VG_FAULT_ILLEGAL_ADDRESS, address, "address outside device memory");
    if (address % align)
        lane_fault(a, lane, VG_FAULT_MISALIGNED, address, "misaligned address");
}
