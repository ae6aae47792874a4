/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel's text, put together of random choices: the same for the same seed. */
#ifndef VGPU_TESTS_RANDOM_TEXT_H
#define VGPU_TESTS_RANDOM_TEXT_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

static char text[16384];
static size_t used;
static uint64_t state;

static void begin_text(uint64_t seed)
{
    state = seed * 0x9e3779b97f4a7c15u + 1;
    used = 0;
}

/* Below n. */
static uint32_t pick(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static void add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    used += (size_t)vsnprintf(text + used, sizeof text - used, fmt, ap);
    va_end(ap);
}

#endif
