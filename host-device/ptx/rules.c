/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "ptx/rules.h"

/* Fields of struct ptx_insn that a suffix can set. */
enum field {
    F_NOTE, F_FLAG, F_TYPE, F_VEC, F_NUM, F_LAYOUT, F_FRAGMENT, F_SPACE, /* each with its own way to read a word */
    F_ENUM, /* and those whose words are an enum's names */
};

struct choice {
    const char *word;
    uint32_t n, value;
};

struct ptx_suffix {
    uint8_t field;
    bool optional;
    uint16_t at; /* offset in struct ptx_insn of a byte to set */
    uint16_t nchoices;
    struct choice *choices;
};

static const struct {
    const char *name;
    uint8_t field;
    uint16_t at;
    const char *const *words;
    int nwords;
} fields[] = {
#define ENUM(name, what) {#name, F_ENUM, offsetof(struct ptx_insn, name), ptx_##what##_names, PTX_##what##_count}
    ENUM(round, round), ENUM(cmp, cmp), ENUM(boolop, bool), ENUM(atom, atom), ENUM(mul, mul), ENUM(mode, mode),
    ENUM(submode, mode), ENUM(clampmode, mode), ENUM(shape, shape), ENUM(sem, sem), ENUM(scope, scope),
#undef ENUM
    {"flag", F_FLAG, 0, ptx_flag_words, PTX_FLAG_COUNT},
    {"t", F_TYPE, 0, ptx_type_names, PTX_TYPE_COUNT},
    {"space", F_SPACE, offsetof(struct ptx_insn, space), ptx_space_names, PTX_SPACE_COUNT},
    {"space2", F_SPACE, offsetof(struct ptx_insn, space2), ptx_space_names, PTX_SPACE_COUNT},
    {"vec", F_VEC, offsetof(struct ptx_insn, vec), NULL, 0},
    {"num", F_NUM, offsetof(struct ptx_insn, num), NULL, 0},
    {"layout_a", F_LAYOUT, offsetof(struct ptx_insn, layout_a), NULL, 0},
    {"layout_b", F_LAYOUT, offsetof(struct ptx_insn, layout_b), NULL, 0},
    {"fragment", F_FRAGMENT, offsetof(struct ptx_insn, fragment), NULL, 0},
    {"note", F_NOTE, 0, NULL, 0},
};

static const struct row {
    uint16_t op;
    const char *suffixes, *operands;
} rows[] = {
#define RULE(op, suffixes, operands) {PTX_OP_##op, suffixes, operands},
#include "ptx/rules_table.h"
#undef RULE
};
#define NROWS (sizeof rows / sizeof *rows)

/* Valid PTX beyond what the engines execute. */
static const struct {
    uint16_t op;
    const char *word; /* a suffix it has, or NULL: any */
    const char *why;
} refused[] = {
    {PTX_OP_tex, NULL, "textures"}, {PTX_OP_tld4, NULL, "textures"}, {PTX_OP_txq, NULL, "textures"},
    {PTX_OP_suld, NULL, "surfaces"}, {PTX_OP_sust, NULL, "surfaces"}, {PTX_OP_sured, NULL, "surfaces"},
    {PTX_OP_suq, NULL, "surfaces"}, {PTX_OP_istypep, NULL, "textures"},
    {PTX_OP_wgmma, NULL, "warpgroup matrix instructions"}, {PTX_OP_tcgen05, NULL, "tensor memory"},
    {PTX_OP_mbarrier, NULL, "mbarrier objects"}, {PTX_OP_multimem, NULL, "multimem addresses"},
    {PTX_OP_cp, "bulk", "bulk copies"}, {PTX_OP_cp, "mbarrier", "mbarrier objects"}, {PTX_OP_cp, "reduce", "bulk copies"},
    {PTX_OP_red, "async", "mbarrier objects"}, {PTX_OP_prefetch, "tensormap", "tensor maps"},
    {PTX_OP_fence, "proxy", "this proxy"}, {PTX_OP_st, "async", "mbarrier objects"}, {PTX_OP_st, "bulk", "bulk copies"},
    {PTX_OP_ldmatrix, "b8", "8-bit matrices"}, {PTX_OP_stmatrix, "b8", "8-bit matrices"},
    {PTX_OP_ldmatrix, "m8n16", "8-bit matrices"}, {PTX_OP_mma, "block_scale", "block-scaled matrices"},
};

#define SCRATCH_SUFFIXES 24
static struct ptx_rule rules[NROWS];
static uint16_t first_rule[PTX_OP_COUNT], rule_order[NROWS], nrules[PTX_OP_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool built;

/* "sp::ordered_metadata" is two flags. */
static uint32_t flag_mask(const char *s, size_t n)
{
    const char *colons = memchr(s, ':', n);
    size_t first = colons ? (size_t)(colons - s) : n;
    int v = ptx_word_index(ptx_flag_words, PTX_FLAG_COUNT, s, first);

    return (v >= 0 ? 1u << v : 0) | (colons ? flag_mask(colons + 2, n - first - 2) : 0);
}

static bool set_choice(struct choice *c, uint8_t field, const char *const *words, int nwords, const char *s, size_t n)
{
    size_t known = n;
    const char *colons;
    int v;

    c->word = s;
    c->n = n;
    switch (field) {
    case F_NOTE:
        return true;
    case F_FLAG:
        c->value = flag_mask(s, n);
        return c->value;
    case F_VEC:
    case F_NUM:
        c->value = s[1] - '0';
        return true;
    case F_LAYOUT:
    case F_FRAGMENT:
        c->value = s[0]; /* 'r' 'c'; 'a' ... 'd' */
        return true;
    case F_SPACE: /* shared::cta is shared */
        colons = memchr(s, ':', n);
        if (colons)
            known = colons - s;
    }
    v = ptx_word_index(words, nwords, s, known);
    c->value = v;
    return v >= 0;
}

/* One suffix of a row: "word" or "field(a|b)". */
static bool build_suffix(struct ptx_suffix *sx, const char *s, size_t n)
{
    const char *open = memchr(s, '(', n), *end = s + n, *bar;
    uint32_t mask;

    if (!open) {
        sx->nchoices = 1;
        sx->choices = calloc(1, sizeof *sx->choices);
        if (!sx->choices)
            return false;
        mask = memchr(s, ':', n) ? 0 : flag_mask(s, n);
        sx->field = mask ? F_FLAG : F_NOTE;
        *sx->choices = (struct choice){s, n, mask};
        return true;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strlen(fields[i].name) != (size_t)(open - s) || memcmp(fields[i].name, s, open - s))
            continue;
        sx->field = fields[i].field;
        sx->at = fields[i].at;
        sx->nchoices = 1;
        for (const char *p = open; p < end; p++)
            sx->nchoices += *p == '|';
        sx->choices = calloc(sx->nchoices, sizeof *sx->choices);
        if (!sx->choices)
            return false;
        s = open + 1;
        for (unsigned k = 0; k < sx->nchoices; k++, s = bar + 1) {
            bar = memchr(s, '|', end - s);
            if (!bar)
                bar = end - 1; /* the ')' */
            if (!set_choice(&sx->choices[k], sx->field, fields[i].words, fields[i].nwords, s, bar - s))
                return false;
        }
        return true;
    }
    return false;
}

static bool build_suffixes(struct ptx_rule *r, const char *s)
{
    struct ptx_suffix list[SCRATCH_SUFFIXES] = {0};
    unsigned n = 0;

    while (*s) {
        bool optional = *s == '{';
        size_t len;

        s += optional;
        if (*s++ != '.' || n == SCRATCH_SUFFIXES)
            return false;
        len = strcspn(s, ".{}");
        list[n].optional = optional;
        if (!build_suffix(&list[n++], s, len))
            return false;
        s += len + optional;
    }
    r->suffixes = calloc(n + 1, sizeof *list);
    if (!r->suffixes)
        return false;
    memcpy(r->suffixes, list, n * sizeof *list);
    r->nsuffixes = n;
    return true;
}

static bool build_operands(struct ptx_rule *r, const char *s)
{
    while (*s) {
        struct ptx_operand_rule *o = &r->ops[r->nops++];
        size_t n;
        int type;

        if (*s == '|') {
            o->second = true;
            s++;
        }
        o->role = *s++;
        if (o->role == 'F')
            o->fragment = *s++;
        if (*s == 'W') {
            o->type_index = PTX_TYPE_WIDE;
            s++;
        } else if (*s >= '0' && *s <= '3') {
            o->type_index = *s++ - '0';
        } else if (*s == ':') {
            n = strcspn(++s, " ?_>/");
            type = ptx_word_index(ptx_type_names, PTX_TYPE_COUNT, s, n);
            if (type < 0)
                return false;
            o->type = type;
            s += n;
        }
        for (; *s && *s != ' '; s++) {
            o->optional |= *s == '?';
            o->sink |= *s == '_';
            o->wider |= *s == '>';
            o->or_pred |= *s == '/';
        }
        s += *s == ' ';
        r->nrequired += !o->optional && !o->second;
    }
    return true;
}

static void build(void)
{
    unsigned n = 0;

    for (unsigned op = 0; op < PTX_OP_COUNT; op++) {
        first_rule[op] = n;
        for (unsigned i = 0; i < NROWS; i++) {
            if (rows[i].op != op)
                continue;
            rules[i].op = op;
            if (!build_suffixes(&rules[i], rows[i].suffixes) || !build_operands(&rules[i], rows[i].operands))
                return;
            rule_order[n++] = i;
            nrules[op]++;
        }
    }
    built = true;
}

static const struct choice *admits(const struct ptx_suffix *sx, const char *s, size_t n)
{
    for (unsigned i = 0; i < sx->nchoices; i++)
        if (sx->choices[i].n == n && !memcmp(sx->choices[i].word, s, n))
            return &sx->choices[i];
    return NULL;
}

static void set_field(struct ptx_mnemonic *mn, const struct ptx_suffix *sx, const struct choice *c)
{
    struct ptx_insn *insn = &mn->insn;

    switch (sx->field) {
    case F_NOTE:
        if (c->n == 14 && !memcmp(c->word, "L2::cache_hint", 14))
            mn->has_policy = true;
        return;
    case F_FLAG:
        insn->flags |= c->value;
        return;
    case F_TYPE:
        insn->types[insn->ntypes++] = c->value;
        return;
    }
    ((uint8_t *)insn)[sx->at] = c->value;
}

#define MAX_WORDS 24

struct words {
    unsigned n;
    struct {
        const char *s;
        uint32_t n;
    } w[MAX_WORDS];
};

/* Each word takes the first free suffix that admits it. Returns the words taken: all, or the rule is not meant. */
static unsigned match(const struct ptx_rule *r, const struct words *ws, struct ptx_mnemonic *mn, bool *complete)
{
    uint32_t taken = 0;
    unsigned i, k;

    *complete = false;
    mn->insn = (struct ptx_insn){.op = r->op, .guard = -1, .vec = 1};
    mn->has_policy = false;
    mn->rule = r;
    for (i = 0; i < ws->n; i++) {
        const struct choice *c = NULL;
        bool type = false;

        for (k = 0; k < r->nsuffixes; k++) {
            if (taken >> k & 1)
                continue;
            if (type && r->suffixes[k].field == F_TYPE)
                continue;
            c = admits(&r->suffixes[k], ws->w[i].s, ws->w[i].n);
            if (c)
                break;
            type |= r->suffixes[k].field == F_TYPE; /* types keep their order: the first free one or none */
        }
        if (!c)
            return i;
        taken |= 1u << k;
        set_field(mn, &r->suffixes[k], c);
    }
    for (k = 0; k < r->nsuffixes; k++)
        if (!r->suffixes[k].optional && !(taken >> k & 1))
            return i;
    *complete = true;
    return i;
}

static bool split(const char *text, uint32_t n, struct words *ws)
{
    const char *end = text + n, *dot;

    ws->n = 0;
    for (;;) {
        dot = memchr(text, '.', end - text);
        if (ws->n == MAX_WORDS)
            return false;
        ws->w[ws->n].s = text;
        ws->w[ws->n++].n = (dot ? dot : end) - text;
        if (!dot)
            return true;
        text = dot + 1;
    }
}

static const char *refusal(unsigned op, const struct words *ws)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (refused[i].op != op)
            continue;
        if (!refused[i].word)
            return refused[i].why;
        for (unsigned k = 0; k < ws->n; k++)
            if (strlen(refused[i].word) == ws->w[k].n && !memcmp(refused[i].word, ws->w[k].s, ws->w[k].n))
                return refused[i].why;
    }
    return NULL;
}

/* Whether any form of the instruction has this suffix. */
static bool has_suffix(unsigned op, const char *s, size_t n)
{
    for (unsigned i = 0; i < nrules[op]; i++) {
        const struct ptx_rule *r = &rules[rule_order[first_rule[op] + i]];

        for (unsigned k = 0; k < r->nsuffixes; k++)
            if (admits(&r->suffixes[k], s, n))
                return true;
    }
    return false;
}

static void decode(struct ptx_parser *ps, struct ptx_mnemonic *mn, uint32_t line)
{
    struct words ws;
    int op, shown = mn->n > 80 ? 80 : mn->n;
    bool complete = false;
    unsigned best = 0, got;

    if (!split(mn->text, mn->n, &ws))
        ptx_fail(ps, PTX_ERROR_INVALID, line, "%.*s: too many suffixes", shown, mn->text);
    op = ptx_word_index(ptx_op_names, PTX_OP_COUNT, ws.w[0].s, ws.w[0].n);
    if (op <= PTX_OP_NONE)
        ptx_fail(ps, PTX_ERROR_INVALID, line, "%.*s: no such instruction", shown, mn->text);
    ws.n--;
    memmove(ws.w, ws.w + 1, ws.n * sizeof *ws.w);
    for (unsigned i = 0; i < nrules[op] && !complete; i++) {
        got = match(&rules[rule_order[first_rule[op] + i]], &ws, mn, &complete);
        if (best < got)
            best = got;
    }
    if (complete)
        return;
    mn->refused = refusal(op, &ws);
    if (mn->refused)
        return;
    if (best < ws.n)
        ptx_fail(ps, PTX_ERROR_INVALID, line, "%.*s: .%.*s %s", shown, mn->text,
                 (int)(ws.w[best].n > 40 ? 40 : ws.w[best].n), ws.w[best].s,
                 has_suffix(op, ws.w[best].s, ws.w[best].n) ? "does not go with the other suffixes"
                                                            : "is not a suffix of this instruction");
    ptx_fail(ps, PTX_ERROR_INVALID, line, "%.*s: not a form of this instruction", shown, mn->text);
}

#define SLOTS 1024
struct ptx_mnemonics {
    struct ptx_mnemonic *slots[SLOTS];
};

static uint32_t hash_text(const char *s, uint32_t n)
{
    uint32_t h = 2166136261u;

    while (n--)
        h = (h ^ (unsigned char)*s++) * 16777619u;
    return h ^ h >> 15;
}

const struct ptx_mnemonic *ptx_decode_mnemonic(struct ptx_parser *ps, const char *text, uint32_t n, uint32_t line)
{
    struct ptx_mnemonics *table = ps->mp->mnemonics;
    uint32_t hash = hash_text(text, n);
    struct ptx_mnemonic *mn;

    if (!table) {
        pthread_once(&once, build);
        if (!built)
            ptx_fail(ps, PTX_ERROR_MEMORY, line, "out of memory while reading the rules of PTX");
        table = ps->mp->mnemonics = ptx_keep(ps, 1, sizeof *table);
    }
    for (mn = table->slots[hash % SLOTS]; mn; mn = mn->next)
        if (mn->hash == hash && mn->n == n && !memcmp(mn->text, text, n))
            return mn;
    mn = ptx_keep(ps, 1, sizeof *mn);
    mn->text = text;
    mn->n = n;
    mn->hash = hash;
    decode(ps, mn, line);
    mn->next = table->slots[hash % SLOTS];
    table->slots[hash % SLOTS] = mn;
    return mn;
}
