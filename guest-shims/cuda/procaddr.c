/* SPDX-License-Identifier: Apache-2.0 */
/* cuGetProcAddress: the function that a name meant in a given version of CUDA. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "cuda/driver.h"
#include "cuda/procaddr_table.h"

enum { LEGACY_STREAM = 1, PER_THREAD_STREAM = 2, NAME_MAX_ = 120 };
enum { FOUND, SYMBOL_NOT_FOUND, VERSION_NOT_SUFFICIENT };

/* Names that have meant several functions: the versions (1000 * major + 10 * minor) from which on NAME, NAME_v2, NAME_v3 ...
 * is meant. */
static const struct {
    const char *name;
    int since[4];
} versions[] = {
    {"cuArray3DCreate", {2000, 3020}},
    {"cuArray3DGetDescriptor", {2000, 3020}},
    {"cuArrayCreate", {2000, 3020}},
    {"cuArrayGetDescriptor", {2000, 3020}},
    {"cuCtxCreate", {2000, 3020, 11040, 12050}},
    {"cuCtxDestroy", {2000, 4000}},
    {"cuCtxGetDevice", {2000, 13000}},
    {"cuCtxPopCurrent", {2000, 4000}},
    {"cuCtxPushCurrent", {2000, 4000}},
    {"cuCtxSynchronize", {2000, 13000}},
    {"cuDeviceGetUuid", {9020, 11040}},
    {"cuDevicePrimaryCtxRelease", {7000, 11000}},
    {"cuDevicePrimaryCtxReset", {7000, 11000}},
    {"cuDevicePrimaryCtxSetFlags", {7000, 11000}},
    {"cuDeviceTotalMem", {2000, 3020}},
    {"cuEventDestroy", {2000, 4000}},
    {"cuEventElapsedTime", {2000, 12080}},
    {"cuGLCtxCreate", {2000, 3020}},
    {"cuGLGetDevices", {4010, 6050}},
    {"cuGLMapBufferObject", {2000, 3020}},
    {"cuGLMapBufferObjectAsync", {2030, 3020}},
    {"cuGetProcAddress", {11030, 12000}},
    {"cuGraphAddDependencies", {10000, 12030}},
    {"cuGraphAddKernelNode", {10000, 12000}},
    {"cuGraphAddNode", {12020, 12030}},
    {"cuGraphExecKernelNodeSetParams", {10010, 12000}},
    {"cuGraphExecUpdate", {10020, 12000}},
    {"cuGraphGetEdges", {10000, 12030}},
    {"cuGraphInstantiate", {10000, 11000}},
    {"cuGraphKernelNodeGetParams", {10000, 12000}},
    {"cuGraphKernelNodeSetParams", {10000, 12000}},
    {"cuGraphNodeGetDependencies", {10000, 12030}},
    {"cuGraphNodeGetDependentNodes", {10000, 12030}},
    {"cuGraphRemoveDependencies", {10000, 12030}},
    {"cuGraphicsResourceGetMappedPointer", {3000, 3020}},
    {"cuGraphicsResourceSetMapFlags", {3000, 6050}},
    {"cuIpcOpenMemHandle", {4010, 11000}},
    {"cuLinkAddData", {5050, 6050}},
    {"cuLinkAddFile", {5050, 6050}},
    {"cuLinkCreate", {5050, 6050}},
    {"cuMemAdvise", {8000, 12020}},
    {"cuMemAlloc", {2000, 3020}},
    {"cuMemAllocHost", {2000, 3020}},
    {"cuMemAllocPitch", {2000, 3020}},
    {"cuMemFree", {2000, 3020}},
    {"cuMemGetAddressRange", {2000, 3020}},
    {"cuMemGetInfo", {2000, 3020}},
    {"cuMemHostGetDevicePointer", {2020, 3020}},
    {"cuMemHostRegister", {4000, 6050}},
    {"cuMemPrefetchAsync", {8000, 12020}},
    {"cuMemcpy2D", {2000, 3020}},
    {"cuMemcpy2DAsync", {2000, 3020}},
    {"cuMemcpy2DUnaligned", {2000, 3020}},
    {"cuMemcpy3D", {2000, 3020}},
    {"cuMemcpy3DAsync", {2000, 3020}},
    {"cuMemcpy3DBatchAsync", {12080, 13000}},
    {"cuMemcpyAtoA", {2000, 3020}},
    {"cuMemcpyAtoD", {2000, 3020}},
    {"cuMemcpyAtoH", {2000, 3020}},
    {"cuMemcpyAtoHAsync", {2000, 3020}},
    {"cuMemcpyBatchAsync", {12080, 13000}},
    {"cuMemcpyDtoA", {2000, 3020}},
    {"cuMemcpyDtoD", {2000, 3020}},
    {"cuMemcpyDtoDAsync", {3000, 3020}},
    {"cuMemcpyDtoH", {2000, 3020}},
    {"cuMemcpyDtoHAsync", {2000, 3020}},
    {"cuMemcpyHtoA", {2000, 3020}},
    {"cuMemcpyHtoAAsync", {2000, 3020}},
    {"cuMemcpyHtoD", {2000, 3020}},
    {"cuMemcpyHtoDAsync", {2000, 3020}},
    {"cuMemsetD16", {2000, 3020}},
    {"cuMemsetD2D16", {2000, 3020}},
    {"cuMemsetD2D32", {2000, 3020}},
    {"cuMemsetD2D8", {2000, 3020}},
    {"cuMemsetD32", {2000, 3020}},
    {"cuMemsetD8", {2000, 3020}},
    {"cuModuleGetGlobal", {2000, 3020}},
    {"cuStreamBatchMemOp", {8000, 11070}},
    {"cuStreamBeginCapture", {10000, 10010}},
    {"cuStreamDestroy", {2000, 4000}},
    {"cuStreamGetCaptureInfo", {10010, 11030, 12030}},
    {"cuStreamGetCtx", {9020, 12050}},
    {"cuStreamUpdateCaptureDependencies", {11030, 12030}},
    {"cuStreamWaitValue32", {8000, 11070}},
    {"cuStreamWaitValue64", {9000, 11070}},
    {"cuStreamWriteValue32", {8000, 11070}},
    {"cuStreamWriteValue64", {9000, 11070}},
    {"cuTexRefGetAddress", {2000, 3020}},
    {"cuTexRefSetAddress", {2000, 3020}},
    {"cuTexRefSetAddress2D", {2020, 3020, 4010}},
    {"cuVDPAUCtxCreate", {3010, 3020}},
};

static bool too_early(const char *name, int version)
{
    char word[NAME_MAX_ + 4];

    snprintf(word, sizeof word, " %s ", name);
    for (size_t i = 0; i < sizeof introduced / sizeof *introduced; i++)
        if (version < introduced[i].since && strstr(introduced[i].names, word))
            return true;
    return false;
}

/* -1: NAME is of one meaning; 0: VERSION is before its first; else which. */
static int variant(const char *name, int version)
{
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        int v = 0;
        if (strcmp(versions[i].name, name))
            continue;
        while (v < 4 && versions[i].since[v] && versions[i].since[v] <= version)
            v++;
        return v;
    }
    return too_early(name, version) ? 0 : -1;
}

/* In this library, whatever else may be loaded. The handle is given back, or the library could never be unloaded. */
static void *own_symbol(const char *name)
{
    Dl_info info;
    void *self = dladdr(&versions, &info) ? dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    void *symbol = self ? dlsym(self, name) : NULL;

    if (self)
        dlclose(self);
    return symbol;
}

static void *find(const char *name, const char *suffix)
{
    char text[NAME_MAX_ + 16];

    snprintf(text, sizeof text, "%s%s", name, suffix);
    return own_symbol(text);
}

CUresult impl_cuGetProcAddress_v2(const char *symbol, void **function, int32_t version, uint64_t flags,
                                  CUdriverProcAddressQueryResult *result)
{
    char name[NAME_MAX_ + 8];
    void *found = NULL;

    if (!symbol || !function || (flags & ~(uint64_t)(LEGACY_STREAM | PER_THREAD_STREAM)) || strlen(symbol) > NAME_MAX_)
        return CUDA_ERROR_INVALID_VALUE;
    *function = NULL;
    int which = variant(symbol, version);
    if (result)
        *result = which ? SYMBOL_NOT_FOUND : VERSION_NOT_SUFFICIENT;
    if (!which || !*symbol || strncmp(symbol, "cu", 2))
        return CUDA_ERROR_NOT_FOUND;
    if (which > 1)
        snprintf(name, sizeof name, "%s_v%d", symbol, which);
    else
        snprintf(name, sizeof name, "%s", symbol);
    if (flags & PER_THREAD_STREAM) {
        found = find(name, "_ptsz");
        if (!found)
            found = find(name, "_ptds");
    }
    if (!found)
        found = find(name, "");
    if (!found) {
        vgpu_log(VGPU_LOG_DEBUG, "cuGetProcAddress: there is no %s", symbol);
        return CUDA_ERROR_NOT_FOUND;
    }
    *function = found;
    if (result)
        *result = FOUND;
    return 0;
}

CUresult impl_cuGetProcAddress(const char *symbol, void **function, int32_t version, uint64_t flags)
{
    return impl_cuGetProcAddress_v2(symbol, function, version, flags, NULL);
}
