/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that NVIDIA's runtime library, linked statically into most CUDA programs, asks for with cuGetExportTable before
 * its first call. They are not documented; names, slots and meanings are facts from public open-source work (ZLUDA's
 * dark_api) and from watching which are asked for. A table's first word is its size in bytes, but for context storage.
 *
 * A table that is not here is refused, and a slot that is not known returns NOT_SUPPORTED, so that what a later runtime
 * needs fails where it is asked for and is named in the log. */
#include "cuda/runtime_tables.h"

#include <string.h>

#include "cuda/driver.h"

typedef void slot(void);

#define WAY_OUT "link it with -cudart shared, or leave its symbols in it (no strip) and preload libvgpu-static.so as vgpu run does"

static int unknown(void)
{
    vgpu_log(VGPU_LOG_WARN, "the CUDA runtime in this program calls a private function of the driver that is not known; "
                            "if the program fails, " WAY_OUT);
    return CUDA_ERROR_NOT_SUPPORTED;
}

/* ---- loading code, the primary context ---- */

static int load(CUmodule *module, const void *wrapper)
{
    return impl_cuModuleLoadData(module, wrapper);
}

static int load_wrapped(CUmodule *module, const void *wrapper, void *a, void *b, uint32_t c)
{
    return impl_cuModuleLoadData(module, wrapper);
}

static int load_header(const void *fatbin, CUmodule *module, void *a, void *b, uint32_t c)
{
    return impl_cuModuleLoadFatBinary(module, fatbin);
}

/* The handle alone: retaining it is another call. */
static int primary_context(CUcontext *context, CUdevice device)
{
    return vgpu_primary_handle(context, device);
}

/* PTX is compiled on the host: there is nothing to load. */
static int load_compilers(void)
{
    return 0;
}

/* ---- room for tools that watch the runtime; there are none ---- */

static uint32_t hook_words[1024], more_hook_words[14];

static void hooks(void **words, size_t *n)
{
    *words = hook_words;
    *n = sizeof hook_words / sizeof *hook_words;
}

static void more_hooks(void **words, size_t *n)
{
    *words = more_hook_words;
    *n = sizeof more_hook_words / sizeof *more_hook_words;
}

/* ---- checks ---- */

/* Bits that are never seen set. */
static int check_context(CUcontext context, uint32_t *result, void **what)
{
    if (!result)
        return CUDA_ERROR_INVALID_VALUE;
    *result = 0;
    return 0;
}

static uint32_t check(void)
{
    return 0;
}

/* The runtime asks its driver to prove, with a key of NVIDIA's, that it is NVIDIA's. This one is not, and does not say so;
 * such a runtime answers every call with an error then. vgpu's libcudart does not ask. */
static int prove(uint32_t version, uint64_t seconds, uint64_t result[2])
{
    vgpu_log(VGPU_LOG_WARN, "NVIDIA's CUDA runtime is linked into this program and works with NVIDIA's driver alone: " WAY_OUT);
    return CUDA_ERROR_NOT_SUPPORTED;
}

/* ---- the tables ---- */

#define SIZE(n) (slot *)(uintptr_t)((n) * sizeof(slot *))
#define F(function) (slot *)(function)
#define U (slot *)unknown

static slot *const cudart_interface[] = {SIZE(13), F(load), F(primary_context), U, U, U, F(load_wrapped), U, F(load_header), U, U,
                                         U, F(load_compilers)};
static slot *const tools_tls[] = {SIZE(4), U, U, U};
static slot *const callback_hooks[] = {SIZE(7), U, F(hooks), U, U, U, F(more_hooks)};
static slot *const context_storage[] = {F(vgpu_storage_put), F(vgpu_storage_delete), F(vgpu_storage_get), U};
static slot *const integrity[] = {SIZE(3), F(prove), U};
static slot *const context_checks[] = {SIZE(4), U, F(check_context), F(check)};

static const struct table {
    const char *name;
    unsigned char id[16];
    slot *const *slots; /* NULL: refused */
} tables[] = {
#define ID(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
    {0x##a, 0x##b, 0x##c, 0x##d, 0x##e, 0x##f, 0x##g, 0x##h, 0x##i, 0x##j, 0x##k, 0x##l, 0x##m, 0x##n, 0x##o, 0x##p}
    {"runtime interface", ID(6b, d5, fb, 6c, 5b, f4, e7, 4a, 89, 87, d9, 39, 12, fd, 9d, f9), cudart_interface},
    {"tools' thread storage", ID(42, d8, 5a, 81, 23, f6, cb, 47, 82, 98, f6, e7, 8a, 3a, ec, dc), tools_tls},
    {"callback hooks", ID(a0, 94, 79, 8c, 2e, 74, 2e, 74, 93, f2, 08, 00, 20, 0c, 0a, 66), callback_hooks},
    {"context storage", ID(c6, 93, 33, 6e, 11, 21, df, 11, a8, c3, 68, f3, 55, d8, 95, 93), context_storage},
    {"integrity", ID(d4, 08, 20, 55, bd, e6, 70, 4b, 8d, 34, ba, 12, 3c, 66, e1, f2), integrity},
    {"context checks", ID(26, 3e, 88, 60, 7c, d2, 61, 43, 92, f6, bb, d5, 00, 6d, fa, 7e), context_checks},
    /* Known by name, not needed: */
    {"context creation", ID(0c, a5, 0b, 8c, 10, 04, 92, 9a, 89, a7, d0, df, 10, e7, 72, 86), NULL},
    {"heap access", ID(19, 5b, cb, f4, d6, 7d, 02, 4a, ac, c5, 1d, 29, ce, a6, 31, ae), NULL},
    {"device extensions", ID(b1, 05, 41, e1, f7, c7, c7, 4a, 9f, 64, f2, 23, be, 99, f1, e2), NULL},
    {"first of CUDA 13", ID(f8, cf, f9, 51, 21, 46, 8b, 4e, b9, e2, fb, 46, 9e, 7c, 0d, d9), NULL},
};

const void *vgpu_runtime_table(const void *id)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (!memcmp(tables[i].id, id, sizeof tables[i].id)) {
            vgpu_log(VGPU_LOG_DEBUG, "the CUDA runtime asks for its table '%s'%s", tables[i].name,
                     tables[i].slots ? "" : ": refused");
            return tables[i].slots;
        }
    const unsigned char *b = id;
    vgpu_log(VGPU_LOG_WARN, "the private table %02x%02x%02x%02x-%02x%02x... of the driver is not known; if a program linked with a "
                            "static CUDA runtime fails now, " WAY_OUT, b[0], b[1], b[2], b[3], b[4], b[5]);
    return NULL;
}
