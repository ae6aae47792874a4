/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that the device runtime gives to every kernel by name: vprintf, malloc, free and __assertfail. All pointers
 * and formats come from the kernel: strings are read byte by byte where a bad address is the kernel's fault, and a format
 * never reaches the host's printf with anything but one conversion and the argument that belongs to it. */
#include "interp/warp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct builtin {
    const char *name;
    void (*run)(struct warp *w, const struct call_site *site, unsigned lane);
};

static uint64_t argument(const struct warp *w, const struct call_site *site, unsigned i, unsigned lane)
{
    return i < site->n_args ? call_value_get(w, w->frame, &site->args[i], lane) : 0;
}

static void set_result(struct warp *w, const struct call_site *site, unsigned lane, uint64_t v)
{
    if (site->n_rets)
        call_value_set(w, w->frame, &site->args[site->n_args], lane, v);
}

static void fetch(struct warp *w, unsigned lane, void *to, uint64_t address, unsigned n)
{
    lane_check(&w->args, lane, address, n, 1);
    memcpy(to, (const void *)(uintptr_t)address, n);
}

static char fetch_char(struct warp *w, unsigned lane, uint64_t address)
{
    char c;

    fetch(w, lane, &c, address, 1);
    return c;
}

/* ---- Text on its way to launch->print ---- */

struct text {
    struct warp *w;
    char *at;
    size_t n, room;
};

static void text_flush(struct text *t)
{
    const struct interp_worker *k = t->w->block->worker;

    if (t->n && k->launch->print) {
        grid_lock(k->grid);
        k->launch->print(k->launch->print_arg, t->at, t->n);
        grid_unlock(k->grid);
    }
    t->n = 0;
}

static void text_put(struct text *t, char c)
{
    if (t->n == t->room)
        text_flush(t);
    t->at[t->n++] = c;
}

static void text_puts(struct text *t, const char *s)
{
    while (*s)
        text_put(t, *s++);
}

static struct text text_of(struct warp *w)
{
    return (struct text){w, w->block->worker->text, 0, sizeof w->block->worker->text};
}

#define STRING_MAX 65536 /* bytes of one string: an unterminated one ends somewhere */

static void text_put_device_string(struct text *t, unsigned lane, uint64_t address, size_t max)
{
    char c;

    if (!address) {
        text_puts(t, "(null)");
        return;
    }
    for (size_t i = 0; i < max && i < STRING_MAX && (c = fetch_char(t->w, lane, address + i)); i++)
        text_put(t, c);
}

/* ---- vprintf(format, arguments): arguments lie one behind the other, each at a multiple of its size ---- */

struct print_args {
    struct warp *w;
    unsigned lane;
    uint64_t at;
};

static uint64_t next_argument(struct print_args *p, unsigned n)
{
    uint64_t v = 0;

    p->at = (p->at + n - 1) & -(uint64_t)n;
    fetch(p->w, p->lane, &v, p->at, n);
    p->at += n;
    return v;
}

/* One conversion, as it stands behind the '%'. */
struct conversion {
    char flags[8], kind;
    unsigned width, precision;
    bool has_precision, wide;
};

#define FIELD_MAX 512u /* characters that a width or precision may ask for */

static unsigned field(struct print_args *p, struct warp *w, unsigned lane, uint64_t *at)
{
    unsigned v = 0;
    char c;

    if (fetch_char(w, lane, *at) == '*') {
        ++*at;
        v = (unsigned)next_argument(p, 4);
    } else {
        for (; (c = fetch_char(w, lane, *at)) >= '0' && c <= '9'; ++*at)
            v = v > FIELD_MAX ? v : v * 10 + (unsigned)(c - '0');
    }
    return v < FIELD_MAX ? v : FIELD_MAX;
}

static struct conversion parse_conversion(struct print_args *p, uint64_t *at)
{
    struct conversion c = {.kind = 0};
    struct warp *w = p->w;
    unsigned n = 0;
    char x;

    while ((x = fetch_char(w, p->lane, *at)) && strchr("-+ #0", x)) {
        if (!strchr(c.flags, x))
            c.flags[n++] = x;
        ++*at;
    }
    c.width = field(p, w, p->lane, at);
    if (fetch_char(w, p->lane, *at) == '.') {
        ++*at;
        c.has_precision = true;
        c.precision = field(p, w, p->lane, at);
    }
    /* long is 64 bits, as in the host's model; h, hh and int are all passed as int. */
    while ((x = fetch_char(w, p->lane, *at)) && strchr("hljztL", x)) {
        c.wide |= x != 'h' && x != 'L';
        ++*at;
    }
    c.kind = fetch_char(w, p->lane, *at);
    if (c.kind)
        ++*at;
    return c;
}

static void print_string(struct text *t, struct print_args *p, const struct conversion *c)
{
    uint64_t s = next_argument(p, 8);
    size_t max = c->has_precision ? c->precision : STRING_MAX, n = 0;

    if (!s)
        n = 6;
    else
        while (n < max && fetch_char(t->w, p->lane, s + n))
            n++;
    for (size_t i = n; !strchr(c->flags, '-') && i < c->width; i++)
        text_put(t, ' ');
    text_put_device_string(t, p->lane, s, max);
    for (size_t i = n; strchr(c->flags, '-') && i < c->width; i++)
        text_put(t, ' ');
}

static void print_conversion(struct text *t, struct print_args *p, const struct conversion *c)
{
    char spec[48], width[12] = "", precision[12] = "";
    char out[2 * FIELD_MAX + 400]; /* a double has up to 309 digits before its point */
    bool integer = c->kind && strchr("diuxXo", c->kind);

    if (c->kind == 's') {
        print_string(t, p, c);
        return;
    }
    if (!integer && (!c->kind || !strchr("cpaAeEfFgG", c->kind))) {
        text_put(t, '%');
        if (c->kind && c->kind != '%')
            text_put(t, c->kind);
        return;
    }
    if (c->width)
        snprintf(width, sizeof width, "%u", c->width);
    if (c->has_precision)
        snprintf(precision, sizeof precision, ".%u", c->precision);
    snprintf(spec, sizeof spec, "%%%s%s%s%s%c", c->flags, width, precision, integer && c->wide ? "ll" : "", c->kind);
    if (integer && c->wide) {
        snprintf(out, sizeof out, spec, (long long)next_argument(p, 8));
    } else if (integer) {
        snprintf(out, sizeof out, spec, (int)next_argument(p, 4));
    } else if (c->kind == 'c') {
        snprintf(out, sizeof out, spec, (int)(next_argument(p, 4) & 255));
    } else if (c->kind == 'p') {
        snprintf(out, sizeof out, spec, (void *)(uintptr_t)next_argument(p, 8));
    } else {
        uint64_t bits = next_argument(p, 8);
        double v;

        memcpy(&v, &bits, sizeof v);
        snprintf(out, sizeof out, spec, v);
    }
    text_puts(t, out);
}

static void run_vprintf(struct warp *w, const struct call_site *site, unsigned lane)
{
    struct text t = text_of(w);
    uint64_t format = argument(w, site, 0, lane);
    struct print_args p = {w, lane, argument(w, site, 1, lane)};
    int count = 0;

    for (uint64_t end = format + STRING_MAX; format < end;) {
        char c = fetch_char(w, lane, format++);

        if (!c)
            break;
        if (c != '%') {
            text_put(&t, c);
            continue;
        }
        struct conversion v = parse_conversion(&p, &format);
        print_conversion(&t, &p, &v);
        count += v.kind && v.kind != '%';
    }
    text_flush(&t);
    set_result(w, site, lane, (uint64_t)count);
}

/* __assertfail(message, file, line, function, char size) */
static void run_assertfail(struct warp *w, const struct call_site *site, unsigned lane)
{
    const uint32_t *block = w->block->worker->launch->block, *at = w->block->ctaid;
    uint32_t thread = w->index * VG_WARP + lane;
    struct text t = text_of(w);
    char place[160];

    text_put_device_string(&t, lane, argument(w, site, 1, lane), STRING_MAX);
    snprintf(place, sizeof place, ":%u: ", (uint32_t)argument(w, site, 2, lane));
    text_puts(&t, place);
    text_put_device_string(&t, lane, argument(w, site, 3, lane), STRING_MAX);
    snprintf(place, sizeof place, ": block: [%u,%u,%u], thread: [%u,%u,%u] Assertion `", at[0], at[1], at[2], thread % block[0],
             thread / block[0] % block[1], thread / block[0] / block[1]);
    text_puts(&t, place);
    text_put_device_string(&t, lane, argument(w, site, 0, lane), STRING_MAX);
    text_puts(&t, "` failed.\n");
    text_flush(&t);
    if (!(w->args.mask >> lane >> 1)) /* each lane has its say first */
        warp_fault(w, w->args.insn, (int)lane, VG_FAULT_ASSERT, 0, "device-side assertion failed");
}

static void run_malloc(struct warp *w, const struct call_site *site, unsigned lane)
{
    const struct interp_worker *k = w->block->worker;
    uint64_t p = 0;

    if (k->launch->malloc) {
        grid_lock(k->grid);
        p = k->launch->malloc(k->launch->malloc_arg, argument(w, site, 0, lane));
        grid_unlock(k->grid);
    }
    set_result(w, site, lane, p);
}

static void run_free(struct warp *w, const struct call_site *site, unsigned lane)
{
    const struct interp_worker *k = w->block->worker;
    uint64_t p = argument(w, site, 0, lane);
    bool good = !p;

    if (k->launch->free && p) {
        grid_lock(k->grid);
        good = k->launch->free(k->launch->malloc_arg, p);
        grid_unlock(k->grid);
    }
    if (!good)
        warp_fault(w, w->args.insn, (int)lane, VG_FAULT_TRAP, 0, "free() of %#" PRIx64 ", which is no living allocation of malloc()", p);
}

static const struct builtin builtins[] = {
    {"vprintf", run_vprintf}, {"malloc", run_malloc}, {"free", run_free}, {"__assertfail", run_assertfail},
};

const struct builtin *builtin_find(const char *name)
{
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (!strcmp(builtins[i].name, name))
            return &builtins[i];
    return NULL;
}

void builtin_run(struct warp *w, const struct call_site *site)
{
    for (uint32_t m = w->args.mask; m; m &= m - 1)
        site->builtin->run(w, site, (unsigned)__builtin_ctz(m));
}
