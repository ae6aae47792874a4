/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/engine.h"

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/log.h"
#include "jit/jit.h"
#include "jit/run.h"

#define AUTO_LAUNCHES 3 /* a kernel that comes this often is worth its compilation */

static const struct jit_module *compiler;
static unsigned wait_for; /* launches that the interpreter runs first */

/* Beside the executor, as installed; or where the build puts it. */
static void load_compiler(void)
{
    static const char *const places[] = {"%s/vgpu-jit.so", "%s/../jit/vgpu-jit.so"};
    char self[PATH_MAX], path[PATH_MAX + 32];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    void *module = NULL;

    if (n <= 0)
        return;
    self[n] = 0;
    *strrchr(self, '/') = 0;
    for (unsigned i = 0; i < sizeof places / sizeof *places && !module; i++) {
        snprintf(path, sizeof path, places[i], self);
        module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    compiler = module ? dlsym(module, "vgpu_jit_module") : NULL;
    if (compiler && compiler->version != JIT_MODULE_VERSION)
        compiler = NULL;
    if (!compiler)
        vg_log(VG_LOG_WARN, "no compiler: %s; kernels are interpreted", module ? "another version" : dlerror());
}

bool vgx_engine_init(void)
{
    const char *want = getenv("VGPU_ENGINE");

    if (!want || !*want || !strcmp(want, "interp"))
        return false;
    if (strcmp(want, "jit") && strcmp(want, "auto")) {
        vg_log(VG_LOG_WARN, "VGPU_ENGINE is %s: interp, jit and auto are known", want);
        return false;
    }
    wait_for = strcmp(want, "jit") ? AUTO_LAUNCHES : 0;
    load_compiler();
    return compiler;
}

static bool known(const struct vgx_engine *e, const uint32_t block[3])
{
    for (unsigned i = 0; i < e->n_compiled; i++)
        if (!memcmp(e->compiled[i], block, sizeof e->compiled[i]))
            return true;
    return !memcmp(e->refused, block, sizeof e->refused);
}

void vgx_engine_prepare(struct vgx_engine *e, struct interp_kernel *k, const char *name, const struct vg_launch *launch)
{
    struct jit_shape shape;
    struct jit_report report;
    void *image;

    if (!compiler || e->launches++ < wait_for || known(e, launch->block) ||
        e->n_compiled == sizeof e->compiled / sizeof *e->compiled)
        return;
    memcpy(shape.block, launch->block, sizeof shape.block);
    shape.isa = compiler->isa_default();
    image = compiler->translate(k, &shape, &report);
    if (image && jit_install(k, shape.block, image, report.code_bytes)) {
        memcpy(e->compiled[e->n_compiled++], shape.block, sizeof shape.block);
        vg_log(VG_LOG_DEBUG, "compiled %s for %u,%u,%u in %.0f ms: %u instructions, %u left to operations, %zu bytes", name,
               shape.block[0], shape.block[1], shape.block[2], report.seconds * 1e3, report.instructions, report.operations,
               report.code_bytes);
        return;
    }
    memcpy(e->refused, shape.block, sizeof shape.block);
    vg_log(VG_LOG_DEBUG, "%s stays with the interpreter: %s", name, report.why);
}
