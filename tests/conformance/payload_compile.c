/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of the payload's modules, compiled: every one that the front end takes becomes code.
 *
 *   payload_compile FETCH [MODULES [ENTRIES]]      FETCH: vm-images/payload/fetch
 *
 * MODULES (ten) images, spread over those of CUDA 12's library for sm_61 and CUDA 13's for sm_80; of each, ENTRIES (two; 0: all)
 * spread over its kernels, for blocks as .reqntid or .maxntid allow. One test a module; milliseconds a PTX instruction, memory and
 * what stays with the interpreter are told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "interp/interp.h"
#include "jit/jit.h"
#include "ptx/fatbin.h"
#include "ptx/images.h"
#include "tap.h"

static const struct vg_binding anywhere = {UINT64_C(1) << 45, (UINT64_C(1) << 45) + (UINT64_C(1) << 30)};

static struct {
    unsigned sm;
    unsigned wanted, entries;  /* modules of this library; kernels of each, 0: all */
    unsigned count, seen;      /* its modules; those passed */
    double seconds;
    unsigned long instructions, kernels, operations;
} run;

static void shape_of(const struct ptx_function *f, uint32_t block[3])
{
    const uint32_t *given = f->reqntid[0] ? f->reqntid : f->maxntid;

    for (int i = 0; i < 3; i++)
        block[i] = given[i] ? given[i] : 1;
    if (!given[0])
        block[0] = 256;
}

static bool compile(struct ptx_module *m, struct ptx_function *f)
{
    struct jit_shape shape = {.isa = jit_isa_default()};
    struct jit_report report;
    struct interp_kernel *k;
    struct ptx_error err;
    void *code;

    if (!ptx_function_close(m, f, &err) || !(k = interp_kernel_new(m, f, &anywhere, &err))) {
        diag("%s: %s", f->name, err.message);
        return false;
    }
    shape.extensions = jit_extensions(shape.isa);
    shape_of(f, shape.block);
    code = jit_generate(k, &shape, &report);
    if (!code)
        diag("%s stays with the interpreter: %s", f->name, report.why);
    free(code);
    interp_kernel_free(k);
    run.seconds += report.seconds;
    run.instructions += report.instructions;
    run.operations += report.operations;
    run.kernels++;
    return code;
}

static void compile_module(const char *label, const char *text, size_t size)
{
    struct ptx_error err;
    struct ptx_module *m = ptx_module_open(text, size, &err);
    unsigned entries = 0, at = 0, done = 0, good = 0;

    if (!ok(m, "%s is read", label))
        return;
    for (uint32_t i = 0; i < m->nfunctions; i++)
        entries += m->functions[i].is_entry;
    for (uint32_t i = 0; i < m->nfunctions; i++) {
        if (!m->functions[i].is_entry)
            continue;
        /* Of n things, those where (number * wanted) mod n wraps are 'wanted' of them, evenly spread. */
        if (!run.entries || run.entries >= entries || at * run.entries % entries < run.entries) {
            good += compile(m, &m->functions[i]);
            done++;
        }
        at++;
    }
    ok(good == done, "%s: %u of %u kernels compiled, of %u", label, good, done, entries);
    ptx_module_close(m);
}

static void visit_members(const char *label, const uint8_t *p, size_t n, bool counts)
{
    struct vg_fatbin_walk w;
    struct vg_fatbin_member member;
    struct ptx_error err;
    char name[160];
    size_t size;
    char *text;

    vg_fatbin_begin(&w, p, n);
    while (vg_fatbin_next(&w, &member) > 0) {
        if (member.kind != VG_FATBIN_PTX || member.sm != run.sm)
            continue;
        if (counts) {
            run.count++;
            continue;
        }
        if (run.seen++ * run.wanted % run.count >= run.wanted)
            continue;
        snprintf(name, sizeof name, "%.100s (sm_%u)", strrchr(label, '/') ? strrchr(label, '/') + 1 : label, run.sm);
        text = fatbin_text(&member, &size, &err);
        if (text)
            compile_module(name, text, size);
        else
            ok(0, "%s: %s", name, err.message);
        free(text);
    }
}

static void on_container(void *counts, const char *label, const uint8_t *p, size_t n)
{
    visit_members(label, p, n, counts);
}

static void on_text(void *counts, const char *label, const char *text, size_t size)
{
    (void)counts, (void)label, (void)text, (void)size;
}

static bool find_payload(const char *fetch, char *path, size_t size)
{
    char command[4096];
    FILE *f;
    bool found;

    snprintf(command, sizeof command, "'%s' --find", fetch);
    f = popen(command, "r");
    found = f && fgets(path, (int)size, f);
    if (f)
        pclose(f);
    if (found)
        path[strcspn(path, "\n")] = 0;
    return found && *path;
}

static void library(const char *payload, const char *set, unsigned sm, unsigned modules, unsigned entries)
{
    struct ptx_image_visitor v = {on_container, on_text, NULL};
    char path[4200];
    bool good;

    snprintf(path, sizeof path, "%s/lib/ollama/%s/libggml-cuda.so", payload, set);
    run.sm = sm;
    run.entries = entries;
    run.count = run.seen = 0;
    v.arg = &run;
    good = ptx_images_visit("payload_compile", path, &v) && run.count;
    ok(good, "the library in %s has %u modules for sm_%u", set, run.count, sm);
    run.wanted = modules < run.count ? modules : run.count;
    v.arg = NULL;
    if (run.wanted)
        ptx_images_visit("payload_compile", path, &v);
}

int main(int argc, char **argv)
{
    unsigned modules = argc > 2 ? (unsigned)atoi(argv[2]) : 10, entries = argc > 3 ? (unsigned)atoi(argv[3]) : 2;
    const char *require = getenv("VGPU_REQUIRE");
    struct rusage use;
    char payload[4096];

    if (argc < 2)
        return 2;
    if (!find_payload(argv[1], payload, sizeof payload)) {
        if (require && !strcmp(require, "1"))
            ok(0, "payload npm (make payloads)");
        else
            skip(1, "payload npm (make payloads)");
        return tap_done();
    }
    library(payload, "cuda_v12", 61, modules / 2, entries);
    library(payload, "cuda_v13", 80, modules - modules / 2, entries);
    getrusage(RUSAGE_SELF, &use);
    diag("%lu kernels, %lu instructions in %.1f s: %.3f ms each; %lu left to operations; %ld MiB at most", run.kernels, run.instructions,
         run.seconds, run.instructions ? run.seconds * 1e3 / (double)run.instructions : 0, run.operations, use.ru_maxrss / 1024);
    return tap_done();
}
