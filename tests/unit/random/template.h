/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of PTX, filled in at random.
 *
 *   <a|b|c>    one of these; may hold others of its kind
 *   $<         <
 *   #40        a number below 40
 *   $R         one of the registers %r0 ... %r11; $W 64-bit, $F f32, $D f64, $H 16-bit registers likewise
 *   $i         what may stand for a number: a register, a constant, the thread, the block, a coordinate
 *   $2 $4      {two}, {four} 32-bit registers, no two the same; $U {two} 64-bit ones
 *   $A $B      a register %r0 ... %r11, the same one wherever the letter stands; $K a number below 32 likewise
 *   $L         a number that no other template has, for labels
 *   $P         the predicate of the comparison, as the caller says
 *   $T         the lanes that are together here, as a mask
 *   $Z         .ftz or nothing
 *
 * Registers %r20 ... %r22, %rd0 ... %rd4, %h0 ... %h3, %d6, %d7 and %p7 are for use within a template. */
#ifndef VGPU_TESTS_RANDOM_TEMPLATE_H
#define VGPU_TESTS_RANDOM_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INTEGERS = 12, WIDES = 4, FLOATS = 6, DOUBLES = 4, HALVES = 4 };

struct text {
    char s[1 << 17];
    size_t n;
};

/* What the generator knows where it stands. */
struct maker {
    struct text body, functions, *to;
    uint64_t state;
    unsigned label;
    unsigned predicate;    /* $P */
    const char *together;  /* $T: "-1" or a register; NULL where nobody knows */
    bool flushes;          /* every operation on f32 is .ftz */
};
extern struct maker maker;

struct table {
    const char *const *rows;
    unsigned n;
};
#define TABLE(name, ...) \
    static const char *const name##_rows[] = {__VA_ARGS__}; \
    const struct table name = {name##_rows, sizeof name##_rows / sizeof *name##_rows}

/* Format, then fill in; a row of a table. Both end the line. */
__attribute__((format(printf, 1, 2))) void put(const char *fmt, ...);
void put_one_of(const struct table *t);

#endif
