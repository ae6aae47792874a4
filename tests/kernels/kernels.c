/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include <dlfcn.h>

#include "tap.h" /* here alone: it counts the tests of one source */

/* CUjit_option and CUfunction_attribute. */
enum { JIT_ERROR_LOG = 5, JIT_ERROR_LOG_SIZE = 6, FUNCTION_MAX_DYNAMIC_SHARED = 8 };

const struct shape block_shapes[] = {{1}, {31}, {32}, {33}, {96}, {256}, {1024}, {8, 4}, {5, 7}, {16, 16}, {32, 32}, {2, 3, 5}, {4, 4, 2}, {8, 4, 8}, {4, 4, 64}, {0}};
const char *variant;
CUmodule module;

static void *library;
static CUdeviceptr held[64];
static unsigned holding;

unsigned shape_count(struct shape s)
{
    return (s.x ? s.x : 1) * (s.y ? s.y : 1) * (s.z ? s.z : 1);
}

const char *shape_text(struct shape s)
{
    static char text[4][48];
    static unsigned next;
    char *to = text[next++ % 4];

    if (s.z > 1)
        snprintf(to, sizeof *text, "%ux%ux%u", s.x, s.y, s.z);
    else if (s.y > 1)
        snprintf(to, sizeof *text, "%ux%u", s.x, s.y);
    else
        snprintf(to, sizeof *text, "%u", s.x);
    return to;
}

void *kernels_symbol(const char *name)
{
    void *p = dlsym(library, name);

    if (!p) {
        printf("Bail out! %s\n", dlerror());
        exit(1);
    }
    return p;
}

static void must(int status, const char *what)
{
    if (!status)
        return;
    printf("Bail out! %s: error %d\n", what, status);
    exit(1);
}

CUdeviceptr gpu_zeros(size_t bytes)
{
    CUdeviceptr p;

    if (holding == sizeof held / sizeof *held)
        must(-1, "too many arrays");
    must(CU(cuMemAlloc_v2)(&p, bytes ? bytes : 4), "cuMemAlloc");
    must(CU(cuMemsetD8_v2)(p, 0, bytes), "cuMemsetD8");
    return held[holding++] = p;
}

CUdeviceptr gpu_copy(const void *data, size_t bytes)
{
    CUdeviceptr p = gpu_zeros(bytes);

    must(CU(cuMemcpyHtoD_v2)(p, data, bytes), "cuMemcpyHtoD");
    return p;
}

void gpu_read(void *data, CUdeviceptr from, size_t bytes)
{
    must(CU(cuMemcpyDtoH_v2)(data, from, bytes), "cuMemcpyDtoH");
}

void gpu_release(void)
{
    while (holding)
        must(CU(cuMemFree_v2)(held[--holding]), "cuMemFree");
}

int gpu_launch(const char *kernel, struct shape grid, struct shape block, unsigned shared, int cooperative, void **args)
{
    CUfunction function;
    int status = CU(cuModuleGetFunction)(&function, module, kernel);

    if (status) {
        diag("%s: error %d of cuModuleGetFunction", kernel, status);
        return 0;
    }
    if (shared > 40 << 10)
        must(CU(cuFuncSetAttribute)(function, FUNCTION_MAX_DYNAMIC_SHARED, shared), "cuFuncSetAttribute");
#define AT_LEAST_1(n) ((n) ? (n) : 1)
    status = (cooperative ? CU(cuLaunchCooperativeKernel)(function, AT_LEAST_1(grid.x), AT_LEAST_1(grid.y), AT_LEAST_1(grid.z), AT_LEAST_1(block.x),
                                AT_LEAST_1(block.y), AT_LEAST_1(block.z), shared, NULL, args)
                          : CU(cuLaunchKernel)(function, AT_LEAST_1(grid.x), AT_LEAST_1(grid.y), AT_LEAST_1(grid.z), AT_LEAST_1(block.x),
                                AT_LEAST_1(block.y), AT_LEAST_1(block.z), shared, NULL, args, NULL));
    if (!status)
        status = CU(cuCtxSynchronize)();
    if (status)
        diag("%s, blocks of %s: error %d", kernel, shape_text(block), status);
    return !status;
}

static void print_value(const char *what, const void *p, size_t size)
{
    u64 value = 0;
    float f;

    memcpy(&value, p, size < 8 ? size : 8);
    memcpy(&f, p, size < 4 ? size : 4);
    if (size == 4)
        diag("  %s %#llx (%d, %g)", what, value, (int)value, f);
    else
        diag("  %s %#llx", what, value);
}

int is_array(int launched, CUdeviceptr got, const void *want, size_t count, size_t size, const char *fmt, ...)
{
    char name[160], *data = malloc(count * size);
    const char *expected = want;
    unsigned different = 0;
    va_list ap;
    int held_true;

    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    if (launched) {
        gpu_read(data, got, count * size);
        for (size_t i = 0; i < count; i++)
            different += !!memcmp(data + i * size, expected + i * size, size);
    }
    held_true = ok(launched && !different, "%s: %s", variant, name);
    for (size_t i = 0, shown = 0; launched && i < count && shown < 3; i++)
        if (memcmp(data + i * size, expected + i * size, size)) {
            diag("element %zu of %zu (%u differ)", i, count, different);
            print_value("got ", data + i * size, size);
            print_value("want", expected + i * size, size);
            shown++;
        }
    free(data);
    return held_true;
}

int is_true(int held_true, const char *fmt, ...)
{
    char name[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    return ok(held_true, "%s: %s", variant, name);
}

u32 rnd(void)
{
    static u32 state = 1;

    return mix(state++ * 0x9e3779b9);
}

float rnd_float(float low, float high)
{
    return low + (high - low) * (float)(rnd() >> 8) / 16777216.0f;
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    long size;

    if (f && !fseek(f, 0, SEEK_END) && (size = ftell(f)) >= 0 && !fseek(f, 0, SEEK_SET) && (text = malloc(size + 1)))
        text[fread(text, 1, size, f)] = 0;
    if (f)
        fclose(f);
    return text;
}

/* Files are called group-VARIANT.ptx. */
static void run_file(const char *path)
{
    static char log[4096];
    int options[] = {JIT_ERROR_LOG, JIT_ERROR_LOG_SIZE}, status;
    void *values[] = {log, (void *)sizeof log};
    char *text = read_file(path), name[64];
    const char *start = strrchr(path, '/');

    start = strchr(start ? start : path, '-');
    snprintf(name, sizeof name, "%.*s", start ? (int)strcspn(start + 1, ".") : 0, start ? start + 1 : "");
    variant = name;
    status = text ? CU(cuModuleLoadDataEx)(&module, text, 2, (void *)options, values) : -1;
    if (ok(!status, "%s: the module loads", variant)) {
        kernels_test();
        must(CU(cuModuleUnload)(module), "cuModuleUnload");
    } else
        diag("%s: error %d\n# %s", path, status, log);
    free(text);
}

int main(int argc, char **argv)
{
    const char *require = getenv("VGPU_REQUIRE");
    CUcontext context;

    if (argc < 2) {
        if (require && !strcmp(require, "1"))
            ok(0, "no clang-19, which compiles the kernels (./configure --install-deps)");
        else
            skip(1, "no clang-19, which compiles the kernels (./configure --install-deps)");
        return tap_done();
    }
    library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library) {
        printf("Bail out! %s\n", dlerror());
        return 1;
    }
    must(CU(cuInit)(0), "cuInit");
    must(CU(cuDevicePrimaryCtxRetain)(&context, 0), "cuDevicePrimaryCtxRetain");
    must(CU(cuCtxSetCurrent)(context), "cuCtxSetCurrent");
    for (int i = 1; i < argc; i++)
        run_file(argv[i]);
    return tap_done();
}
