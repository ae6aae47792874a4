/* SPDX-License-Identifier: Apache-2.0 */
/* A TAP producer in one header, for tests in C.
 *
 *   int main(void) {
 *       ok(1 + 1 == 2, "addition");
 *       is_u64(f(3), 9, "f squares");
 *       return tap_done();
 *   }
 *
 * Every check prints one TAP line and returns whether it held; a failure prints where it stands.
 * tap_done() prints the plan and returns the exit status: 0 only when at least one check ran and none failed. */
#ifndef VGPU_TESTS_TAP_H
#define VGPU_TESTS_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 1, 2), unused)) static void diag(const char *fmt, ...)
{
    va_list ap;

    fputs("# ", stdout);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

__attribute__((format(printf, 4, 5), unused)) static int tap_check(int pass, const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    printf("%sok %d - ", pass ? "" : "not ", ++tap_count);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    if (!pass) {
        tap_failed++;
        diag("failed at %s:%d", file, line);
    }
    fflush(stdout);
    return pass;
}

#define ok(cond, ...) tap_check(!!(cond), __FILE__, __LINE__, __VA_ARGS__)

#define is_u64(got, want, ...) \
    ({ \
        uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want); \
        int same_ = tap_check(got_ == want_, __FILE__, __LINE__, __VA_ARGS__); \
        if (!same_) \
            diag("got %#" PRIx64 ", want %#" PRIx64, got_, want_); \
        same_; \
    })

#define is_str(got, want, ...) \
    ({ \
        const char *got_ = (got), *want_ = (want); \
        int same_ = tap_check(got_ && want_ && !strcmp(got_, want_), __FILE__, __LINE__, __VA_ARGS__); \
        if (!same_) \
            diag("got '%s', want '%s'", got_ ? got_ : "(null)", want_ ? want_ : "(null)"); \
        same_; \
    })

/* A test that cannot run here: counted, but never as a pass when VGPU_REQUIRE=1 (see DESIGN.md). */
#define skip(n, ...) \
    do { \
        for (int i_ = 0; i_ < (n); i_++) { \
            printf("ok %d # SKIP ", ++tap_count); \
            printf(__VA_ARGS__); \
            putchar('\n'); \
        } \
    } while (0)

__attribute__((unused)) static int tap_done(void)
{
    printf("1..%d\n", tap_count);
    if (tap_failed)
        diag("%d of %d failed", tap_failed, tap_count);
    return tap_failed || !tap_count;
}

#endif
