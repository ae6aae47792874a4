/* SPDX-License-Identifier: Apache-2.0 */
/* mma.sp in every shape, type and selector: the whole of A is read off fragments and metadata, one element at a time, and
 * multiplied by B as the definition says. README.md says which sources settle where the metadata lies. */
#include "own.h"

/* An element type: how it reads, and which bits of random words make numbers of moderate size. */
struct element {
    const char *name;
    unsigned bits;
    const struct own_format *format; /* NULL: an integer */
    bool is_signed;
    uint32_t keep, set;
};
static const struct own_format tf32_format = {8, 23, 127, false};
static const struct element elements[] = {
    {"f16", 16, &own_f16, true, 0x8fff8fff, 0x30003000},  {"bf16", 16, &own_bf16, true, 0x81ff81ff, 0x3e003e00},
    {"tf32", 32, &tf32_format, true, 0x81ffe000, 0x3e000000}, {"e4m3", 8, &own_e4m3, true, 0xbfbfbfbf, 0},
    {"e5m2", 8, &own_e5m2, true, 0xbfbfbfbf, 0},          {"s8", 8, NULL, true, ~0u, 0},
    {"u8", 8, NULL, false, ~0u, 0},                       {"s4", 4, NULL, true, ~0u, 0},
    {"u4", 4, NULL, false, ~0u, 0},
};
enum { F16, BF16, TF32, E4M3, E5M2, S8, U8, S4, U4 };

/* Which lanes of a quad hold the metadata, by shape (PTX ISA, figures 119 ... 147). */
enum holders {
    ONE,      /* lane 'selector': row g in the lower half of the word, row g + 8 in the upper */
    PAIR,     /* lanes 2 selector and the next: each half of the columns, rows as above */
    PAIR_ROW, /* lanes 2 selector and the next: row g, row g + 8, all columns */
    ALL,      /* lanes 0, 1: rows g, g + 8 of the first half of the columns; 2, 3: of the second half */
};

struct form {
    const struct element *a, *b;
    unsigned k, selector;
    enum holders holders;
    const uint32_t *meta; /* of 64 threads */
};

static unsigned chunk_of(const struct element *e)
{
    return e->bits == 4 ? 8 : e->bits == 32 ? 2 : 4;
}

static unsigned code_at(const struct own_entry *own, const struct form *f, unsigned row, unsigned column)
{
    unsigned second = column >= f->k / 2, lower = row >= 8, t = 0, shift = 0;
    unsigned columns = f->holders == PAIR || f->holders == ALL ? f->k / 2 : f->k;

    switch (f->holders) {
    case ONE: t = f->selector; shift = 16 * lower; break;
    case PAIR: t = 2 * f->selector + second; shift = 16 * lower; break;
    case PAIR_ROW: t = 2 * f->selector + lower; break;
    case ALL: t = 2 * second + lower; break;
    }
    return f->meta[own->tid - own->lane + 4 * (row % 8) + t] >> (shift + column % columns / chunk_of(f->a) * 4) & 15;
}

/* Element i of register 'reg' in 'lane': low words of the input slots hold A, high words B. */
static double fragment(const struct own_entry *own, const struct element *e, unsigned lane, bool b, unsigned reg, unsigned i)
{
    uint64_t slot = own->in[(own->i - own->lane + lane) * IN_SLOTS + reg];
    uint32_t word = ((uint32_t)(b ? slot >> 32 : slot) & e->keep) | e->set;
    uint32_t v = (uint32_t)(word >> i * e->bits & ((1ull << e->bits) - 1));

    if (e->format)
        return own_decode(e->format, v);
    return e->is_signed && v >> (e->bits - 1) ? (double)v - (double)(1u << e->bits) : (double)v;
}

static double a_at(const struct own_entry *own, const struct form *f, unsigned row, unsigned column)
{
    unsigned chunk = chunk_of(f->a), n = column / chunk, in = column % chunk, code = code_at(own, f, row, column), kept;
    unsigned e = 32 / f->a->bits; /* kept elements a register: of 2 e columns */

    if (chunk == 2) {
        if (in != (code == 0xe))
            return 0;
        kept = n;
    } else {
        unsigned unit = chunk / 4, index = in / unit; /* pairs of columns for 4 bits */

        if (index == (code & 3))
            kept = n * chunk / 2 + in % unit;
        else if (index == code >> 2)
            kept = n * chunk / 2 + unit + in % unit;
        else
            return 0;
    }
    return fragment(own, f->a, row % 8 * 4 + column / (2 * e) % 4, false, column / (8 * e) * 2 + row / 8, kept % e);
}

static double b_at(const struct own_entry *own, const struct form *f, unsigned k, unsigned column)
{
    unsigned e = 32 / f->b->bits;

    return fragment(own, f->b, column * 4 + k / e % 4, true, k / (4 * e), k % e);
}

/* Small numbers; for integers also some next to the ends of s32. */
static double c_at(const struct own_entry *own, const struct form *f, unsigned i)
{
    unsigned x = (own->lane * 4 + i) * 5 % 32;

    if (f->a->format || x % 3 == 0)
        return x;
    return x % 3 == 1 ? INT32_MAX - (double)x : INT32_MIN + (double)x;
}

static char *c_text(bool integer, const char *type)
{
    char *text = own_text("%s", "");

    for (int i = 0; i < 4; i++) {
        text = own_text("%s mad.lo.u32 %%r40, %%lane, 20, %d; and.b32 %%r40, %%r40, 31;", text, 5 * i);
        if (integer)
            text = own_text("%s rem.u32 %%r41, %%r40, 3; setp.eq.u32 %%p0, %%r41, 1; setp.eq.u32 %%p1, %%r41, 2;"
                            "mov.u32 %%r%d, %%r40; @%%p0 sub.u32 %%r%d, 0x7fffffff, %%r40; @%%p1 add.u32 %%r%d, %%r40, 0x80000000;\n",
                            text, 10 + i, 10 + i, 10 + i);
        else
            text = own_text("%s cvt.rn.%s.u32 %%%c%d, %%r40;\n", text, type, type[1] == '3' ? 'f' : 'h', i);
    }
    return text;
}

static char *registers(const char *prefix, unsigned first, unsigned n)
{
    char *text = own_text("%s", "");

    for (unsigned i = 0; i < n; i++)
        text = own_text("%s%s%%%s%u", text, i ? ", " : "", prefix, first + i);
    return text;
}

static void sparse(const struct element *a, const struct element *b, unsigned k, unsigned selector, enum holders holders,
                   const char *type, bool saturate, bool ordered)
{
    static const uint8_t codes[] = {4, 8, 9, 12, 13, 14};
    static uint32_t meta[64];
    bool half = !strcmp(type, "f16"), integer = !a->format;
    unsigned n = k * a->bits / 128; /* registers of A and of B */
    char *name = own_text("mma_sp_m16n8k%u_%s_%s_%s_%u%s%s", k, type, a->name, b->name, selector, saturate ? "_sat" : "",
                          ordered ? "_ordered" : "");
    char *table = own_text("%s", "");
    char *body = own_text("mov.u64 %%d0, meta_%s; and.b32 %%r42, %%ti, 63; mad.wide.u32 %%d0, %%r42, 4, %%d0;"
                          "ld.const.u32 %%r30, [%%d0];\n", name);
    struct form form = {a, b, k, selector, holders, meta};

    for (int i = 0; i < 64; i++) {
        meta[i] = 0;
        for (int j = 0; j < 8; j++)
            meta[i] |= (uint32_t)codes[a->bits == 32 ? (own_random() >> 30) % 2 * 5 : (own_random() >> 30) % 6] << 4 * j;
        table = own_text("%s%s0x%x", table, i ? ", " : "", meta[i]);
    }
    for (unsigned i = 0; i < n; i++)
        body = own_text("%s mov.b64 {%%r%u, %%r%u}, %%a%u; and.b32 %%r%u, %%r%u, 0x%x; or.b32 %%r%u, %%r%u, 0x%x;"
                        "and.b32 %%r%u, %%r%u, 0x%x; or.b32 %%r%u, %%r%u, 0x%x;\n", body, i, 4 + i, i, i, i, a->keep, i, i, a->set,
                        4 + i, 4 + i, b->keep, 4 + i, 4 + i, b->set);
    body = own_text("%s%s", body, c_text(integer, type));
    if (half)
        body = own_text("%s mov.b32 %%r10, {%%h0, %%h1}; mov.b32 %%r11, {%%h2, %%h3};\n", body);
    body = own_text("%s mma.sp%s.sync.aligned.m16n8k%u.row.col%s.%s.%s.%s.%s {%s}, {%s}, {%s}, {%s}, %%r30, %u;\n", body,
                    ordered ? "::ordered_metadata" : "", k, saturate ? ".satfinite" : "", type, a->name, b->name, type,
                    integer ? registers("r", 20, 4) : half ? registers("r", 20, 2) : registers("f", 10, 4), registers("r", 0, n),
                    registers("r", 4, n), integer ? registers("r", 10, 4) : half ? registers("r", 10, 2) : registers("f", 0, 4),
                    selector);
    for (int i = 0; i < (half ? 2 : 4); i++)
        body = integer || half ? own_text("%s cvt.u64.u32 %%o%d, %%r%d;", body, i, 20 + i)
                               : own_text("%s mov.b32 %%r41, %%f%d; cvt.u64.u32 %%o%d, %%r41;", body, 10 + i, i);
    ENTRY(.name = name, .before = own_text(".const .align 4 .u32 meta_%s[64] = {%s};", name, table), .nout = half ? 2 : 4,
          .types = integer ? NULL : half ? "f16x2" : "f32", .class = integer ? NULL : half ? "mma16" : "mma", .body = body) {
        for (unsigned i = 0; i < 4; i++) {
            unsigned row = own.lane / 4 + i / 2 * 8, column = own.lane % 4 * 2 + i % 2;
            double d = c_at(T, &form, i);

            for (unsigned j = 0; j < k; j++)
                d += a_at(T, &form, row, j) * b_at(T, &form, j, column);
            if (half)
                OUT(i / 2) |= (uint64_t)own_encode(&own_f16, d, false) << i % 2 * 16;
            else if (!integer)
                OUT(i) = bits_f32((float)d);
            else if (saturate)
                OUT(i) = (uint32_t)(int32_t)(d < INT32_MIN ? INT32_MIN : d > INT32_MAX ? INT32_MAX : d);
            else
                OUT(i) = (uint32_t)(int64_t)d;
        }
    }
}

void gen_mma_sparse(void)
{
    static const struct {
        uint8_t first, last; /* element types, in any combination */
        uint8_t k, selectors;
        enum holders holders;
        const char *types[2];
    } forms[] = {
        {F16, F16, 16, 4, ONE, {"f16", "f32"}},   {F16, F16, 32, 2, PAIR, {"f16", "f32"}},
        {BF16, BF16, 16, 4, ONE, {"f32"}},        {BF16, BF16, 32, 2, PAIR, {"f32"}},
        {TF32, TF32, 8, 4, ONE, {"f32"}},         {TF32, TF32, 16, 2, PAIR, {"f32"}},
        {E4M3, E5M2, 64, 1, ALL, {"f16", "f32"}}, {S8, U8, 32, 2, PAIR_ROW, {"s32"}},
        {S8, U8, 64, 1, ALL, {"s32"}},            {S4, U4, 64, 2, PAIR_ROW, {"s32"}},
        {S4, U4, 128, 1, ALL, {"s32"}},
    };

    own_family("sparse", "");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        for (unsigned t = 0; t < 2 && forms[i].types[t]; t++)
            for (unsigned a = forms[i].first; a <= forms[i].last; a++)
                for (unsigned b = forms[i].first; b <= forms[i].last; b++)
                    for (unsigned s = 0; s < forms[i].selectors; s++)
                        for (int saturate = 0; saturate <= !elements[a].format; saturate++)
                            sparse(&elements[a], &elements[b], forms[i].k, s, forms[i].holders, forms[i].types[t], saturate,
                                   (a + b + s) & 1);
}
