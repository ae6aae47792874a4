/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks that are jumped off. AddressSanitizer marks what lies between the variables of a frame, and takes the marks off when the
 * function returns; on a stack that it does not know, or that a fault left by a jump, they stay for whoever uses it next. */
#ifndef VGPU_INTERP_STACK_H
#define VGPU_INTERP_STACK_H

#include <stddef.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define STACK_IS_MARKED
#endif
#endif
#if defined __SANITIZE_ADDRESS__ || defined STACK_IS_MARKED
#include <sanitizer/asan_interface.h>

/* Nothing that ran on these n bytes from 'low' will go on. */
static inline void stack_forget(void *low, size_t n)
{
    __asan_unpoison_memory_region(low, n);
}
#else
static inline void stack_forget(void *low, size_t n)
{
    (void)low;
    (void)n;
}
#endif

/* Below the caller's frame: by far more than what runs there takes. */
#define STACK_BELOW (64u << 10)
static inline void stack_forget_below(void)
{
    stack_forget((char *)__builtin_frame_address(0) - STACK_BELOW, STACK_BELOW);
}

#endif
