/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel's text on its own (code/kernel_text.h) is the same kernel; kernels that differ only in names have the same one, others have
 * not. Arguments: PTX files, each of whose kernels is compared with what its text gives. */
#include <stdlib.h>

#include "code/kernel_text.h"
#include "code/request.h"
#include "tap.h"

static struct ptx_module *open_module(const char *text, size_t n)
{
    struct ptx_error err;
    struct ptx_module *m = ptx_module_open(text, n, &err);

    if (!m)
        diag("%s", err.message);
    return m;
}

static struct ptx_function *open_kernel(struct ptx_module *m, const char *name)
{
    struct ptx_function *f = m ? ptx_find_function(m, name) : NULL;
    struct ptx_error err;

    if (!f || ptx_function_close(m, f, &err))
        return f;
    diag("%s: %s", name, err.message);
    return NULL;
}

/* ---- The same IR, but for names and what stands around the kernel ---- */

struct side {
    const struct ptx_module *m;
    const struct ptx_function *f;
};

static bool same_symbol(const struct side *a, const struct side *b, int32_t i, int32_t k)
{
    const struct ptx_symbol *x, *y;

    if (i < 0 || k < 0)
        return i == k;
    x = &a->m->symbols[i];
    y = &b->m->symbols[k];
    return x->space == y->space && x->size == y->size && x->align == y->align && x->unsized == y->unsized && x->offset == y->offset &&
           (x->owner < 0) == (y->owner < 0) && (x->linkage == PTX_LINK_EXTERN) == (y->linkage == PTX_LINK_EXTERN) &&
           ptx_shared_offset(a->f, i) == ptx_shared_offset(b->f, k);
}

static bool same_operand(const struct side *a, const struct side *b, const struct ptx_operand *x, const struct ptx_operand *y)
{
    if (x->kind != y->kind || x->negated != y->negated || x->sreg != y->sreg || x->component != y->component || x->sub != y->sub ||
        x->n != y->n || x->reg != y->reg || x->imm != y->imm)
        return false;
    for (unsigned i = 0; i < x->n && x->kind == PTX_OPERAND_VEC; i++)
        if (!same_operand(a, b, &x->elems[i], &y->elems[i]))
            return false;
    switch (x->kind) {
    case PTX_OPERAND_SYM:
    case PTX_OPERAND_MEM:
        return same_symbol(a, b, x->sym, y->sym);
    case PTX_OPERAND_FUNC:
        return !strcmp(a->m->functions[x->sym].name, b->m->functions[y->sym].name);
    default:
        return x->sym == y->sym;
    }
}

static bool same_insn(const struct side *a, const struct side *b, const struct ptx_insn *x, const struct ptx_insn *y)
{
    struct ptx_insn p = *x, q = *y;

    p.line = q.line = p.loc = q.loc = 0;
    memset(p.ops, 0, sizeof p.ops);
    memset(q.ops, 0, sizeof q.ops);
    memset(&p.dst2, 0, sizeof p.dst2);
    memset(&q.dst2, 0, sizeof q.dst2);
    if (memcmp(&p, &q, sizeof p) || !same_operand(a, b, &x->dst2, &y->dst2))
        return false;
    for (unsigned i = 0; i < x->nops; i++)
        if (!same_operand(a, b, &x->ops[i], &y->ops[i]))
            return false;
    return true;
}

static bool same_kernel(const struct side *a, const struct side *b)
{
    const struct ptx_function *f = a->f, *g = b->f;

    if (f->ninsns != g->ninsns || f->nregs != g->nregs || f->param_size != g->param_size || f->shared_size != g->shared_size ||
        f->local_size != g->local_size || f->call_param_size != g->call_param_size || f->ntables != g->ntables)
        return false;
    for (uint32_t i = 0; i < f->nregs; i++)
        if (f->regs[i].type != g->regs[i].type)
            return false;
    for (uint32_t i = 0; i < f->ninsns; i++)
        if (!same_insn(a, b, &f->insns[i], &g->insns[i])) {
            diag("line %u", f->insns[i].line);
            return false;
        }
    return true;
}

static bool round_trips(struct ptx_module *m, const struct ptx_function *f)
{
    struct side a = {m, f}, b = {0};
    struct ptx_module *again;
    struct kernel_text t;
    bool same = false;

    kernel_text_make(&t, m, f);
    again = open_module(t.text->str, t.text->len);
    b.m = again;
    b.f = open_kernel(again, t.entry);
    if (b.f && (!t.offsets->len || kernel_text_place(again, (const uint64_t *)(void *)t.offsets->data, t.offsets->len)))
        same = same_kernel(&a, &b);
    if (!same && getenv("VGPU_TEST_SHOW"))
        fputs(t.text->str, stdout);
    kernel_text_clear(&t);
    ptx_module_close(again);
    return same;
}

static void check_file(const char *path)
{
    g_autofree char *name = g_path_get_basename(path), *text = NULL;
    unsigned kernels = 0, bad = 0;
    struct ptx_module *m;
    gsize n;

    if (!g_file_get_contents(path, &text, &n, NULL) || !(m = open_module(text, n))) {
        ok(false, "%s can be read", path);
        return;
    }
    for (uint32_t i = 0; i < m->nfunctions; i++) {
        struct ptx_function *f = &m->functions[i];

        if (!f->is_entry || !f->has_body || !open_kernel(m, f->name))
            continue;
        kernels++;
        if (!round_trips(m, f)) {
            diag("%s", f->name);
            bad++;
        }
    }
    ok(!bad, "%s: %u kernels, each the same on its own", name, kernels);
    ptx_module_close(m);
}

/* ---- Which kernels are one ---- */

#define HEAD ".version 8.4\n.target sm_80\n.address_size 64\n"

static char *text_of(const char *ptx, const char *name)
{
    struct ptx_module *m = open_module(ptx, strlen(ptx));
    struct ptx_function *f = open_kernel(m, name);
    struct kernel_text t;
    char *text = NULL;

    if (f && round_trips(m, f)) {
        kernel_text_make(&t, m, f);
        text = g_string_free(g_string_new(t.text->str), FALSE);
        kernel_text_clear(&t);
    }
    ptx_module_close(m);
    return text;
}

static void compare(bool same, const char *a, const char *b, const char *what)
{
    g_autofree char *x = text_of(a, "one"), *y = text_of(b, "two");

    if (!ok(x && y && !strcmp(x, y) == same, "%s", what))
        diag("%s\nand\n%s", x ? x : "nothing", y ? y : "nothing");
}

#define BODY(before, param, label, depot, add) \
    before ".visible .entry " param "(.param .u64 " param "_p, .param .u32 " param "_n)\n{\n.local .align 8 .b8 " depot "[16];\n" \
    ".reg .b32 %r<4>; .reg .b64 %rd<3>; .reg .pred %p<2>;\n.loc 1 7 3\nld.param.u64 %rd1, [" param "_p];\nld.param.u32 %r1, [" param "_n];\n" \
    "mov.b64 %rd2, " depot ";\n" label ":\n" add "\nsetp.ne.s32 %p1, %r1, 0;\n@%p1 bra " label ";\nst.u32 [%rd1], %r1;\nret;\n}\n"

static void names(void)
{
    static const char one[] = HEAD BODY("", "one", "$L__BB0_1", "__local_depot0", "add.s32 %r1, %r1, -1;");

    compare(true, one, HEAD ".global .u32 other; .entry three() { ret; }\n" BODY("", "two", "$L__BB7_12", "__local_depot7",
            "/* a remark */ add.s32 %r1, %r1, -1; // and one more\n.loc 1 8 0, function_name $x, inlined_at 1 2 3\n"), "names, remarks and neighbours do not count");
    compare(false, one, HEAD BODY("", "two", "$L__BB0_1", "__local_depot0", "add.s32 %r1, %r1, -2;"), "a constant does");
    compare(false, one, HEAD BODY("", "two", "$L__BB0_1", "__local_depot0", "sub.s32 %r1, %r1, -1;"), "an opcode does");
    compare(false, one, HEAD BODY("", "two", "$L__BB0_1", "__local_depot0", "@%p1 add.s32 %r1, %r1, -1;"), "a guard does");
    compare(true, HEAD BODY(".global .f32 add;\n", "one", "L", "_d", "ld.global.u32 %r1, [add]; add.s32 %r1, %r1, -1;"),
            HEAD BODY(".global .f32 table;\n", "two", "L", "_e", "ld.global.u32 %r1, [table]; add.s32 %r1, %r1, -1;"),
            "a variable that is called like an opcode");
    compare(true, HEAD BODY(".shared .align 16 .b8 tile[64];\n.extern .shared .align 16 .b8 rest[];\n", "one", "L", "_d",
                            "ld.shared.u32 %r1, [tile+4]; ld.shared.u32 %r2, [rest];"),
            HEAD BODY(".shared .b8 unused[8]; .shared .align 16 .b8 $0[64];\n.extern .shared .align 16 .b8 $1[];\n", "two", "L", "_e",
                      "ld.shared.u32 %r1, [$0+4]; ld.shared.u32 %r2, [$1];"),
            "shared memory, with names like those given");
    compare(true, HEAD BODY(".extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);\n", "one", "L", "_d",
                            "{ .param .b64 q0; .param .b64 q1; .param .b32 z; st.param.b64 [q0], %rd1; st.param.b64 [q1], %rd1;"
                            "call.uni (z), vprintf, (q0, q1); ld.param.b32 %r2, [z]; }"),
            HEAD BODY(".extern .func (.param .b32 func_retval0) vprintf(.param .b64 x, .param .b64 y);\n", "two", "L", "_e",
                      "{ .param .b64 q0; .param .b64 q1; .param .b32 z; st.param.b64 [q0], %rd1; st.param.b64 [q1], %rd1;"
                      "call.uni (z), vprintf, (q0, q1); ld.param.b32 %r2, [z]; }"),
            "a call of what the engines know");
}

/* Where variables lie in their module is part of the request, not of the text. */
static void offsets(void)
{
    static const char body[] = "{ .reg .u32 %r1; ld.global.u32 %r1, [b]; st.global.u32 [c], %r1; ret; }\n";
    g_autofree char *near = g_strconcat(HEAD ".global .u32 b; .global .u32 c;\n.entry one() ", body, NULL);
    g_autofree char *far = g_strconcat(HEAD ".global .u32 a[100]; .global .u32 b; .global .u32 z; .global .u32 c;\n.entry two() ", body, NULL);
    struct ptx_module *m = open_module(far, strlen(far));
    struct ptx_function *f = open_kernel(m, "two");
    struct kernel_text t;

    compare(true, near, far, "variables at other places: one text");
    kernel_text_make(&t, m, f);
    ok(t.offsets->len == 2 && g_array_index(t.offsets, uint64_t, 0) == 400 && g_array_index(t.offsets, uint64_t, 1) == 408, "and their places");
    kernel_text_clear(&t);
    ptx_module_close(m);
    m = open_module(near, strlen(near));
    ok(!kernel_text_place(m, (uint64_t[]){1, 2, 3}, 3) && !kernel_text_place(m, (uint64_t[]){1}, 1) &&
       !kernel_text_place(m, (uint64_t[]){1, 1ull << 40}, 2), "wrong numbers of places are refused");
    ptx_module_close(m);
}

/* Functions with bodies, and addresses of functions: the whole module. */
static void whole(void)
{
    static const char calls[] = HEAD ".func (.reg .u32 %a) inc(.reg .u32 %b) { add.u32 %a, %b, 1; ret; }\n"
        ".entry one() { .reg .u32 %r<3>; mov.u32 %r1, 1; call (%r2), inc, (%r1); ret; }\n";
    struct ptx_module *m = open_module(calls, strlen(calls));
    struct ptx_function *f = open_kernel(m, "one");
    struct kernel_text t;

    kernel_text_make(&t, m, f);
    ok(t.text->len == strlen(calls) && !strcmp(t.entry, "one") && round_trips(m, f), "a kernel that calls comes with its module");
    kernel_text_clear(&t);
    ptx_module_close(m);
}

int main(int argc, char **argv)
{
    names();
    offsets();
    whole();
    for (int i = 1; i < argc; i++)
        check_file(argv[i]);
    return tap_done();
}
