/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include <dlfcn.h>

#include "tap.h" /* here alone: it counts the tests of one source */

/* CUjit_option and CUfunction_attribute. */
enum { JIT_ERROR_LOG = 5, JIT_ERROR_LOG_SIZE = 6, FUNCTION_MAX_DYNAMIC_SHARED = 8 };

const struct shape block_shapes[] = {{1}, {31}, {32}, {33}, {96}, {256}, {1024},
                                     {1, 31}, {8, 4}, {3, 11}, {12, 8}, {16, 16}, {32, 32},
                                     {1, 1, 31}, {4, 4, 2}, {3, 1, 11}, {4, 6, 4}, {8, 4, 8}, {4, 4, 64}, {0}};
static const unsigned block_sizes[] = {1, 31, 32, 33, 96, 256, 1024};
enum { SIZES = sizeof block_sizes / sizeof *block_sizes };
const char *variant;
CUmodule module;

static void *library;
static CUdeviceptr held[64];
static unsigned holding;
/* While a listed kernel runs: what its checks found. */
static struct {
    int listed;
    unsigned checks, failed;
} now;

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

static int check(int held_true, const char *name)
{
    if (!now.listed)
        return ok(held_true, "%s: %s", variant, name);
    now.checks++;
    now.failed += !held_true;
    if (!held_true)
        diag("%s", name);
    return held_true;
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
    held_true = check(launched && !different, name);
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
    return check(held_true, name);
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

/* ---- The listed kernels ---- */

static unsigned dimensions(struct shape s)
{
    return s.z > 1 ? 3 : s.y > 1 ? 2 : 1;
}

static int run_listed(const struct listed *l, struct shape block)
{
    now.listed = 1;
    now.checks = now.failed = 0;
    l->run(block);
    gpu_release();
    now.listed = 0;
    return ok(now.checks && !now.failed, "%s: %s, %u threads in %u-D blocks (%s)", variant, l->kernel, shape_count(block), dimensions(block),
              shape_text(block));
}

/* A kernel with blocks of every shape; then a line of the matrix: for each size the dimensions that went well. */
static unsigned run_shapes(const struct listed *l, char line[SIZES * 6 + 1])
{
    char cells[SIZES][4] = {""};
    unsigned good = 0;

    FOR_SHAPES(block)
        for (unsigned s = 0; s < SIZES; s++)
            if (shape_count(*block) == block_sizes[s] && run_listed(l, *block)) {
                cells[s][strlen(cells[s])] = (char)('0' + dimensions(*block));
                good++;
            }
    for (unsigned s = 0; s < SIZES; s++)
        snprintf(line + 6 * s, 7, "%6.3s", cells[s]);
    return good;
}

static void run_list(void)
{
    enum { LISTED_MAX = 32, SHAPES = sizeof block_shapes / sizeof *block_shapes - 1 };
    static char lines[LISTED_MAX][SIZES * 6 + 1];
    unsigned n = 0, good = 0;

    for (; listed[n].kernel && n < LISTED_MAX; n++)
        good += run_shapes(&listed[n], lines[n]);
    if (!n)
        return;
    diag("%-18s threads:     1    31    32    33    96   256  1024", variant);
    for (unsigned i = 0; i < n; i++)
        diag("%-26s %s  %s", listed[i].kernel, lines[i], listed[i].what);
    ok(good == n * SHAPES, "%s: %u kernels with blocks of %u sizes in 1, 2 and 3 dimensions: %u of %u", variant, n, (unsigned)SIZES, good, n * SHAPES);
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
        run_list();
        kernels_test();
        must(CU(cuModuleUnload)(module), "cuModuleUnload");
    } else
        diag("%s: error %d\n# %s", path, status, log);
    free(text);
}

/* With VGPU_ENGINE=jit and VGPU_LOG=debug:FILE: what the executor has logged of code, after what the file held before. */
static const char *log_path(void)
{
    const char *engine = getenv("VGPU_ENGINE"), *log = getenv("VGPU_LOG");

    return engine && !strcmp(engine, "jit") && log && !strncmp(log, "debug:", 6) ? log + 6 : NULL;
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

static void check_compiled(size_t before)
{
    static const char stays[] = " stays with the interpreter";
    char *text = read_file(log_path());
    const char *here = text && strlen(text) >= before ? text + before : "";
    unsigned compiled = count(here, "came from the compiler"), cached = count(here, "came from the cache"), left = count(here, stays);

    for (const char *line = here; left && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        int length = strcspn(line, "\n");

        if (memmem(line, length, stays, strlen(stays)))
            diag("%.*s", length, line);
    }
    ok(!left && compiled + cached, "compiled code ran: %u kernels for blocks of one shape from the compiler, %u from the cache, %u interpreted", compiled, cached, left);
    free(text);
}

int main(int argc, char **argv)
{
    size_t logged = 0;
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
    if (log_path()) {
        char *text = read_file(log_path());

        logged = text ? strlen(text) : 0;
        free(text);
    }
    must(CU(cuInit)(0), "cuInit");
    must(CU(cuDevicePrimaryCtxRetain)(&context, 0), "cuDevicePrimaryCtxRetain");
    must(CU(cuCtxSetCurrent)(context), "cuCtxSetCurrent");
    for (int i = 1; i < argc; i++)
        run_file(argv[i]);
    if (log_path())
        check_compiled(logged);
    return tap_done();
}
