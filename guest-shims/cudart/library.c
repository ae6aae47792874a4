/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that the program loads itself. */
#include "cudart/runtime.h"

PASS(cudaLibraryLoadData,
     (cudaLibrary_t *library, const void *code, cudaJitOption *options, void **values, uint32_t count,
      cudaLibraryOption *library_options, void **library_values, uint32_t library_count),
     cuLibraryLoadData(library, code, options, values, count, library_options, library_values, library_count))
PASS(cudaLibraryLoadFromFile,
     (cudaLibrary_t *library, const char *path, cudaJitOption *options, void **values, uint32_t count,
      cudaLibraryOption *library_options, void **library_values, uint32_t library_count),
     cuLibraryLoadFromFile(library, path, options, values, count, library_options, library_values, library_count))
PASS(cudaLibraryUnload, (cudaLibrary_t library), cuLibraryUnload(library))
PASS(cudaLibraryGetKernel, (cudaKernel_t *kernel, cudaLibrary_t library, const char *name),
     cuLibraryGetKernel(kernel, library, name))
PASS(cudaLibraryGetKernelCount, (uint32_t *count, cudaLibrary_t library), cuLibraryGetKernelCount(count, library))
PASS(cudaLibraryEnumerateKernels, (cudaKernel_t *kernels, uint32_t count, cudaLibrary_t library),
     cuLibraryEnumerateKernels(kernels, count, library))

cudaError_t impl_cudaLibraryGetGlobal(void **pointer, size_t *size, cudaLibrary_t library, const char *name)
{
    CUdeviceptr va = 0;
    cudaError_t error = runtime_enter();

    if (!error)
        error = cuLibraryGetGlobal(&va, size, library, name);
    if (!error && pointer)
        *pointer = (void *)(uintptr_t)va;
    return report(error);
}
