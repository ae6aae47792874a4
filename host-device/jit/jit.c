/* SPDX-License-Identifier: Apache-2.0 */
/* The drive through the passes. */
#include "jit/jit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "jit/brief.h"
#include "jit/code.h"
#include "jit/emit.h"
#include "jit/flushed.h"
#include "jit/meet.h"

static bool wants(char letter)
{
    const char *want = getenv("VGPU_JIT_DUMP");

    return want && strchr(want, letter);
}

static void set_types(struct emit *e)
{
    e->i1 = LLVMInt1TypeInContext(e->context);
    e->i8 = LLVMInt8TypeInContext(e->context);
    e->i16 = LLVMInt16TypeInContext(e->context);
    e->i32 = LLVMInt32TypeInContext(e->context);
    e->i64 = LLVMInt64TypeInContext(e->context);
    e->none = LLVMVoidTypeInContext(e->context);
    e->ptr = LLVMPointerTypeInContext(e->context, 0);
}

/* From IR to machine code; NULL and 'why' when it does not work out. */
static void *translate(struct emit *e, size_t *size)
{
    LLVMMemoryBufferRef object;
    LLVMTypeRef type;
    void *volatile image = NULL;

    e->context = LLVMContextCreate();
    e->module = LLVMModuleCreateWithNameInContext("kernel", e->context);
    e->b = LLVMCreateBuilderInContext(e->context);
    set_types(e);
    type = LLVMFunctionType(e->none, &e->ptr, 1, false);
    e->fn = LLVMAddFunction(e->module, "kernel", type);
    e->env = LLVMGetParam(e->fn, 0);
    jit_code_attributes(e->fn, &e->shape);
    if (e->daz)
        jit_code_flushes(e->fn);
    if (!setjmp(e->fail)) {
        emit_function(e);
        object = jit_code_generate(e->module, &e->shape, e->why, e->why_size);
        if (object) {
            image = jit_object_link(LLVMGetBufferStart(object), LLVMGetBufferSize(object), size, e->why, e->why_size);
            LLVMDisposeMemoryBuffer(object);
        }
    }
    LLVMDisposeBuilder(e->b);
    LLVMDisposeModule(e->module);
    LLVMContextDispose(e->context);
    return image;
}

/* Memory of one compilation. */
struct store {
    void *taken[32];
    unsigned n;
    bool failed;
};

static void *take(struct store *s, size_t n, size_t size)
{
    void *p = s->n < sizeof s->taken / sizeof *s->taken ? calloc(n + 1, size) : NULL;

    if (p)
        s->taken[s->n++] = p;
    s->failed |= !p;
    return p;
}

static void give_all_back(struct store *s)
{
    while (s->n)
        free(s->taken[--s->n]);
}

static bool analyse(struct emit *e)
{
    if (!jit_find_spins(e->u, e->spins) || !jit_raw_find(e->f, e->raw) || !jit_brief_find(e->flow, e->brief) ||
        !emit_root_begin(e))
        return false;
    jit_flushed_find(e->f, e->flushed);
    e->daz = jit_all_flush(e->f, e->flushed);
    return true;
}

/* 'together' NULL: the kernel is there once. */
static void *compile(const struct interp_kernel *k, const struct jit_uniform *u, const struct jit_uniform *together,
                     const struct jit_reach *reach, const struct jit_shape *shape, struct jit_report *report)
{
    const struct jit_flow *w = u->flow;
    struct emit e = {.u = u, .flow = w, .reach = reach, .f = w->f, .k = k, .func = k->entry, .shape = *shape,
                     .why = report->why, .why_size = sizeof report->why, .lists_operations = wants('l')};
    size_t nregs = w->f->nregs;
    struct store s = {.n = 0};
    void *image = NULL;

    e.var = take(&s, nregs, sizeof *e.var);
    e.value = take(&s, nregs, sizeof *e.value);
    e.common = take(&s, nregs, sizeof *e.common);
    e.set_in = take(&s, nregs, sizeof *e.set_in);
    e.brief = take(&s, nregs, sizeof *e.brief);
    e.growth = take(&s, nregs, sizeof *e.growth);
    e.read = take(&s, nregs, sizeof *e.read);
    e.written = take(&s, nregs, sizeof *e.written);
    e.constant = take(&s, nregs, sizeof *e.constant);
    e.flushed = take(&s, nregs, sizeof *e.flushed);
    e.raw = take(&s, nregs, sizeof *e.raw);
    e.origin = take(&s, w->f->ninsns, sizeof *e.origin);
    e.waiting = take(&s, w->n, sizeof *e.waiting);
    e.at = take(&s, w->n, sizeof *e.at);
    e.changed = take(&s, (w->n + 1) * (size_t)w->words, sizeof *e.changed);
    e.settled = take(&s, w->words, sizeof *e.settled);
    e.other.u = together;
    e.other.var = take(&s, nregs, sizeof *e.other.var);
    e.other.value = take(&s, nregs, sizeof *e.other.value);
    e.other.waiting = take(&s, w->n, sizeof *e.other.waiting);
    e.other.at = take(&s, w->n, sizeof *e.other.at);
    e.other.changed = take(&s, (w->n + 1) * (size_t)w->words, sizeof *e.other.changed);
    e.next.list = take(&s, w->n + 1, sizeof *e.next.list);
    e.spins = take(&s, w->n_loops, sizeof *e.spins);
    if (!s.failed && analyse(&e))
        image = translate(&e, &report->code_bytes);
    else
        snprintf(report->why, sizeof report->why, "out of memory");
    report->operations = e.operations;
    free(e.sites);
    give_all_back(&s);
    return image;
}

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Twice the code is worth it where loops gain; the largest kernels take long to compile as it is. */
#define TOGETHER_MAX 4096

static void *generate(const struct interp_kernel *k, const struct jit_flow *flow, const struct jit_shape *shape, struct jit_report *report)
{
    struct jit_uniform u = {0}, together = {0};
    struct jit_reach reach = {0};
    bool twice = flow->f->ninsns <= TOGETHER_MAX;
    void *image = NULL;

    if (!jit_uniform_find(&u, flow, shape->block, false) || (twice && !jit_uniform_find(&together, flow, shape->block, true)) ||
        !jit_reach_find(&reach, flow)) {
        snprintf(report->why, sizeof report->why, "out of memory");
    } else {
        twice = twice && jit_better_together(&together, &u);
        if (wants('u'))
            jit_uniform_dump(&u, stderr);
        if (wants('u') && twice)
            jit_uniform_dump(&together, stderr);
        image = compile(k, &u, twice ? &together : NULL, &reach, shape, report);
    }
    jit_uniform_free(&u);
    jit_uniform_free(&together);
    jit_reach_free(&reach);
    return image;
}

void *jit_generate(const struct interp_kernel *kernel, const struct jit_shape *shape, struct jit_report *report)
{
    const struct interp_kernel *k = interp_kernel_flat(kernel);
    struct jit_flow flow;
    void *image = NULL;

    *report = (struct jit_report){.seconds = cpu_seconds(), .instructions = kernel->f->ninsns};
    if (!k)
        snprintf(report->why, sizeof report->why, "out of memory");
    else if (jit_flow_find(&flow, k->m, k->f, report->why, sizeof report->why)) {
        if (wants('f'))
            jit_flow_dump(&flow, stderr);
        image = generate(k, &flow, shape, report);
        jit_flow_free(&flow);
    }
    report->seconds = cpu_seconds() - report->seconds;
    return image;
}

/* Sealed: nobody can write to it any more, neither through the file nor through a mapping. */
static void *seal_and_map(const uint8_t *code, size_t n)
{
    int fd = memfd_create("vgpu-code", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *at = MAP_FAILED;
    size_t done = 0;

    while (fd >= 0 && done < n) {
        ssize_t m = write(fd, code + done, n - done);

        if (m <= 0)
            break;
        done += (size_t)m;
    }
    if (fd >= 0 && done == n && !fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        at = mmap(NULL, n, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    return at == MAP_FAILED ? NULL : at;
}

void *jit_translate(const struct interp_kernel *k, const struct jit_shape *shape, struct jit_report *report)
{
    struct jit_shape here = *shape;
    void *code, *at = NULL;

    here.extensions = jit_extensions(here.isa);
    code = jit_generate(k, &here, report);
    if (code) {
        at = seal_and_map(code, report->code_bytes);
        if (!at)
            snprintf(report->why, sizeof report->why, "code cannot be mapped");
    }
    free(code);
    return at;
}
