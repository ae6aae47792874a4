/* SPDX-License-Identifier: Apache-2.0 */
/* What a parsed module promises its users: initialised data, layouts, look-ups, errors that stay, parsing by many threads. */
#include <pthread.h>
#include <stdlib.h>

#include "ptx/launch.h"
#include "tap.h"

#define HEAD ".version 8.4\n.target sm_90a\n.address_size 64\n"

static struct ptx_module *open_text(const char *text)
{
    struct ptx_error err;
    struct ptx_module *m = ptx_module_open(text, strlen(text), &err);

    if (!ok(m != NULL, "open"))
        diag("%s", err.message);
    return m;
}

static uint64_t load(const uint8_t *image, uint64_t offset, unsigned bytes)
{
    uint64_t v = 0;

    memcpy(&v, image + offset, bytes);
    return v;
}

static uint64_t at(struct ptx_module *m, const char *name)
{
    struct ptx_symbol *s = ptx_find_symbol(m, name);

    ok(s != NULL, "%s exists", name);
    return s ? s->offset : 0;
}

static void test_image(void)
{
    static const char text[] = HEAD
        ".global .b8 one = 1;\n"
        ".global .align 32 .u16 words[2][3] = {{1, 2}, {0xffff}};\n"
        ".global .f32 floats[] = {0f3f800000, 2.5, -1.0};\n"
        ".func f() { ret; }\n"
        ".global .u64 addresses[4] = {words+2, generic(one)+5, f};\n"
        ".global .u8 bytes[4] = {0xff(words), 0xff00(words), 7};\n"
        ".const .v4 .s32 vector[2] = {{1, -2}, {3}};\n"
        ".global .b8 huge[0x10000000] = {9};\n"
        ".extern .global .u32 later;\n"
        ".global .b16 halves[2] = {0d4004000000001234, 0f3f812345};\n"
        ".global .b32 narrowed = 0d4004000000000000;\n"
        ".global .b64 widened = 0f40200000;\n"
        ".visible .global .u32 later = 42;\n";
    struct ptx_module *m = open_text(text);
    struct vg_binding b = {.data = 0x200000400000, .functions = 0x1f0000000000};
    uint64_t words;
    uint8_t *image;

    if (!m)
        return;
    image = malloc(m->data_size);
    vg_image_fill(m, &b, image);
    words = at(m, "words");
    is_u64(words % 32, 0, "alignment");
    is_u64(m->data_align, 32, "alignment of the image");
    is_u64(load(image, at(m, "one"), 1), 1, "a byte");
    is_u64(load(image, words + 2, 2), 2, "an element");
    is_u64(load(image, words + 4, 2), 0, "what a row leaves out is zero");
    is_u64(load(image, words + 6, 2), 0xffff, "the second row starts at its place");
    is_u64(load(image, at(m, "floats") + 8, 4), 0xbf800000, "a decimal float");
    is_u64(ptx_find_symbol(m, "floats")->size, 12, "an array takes its size from its values");
    is_u64(load(image, at(m, "addresses"), 8), b.data + words + 2, "an address with an offset");
    is_u64(load(image, at(m, "addresses") + 8, 8), b.data + at(m, "one") + 5, "a generic address");
    is_u64(load(image, at(m, "addresses") + 16, 8), b.functions, "a function's address");
    is_u64(load(image, at(m, "bytes"), 4), ((b.data + words) & 0xffff) | 7 << 16, "bytes of an address");
    is_u64(load(image, at(m, "vector") + 4, 4), 0xfffffffe, "an element of a vector");
    is_u64(load(image, at(m, "vector") + 16, 4), 3, "the next vector");
    is_u64(load(image, at(m, "huge"), 8), 9, "a large array");
    ok(ptx_find_symbol(m, "huge")->init_size == 1, "only its written part is kept");
    is_u64(load(image, at(m, "later"), 4), 42, "an extern variable takes its definition");
    is_u64(load(image, at(m, "halves"), 4), 0x23451234, "a floating-point number in an untyped variable: its low bits, as ptxas has it");
    is_u64(load(image, at(m, "narrowed"), 4), 0x40200000, "a double in a .b32 becomes an f32");
    is_u64(load(image, at(m, "widened"), 8), 0x40200000, "an f32 in a .b64 does not become a double");
    ok(!ptx_find_symbol(m, "f") && ptx_find_function(m, "f") && !ptx_find_function(m, "one"), "look-ups tell kinds apart");
    free(image);
    ptx_module_close(m);
}

static void test_params(void)
{
    static const char text[] = HEAD
        ".entry k(.param .u8 a, .param .u64 b, .param .align 16 .b8 c[20], .param .u16 d)\n"
        "    .maxntid 128, 2 .minnctapersm 3 .reqnctapercluster 2 .maxnreg 99 { ret; }\n";
    struct ptx_module *m = open_text(text);
    struct ptx_function *f = m ? ptx_find_function(m, "k") : NULL;
    static const uint64_t want[] = {0, 8, 16, 36};

    if (!f)
        return;
    is_u64(f->nparams, 4, "parameters");
    for (uint32_t i = 0; i < f->nparams; i++)
        is_u64(m->symbols[f->first_param + i].offset, want[i], "offset of parameter %u", i);
    is_u64(f->param_size, 38, "size of the parameter buffer");
    ok(f->maxntid[0] == 128 && f->maxntid[1] == 2 && f->maxntid[2] == 1 && f->minnctapersm == 3 && f->maxnreg == 99 &&
       f->cluster[0] == 2 && !f->reqntid[0], "performance directives");
    ptx_module_close(m);
}

static void test_shared(void)
{
    static const char text[] = HEAD
        ".shared .align 4 .b8 pool[6]; .shared .u64 other; .shared .u64 never;\n"
        ".extern .shared .align 128 .b8 dynamic[];\n"
        ".func leaf() { .shared .u32 mine; .reg .b32 %r<2>; st.shared.u32 [mine], 1; mov.u32 %r1, other; bar.sync 5; ret; }\n"
        ".func middle() { call leaf; ret; }\n"
        ".entry a() { .reg .b32 %r<2>; mov.u32 %r1, pool; call middle; ret; }\n"
        ".entry b() { .reg .b32 %r<2>; mov.u32 %r1, dynamic; mov.u32 %r1, pool; ret; }\n";
    struct ptx_module *m = open_text(text);
    struct ptx_function *a, *b;
    struct ptx_error err;

    if (!m)
        return;
    a = ptx_find_function(m, "a");
    b = ptx_find_function(m, "b");
    ok(ptx_function_close(m, a, &err) && ptx_function_close(m, a, &err), "close twice");
    ok(ptx_function_close(m, b, &err), "close the other");
    is_u64(a->nshared_uses, 3, "a uses its own and its callees' variables");
    is_u64(a->shared_size, 20, "their size: 6, then 8 at 8, then 4 at 16");
    is_u64(a->barriers, 6, "barriers of callees count");
    ok(ptx_shared_offset(a, 0) == 0 && ptx_shared_offset(a, 1) == 8 && ptx_shared_offset(a, 2) == -1, "offsets");
    ok(!a->uses_dynamic_shared && b->uses_dynamic_shared, "dynamic shared memory");
    is_u64(b->shared_size, 128, "dynamic memory starts aligned behind the static");
    is_u64(b->shared_align, 128, "alignment");
    is_u64(ptx_shared_offset(b, ptx_find_symbol(m, "dynamic") - m->symbols), 128, "where it starts");
    ptx_module_close(m);
}

/* An indirect call can meet what another kernel takes the address of, but not what is refused. */
static void test_pointers(void)
{
    static const char text[] = HEAD
        ".global .u64 where;\n"
        ".func one() { ret; }\n"
        ".func two() { ret; }\n"
        ".func refused() { mbarrier.inval.b64 [0]; }\n"
        ".func never() { ret; }\n"
        ".global .u64 list[2] = {two, refused};\n"
        ".entry sets() { .reg .b64 %r<2>; mov.u64 %r1, one; st.global.u64 [where], %r1; ret; }\n"
        ".entry calls() { .reg .b64 %r<2>; ld.global.u64 %r1, [where]; p: .callprototype _ (); call %r1, p; ret; }\n";
    struct ptx_module *m = open_text(text);
    struct ptx_function *f = m ? ptx_find_function(m, "calls") : NULL;
    struct ptx_error err;

    if (!f)
        return;
    ok(ptx_function_close(m, f, &err), "a refused function does not spoil indirect calls");
    ok(f->nreach == 3 && f->reach[0] == f->index && f->reach[1] == 0 && f->reach[2] == 1, "reached: itself, one, two");
    f = ptx_find_function(m, "sets");
    ok(ptx_function_close(m, f, &err) && f->nreach == 2, "who only takes the address reaches it alone");
    ptx_module_close(m);
}

static void test_errors(void)
{
    static const char text[] = HEAD
        ".extern .func nothing();\n"
        ".func bad() {\n  add.f32 x;\n}\n"
        ".entry uses() { call bad; ret; }\n"
        ".entry fine() { call nothing; ret; }\n";
    struct ptx_module *m = open_text(text);
    struct ptx_error first, again;

    if (!m)
        return;
    ok(!ptx_function_close(m, ptx_find_function(m, "uses"), &first), "a callee's error is the caller's");
    is_u64(first.code, 218, "its code");
    is_u64(first.line, 6, "its line");
    is_str(first.message, "line 6: 'x' is not declared", "its message");
    ok(!ptx_function_parse(m, ptx_find_function(m, "bad"), &again) && !strcmp(first.message, again.message), "it stays");
    ok(!ptx_find_function(m, "bad")->insns, "nothing is left of a refused body");
    ok(ptx_function_close(m, ptx_find_function(m, "fine"), &again), "a function without a body can be called");
    ok(!ptx_function_parse(m, ptx_find_function(m, "nothing"), &again), "but not parsed");
    ptx_module_close(m);
    ok(!ptx_module_open("", 0, &again) && again.code == 218, "no text");
    ok(!ptx_module_open("\0\0", 2, &again) && again.code == 218, "only NULs");
    ok(!ptx_module_open(HEAD ".global .u32 x\0;", sizeof HEAD + 15, &again), "a NUL inside");
    m = ptx_module_open(HEAD "\0\0\0", sizeof HEAD + 2, &again);
    ok(m && m->version_major == 8 && m->version_minor == 4 && m->target == 90 && m->target_arch_specific, "NULs at the end");
    ptx_module_close(m);
}

#define FUNCTIONS 200

static void *parse_all(void *arg)
{
    struct ptx_module *m = arg;
    struct ptx_error err;
    uintptr_t bad = 0;

    for (uint32_t i = 0; i < m->nfunctions; i++)
        bad += !ptx_function_close(m, &m->functions[i], &err);
    return (void *)bad;
}

static void test_threads(void)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    struct ptx_module *m;
    pthread_t threads[4];
    uintptr_t bad = 0;
    int same = 1;

    fprintf(f, HEAD ".shared .u32 s[10];\n");
    for (int i = 0; i < FUNCTIONS; i++) {
        fprintf(f, ".func f%d(.param .b32 p) { .reg .b32 %%r<9>; .local .u32 l%d; ld.param.b32 %%r1, [p];"
                   " st.shared.b32 [s+4], %%r1; ", i, i);
        if (i)
            fprintf(f, "{ .param .b32 q; call f%d, (q); }", i / 2);
        fprintf(f, "}\n");
    }
    fclose(f);
    m = open_text(text);
    for (int i = 0; m && i < 4; i++)
        pthread_create(&threads[i], NULL, parse_all, m);
    for (int i = 0; m && i < 4; i++) {
        void *result;

        pthread_join(threads[i], &result);
        bad += (uintptr_t)result;
    }
    is_u64(bad, 0, "four threads parse the same functions");
    for (uint32_t i = 0; m && i < m->nfunctions; i++)
        same &= m->functions[i].parsed && m->functions[i].shared_size == 40 && m->functions[i].local_size == 4;
    ok(same, "each once");
    ptx_module_close(m);
    free(text);
}

int main(void)
{
    test_image();
    test_params();
    test_shared();
    test_pointers();
    test_errors();
    test_threads();
    return tap_done();
}
