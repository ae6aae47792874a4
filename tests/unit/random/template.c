/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

struct maker maker;

/* What stands for $A, $B, $K and $L in one template. */
struct fixed {
    unsigned a, b, k, label;
};

uint32_t random_pick(uint32_t n)
{
    maker.state = maker.state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(maker.state >> 33) % n;
}

__attribute__((format(printf, 1, 2))) static void write(const char *fmt, ...)
{
    struct text *t = maker.to;
    va_list ap;

    va_start(ap, fmt);
    t->n += (size_t)vsnprintf(t->s + t->n, sizeof t->s - t->n, fmt, ap);
    va_end(ap);
    if (t->n >= sizeof t->s) {
        printf("Bail out! a random kernel of more than %zu bytes\n", sizeof t->s);
        exit(1);
    }
}

static void write_integer(void)
{
    static const char *const known[] = {"%gi", "%ti", "%n0", "%tx", "%ty", "%tz", "%lane", "%last"};

    switch (random_pick(8)) {
    case 0:
        write("%u", random_pick(1u << 31));
        break;
    case 1:
        write("%u", random_pick(40));
        break;
    case 2:
    case 3:
        write("%s", known[random_pick(sizeof known / sizeof *known)]);
        break;
    default:
        write("%%r%u", random_pick(INTEGERS));
    }
}

static void write_vector(const char *kind, unsigned first, unsigned n, unsigned of, unsigned offset)
{
    for (unsigned k = 0; k < n; k++)
        write("%s%s%u", k ? ", " : "{", kind, offset + (first + k) % of);
    write("}");
}

static void fill_in(char letter, const struct fixed *f)
{
    switch (letter) {
    case 'R':
        write("%%r%u", random_pick(INTEGERS));
        break;
    case 'W':
        write("%%rd%u", 10 + random_pick(WIDES));
        break;
    case 'F':
        write("%%f%u", random_pick(FLOATS));
        break;
    case 'D':
        write("%%d%u", random_pick(DOUBLES));
        break;
    case 'H':
        write("%%h%u", 4 + random_pick(HALVES));
        break;
    case 'i':
        write_integer();
        break;
    case '2':
        write_vector("%r", random_pick(INTEGERS), 2, INTEGERS, 0);
        break;
    case '4':
        write_vector("%r", random_pick(INTEGERS), 4, INTEGERS, 0);
        break;
    case 'U':
        write_vector("%rd", random_pick(WIDES), 2, WIDES, 10);
        break;
    case 'A':
        write("%%r%u", f->a);
        break;
    case 'B':
        write("%%r%u", f->b);
        break;
    case 'K':
        write("%u", f->k);
        break;
    case 'L':
        write("%u", f->label);
        break;
    case 'P':
        write("%%p%u", maker.predicate);
        break;
    case 'T':
        write("%s", maker.together);
        break;
    case '<':
        write("<");
        break;
    case 'Z':
        write("%s", maker.flushes || random_pick(2) ? ".ftz" : "");
    }
}

static void fill(const char *t, const char *end, const struct fixed *f);

/* One of the choices after '<'; what follows the '>' that belongs to it. */
static const char *choose(const char *t, const char *end, const struct fixed *f)
{
    const char *starts[40], *at = t;
    unsigned n = 1, depth = 0, which;

    starts[0] = t;
    for (; at < end && (depth || *at != '>'); at++) {
        depth += *at == '<';
        depth -= *at == '>';
        if (*at == '|' && !depth)
            starts[n++] = at + 1;
    }
    starts[n] = at + 1;
    which = random_pick(n);
    fill(starts[which], starts[which + 1] - 1, f);
    return at + 1;
}

static void fill(const char *t, const char *end, const struct fixed *f)
{
    while (t < end) {
        size_t plain = strcspn(t, "<#$");

        if (plain > (size_t)(end - t))
            plain = (size_t)(end - t);
        write("%.*s", (int)plain, t);
        t += plain;
        if (t == end)
            break;
        if (*t == '<')
            t = choose(t + 1, end, f);
        else if (*t == '#')
            write("%u", random_pick((uint32_t)strtoul(t + 1, (char **)&t, 10)));
        else {
            fill_in(t[1], f);
            t += 2;
        }
    }
}

static void put_template(const char *t)
{
    struct fixed f = {.a = random_pick(INTEGERS), .k = random_pick(32), .label = maker.label++};

    f.b = (f.a + 1 + random_pick(INTEGERS - 1)) % INTEGERS;
    fill(t, t + strlen(t), &f);
    write("\n");
}

void put(const char *fmt, ...)
{
    char t[4096];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(t, sizeof t, fmt, ap);
    va_end(ap);
    put_template(t);
}

void put_one_of(const struct table *t)
{
    put_template(t->rows[random_pick(t->n)]);
}
