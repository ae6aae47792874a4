/* SPDX-License-Identifier: Apache-2.0 */
/* Every entry point, with nothing but zeros for arguments: before cuInit, without a context, with one, and after an error that
 * stays. None may crash, and what it returns is what the driver's manual says comes first. argv[1]: vgpu-hostd, argv[2]: a list of
 * the entry points. */
#include "cuda_kernels.h"
#include "tap.h"
#include "with_hostd.h"

#include <dlfcn.h>

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

#define OK(call, ...) is_u64(call, 0, __VA_ARGS__)

typedef int entry(long, long, long, long, long, long, long, long, long, long, long, long, long, long);

static struct {
    char name[64];
    entry *call;
} all[1000];
static int count;

static int is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++) {
        size_t n = strlen(*list);
        if (!strcmp(*list, name) || ((*list)[n - 1] == '*' && !strncmp(*list, name, n - 1)))
            return 1;
    }
    return 0;
}

static void read_list(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[128];

    while (file && fgets(line, sizeof line, file) && count < 1000) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "cu", 2) || strlen(line) >= sizeof all[0].name)
            continue;
        strcpy(all[count].name, line);
        all[count].call = (entry *)(uintptr_t)dlsym(RTLD_DEFAULT, line);
        count += all[count].call != NULL;
    }
    if (file)
        fclose(file);
}

/* What needs no cuInit, or is no question of it: texts, versions, looking up, logs. */
static const char *const always[] = {"cuInit", "cuGetError*", "cuDriverGetVersion", "cuGetProcAddress*", "cuGetExportTable",
                                     "cuLogs*", NULL};
/* What zeros are good arguments for: nothing to copy or set, no context to be current, the null stream, limit 0 ... */
static const char *const fine[] = {
    "cuMemcpy*", "cuMemset*", "cuCtx*", "cuDevice*", "cuStream*", "cuProfiler*", "cuMemFree*", "cuMemHostUnregister",
    "cuMemFreeHost", "cuMemPool*", "cuEvent*", "cuModule*", "cuLibrary*", "cuThread*", "cuMemGetAddressRange*", NULL};

static void each(const char *when, int expected, int strict)
{
    int wrong = 0;

    for (int i = 0; i < count; i++) {
        if (is_one_of(all[i].name, always) || !strncmp(all[i].name, "cuCtxDestroy", 12) ||
            !strncmp(all[i].name, "cuDevicePrimaryCtxRe", 20))
            continue;
        int got = all[i].call(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        if (got == CUDA_ERROR_NOT_SUPPORTED || (strict ? got == expected : got || is_one_of(all[i].name, fine)))
            continue;
        wrong++;
        diag("%s: %s returns %d", when, all[i].name, got);
    }
    is_u64((unsigned)wrong, 0, "%s: calls that return something else", when);
}

int main(int argc, char **argv)
{
    CUcontext context;
    CUmodule module;
    CUfunction stop;
    CUdeviceptr p;

    if (argc < 3)
        return 2;
    read_list(argv[2]);
    ok(count > 600, "%d entry points", count);
    start_hostd(argv[1], "h100-pcie", NULL);
    each("before cuInit", CUDA_ERROR_NOT_INITIALIZED, 1);
    OK(cuInit(0), "cuInit");
    each("without a context", 0, 0);
    OK(cuCtxCreate_v2(&context, 0, 0), "context");
    each("with a context", 0, 0);
    OK(cuCtxSetCurrent(context), "current");
    OK(cuCtxSynchronize(), "all is well");

    OK(cuModuleLoadData(&module, test_ptx), "module");
    OK(cuModuleGetFunction(&stop, module, "stop"), "a kernel that traps");
    OK(cuLaunchKernel(stop, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL), "launched");
    is_u64(cuCtxSynchronize(), 719, "launch failure");
    is_u64(cuCtxSynchronize(), 719, "stays");
    is_u64(cuMemAlloc_v2(&p, 4), 719, "for every call");
    is_u64(cuStreamQuery(NULL), 719, "that uses the context");
    each("after an error that stays", 0, 0);
    OK(cuCtxDestroy_v2(context), "the context ends");
    OK(cuCtxCreate_v2(&context, 0, 0), "a new one");
    OK(cuMemAlloc_v2(&p, 4), "is well");
    OK(cuMemFree_v2(p), "free");
    OK(cuCtxDestroy_v2(context), "destroyed");
    return tap_done();
}
