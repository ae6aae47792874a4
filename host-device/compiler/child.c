/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/compiler.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "code/entry.h"
#include "code/kernel_text.h"
#include "interp/warp.h"
#include "jit/jit.h"

#define MEMORY_MAX (UINT64_C(6) << 30) /* of address space: LLVM's own libraries are in it */
#define BASE_SECONDS 60
#define SECONDS_A_KIB 1                /* some thirty instructions */
#define MOST_SECONDS 600

unsigned compile_seconds(size_t n)
{
    const char *set = getenv("VGPU_COMPILE_SECONDS");
    unsigned long seconds = set && *set ? strtoul(set, NULL, 10) : 0;

    if (!seconds)
        seconds = BASE_SECONDS + n / 1024 * SECONDS_A_KIB;
    return seconds < MOST_SECONDS ? (unsigned)seconds : MOST_SECONDS;
}

static bool limit(int what, uint64_t soft, uint64_t hard)
{
    return !setrlimit((__rlimit_resource_t)what, &(struct rlimit){soft, hard});
}

static bool confine(size_t n)
{
    unsigned seconds = compile_seconds(n);

    return limit(RLIMIT_CORE, 0, 0) && limit(RLIMIT_CPU, seconds, seconds + 1) && limit(RLIMIT_FSIZE, CODE_FILE_MAX, CODE_FILE_MAX) &&
#ifndef __SANITIZE_ADDRESS__ /* which reserves terabytes */
           limit(RLIMIT_AS, MEMORY_MAX, MEMORY_MAX) &&
#endif
           compiler_sandbox_child();
}

static bool refuse(struct code_entry *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct code_entry *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->why, sizeof e->why, fmt, ap);
    va_end(ap);
    e->status = CODE_REFUSED;
    return false;
}

/* The kernel as the asker has it: from its text, by the same steps. Nothing is freed: the process ends soon. */
static struct interp_kernel *read_kernel(struct code_entry *e, const struct code_request_view *v)
{
    /* Code has no addresses of its own process in it: any place will do. */
    static const struct vg_binding anywhere = {VGPU_IMAGE_BASE, VGPU_FUNCTION_BASE};
    char *name = strndup(v->name, v->head.name_size);
    struct ptx_error err = {0};
    struct ptx_module *m = ptx_module_open(v->text, v->head.text_size, &err);
    struct ptx_function *f = m && name ? ptx_find_function(m, name) : NULL;
    struct code_measures measures;
    struct interp_kernel *k;

    if (!m || (f && !ptx_function_close(m, f, &err))) {
        refuse(e, "%s", err.message);
        return NULL;
    }
    if (!f || !f->is_entry || (v->head.n_offsets && !kernel_text_place(m, v->offsets, v->head.n_offsets))) {
        refuse(e, "the request names no kernel");
        return NULL;
    }
    k = interp_kernel_new(m, f, &anywhere, &err);
    if (!k) {
        refuse(e, "%s", err.message);
        return NULL;
    }
    measures = code_measure(k);
    if (memcmp(&measures, &v->head.measures, sizeof measures)) {
        refuse(e, "the request's text is not the kernel that it was made from");
        return NULL;
    }
    return k;
}

static void *compile(struct code_entry *e, const void *request, size_t n)
{
    struct code_request_view v;
    struct jit_report report;
    struct jit_shape shape;
    struct interp_kernel *k;
    void *code;

    if (!code_request_read(request, n, &v)) {
        refuse(e, "malformed request");
        return NULL;
    }
    k = read_kernel(e, &v);
    if (!k)
        return NULL;
    shape = (struct jit_shape){
        .block = {v.head.block[0], v.head.block[1], v.head.block[2]}, .isa = (enum jit_isa)v.head.isa, .extensions = v.head.extensions
    };
    code = jit_generate(k, &shape, &report);
    e->instructions = report.instructions;
    e->operations = report.operations;
    e->milliseconds = (uint32_t)(report.seconds * 1e3);
    e->size = code ? report.code_bytes : 0;
    if (!code || report.code_bytes > CODE_MAX) {
        refuse(e, "%s", code ? "too much code" : report.why);
        e->size = 0;
        return NULL;
    }
    e->status = CODE_READY;
    return code;
}

void compile_child(const void *request, size_t n, int file)
{
    struct code_entry e = {.status = CODE_REFUSED}; /* the parent writes the rest: magic, key, checksum */
    static char page[CODE_OFFSET];
    void *code;

    if (!confine(n))
        _exit(2);
    code = compile(&e, request, n);
    memcpy(page, &e, sizeof e);
    if (!code_write(file, page, sizeof page) || (code && !code_write(file, code, e.size)))
        _exit(3);
    _exit(0);
}
