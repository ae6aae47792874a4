/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for a CUDA runtime that is linked into a program: its functions fail with 999 as long as they are its own. */
#define FUNCTION(name) ".globl " name "\n.type " name ", @function\n" name ":\nmov $999, %eax\nret\n.size " name ", . - " name "\n"
#define BUILT_IN(name) __asm__(".pushsection .text\n.balign 16\n" FUNCTION(#name) ".balign 16\n.popsection\n");

BUILT_IN(__cudaRegisterFatBinary)
BUILT_IN(__cudaRegisterFatBinaryEnd)
BUILT_IN(__cudaRegisterFunction)
BUILT_IN(__cudaRegisterVar)
BUILT_IN(__cudaPushCallConfiguration)
BUILT_IN(__cudaPopCallConfiguration)
BUILT_IN(cudaLaunchKernel)
BUILT_IN(cudaMalloc)
BUILT_IN(cudaMemcpy)
BUILT_IN(cudaMemcpyFromSymbol)
BUILT_IN(cudaGetLastError)
BUILT_IN(cudaRuntimeGetVersion)
/* Not a function of any runtime's. */
BUILT_IN(cudaNothingOfTheSort)
/* No room for a jump before the next function. */
__asm__(".pushsection .text\n.balign 16\n.byte 0x90\n" FUNCTION("cudaDeviceReset") FUNCTION("after_reset") ".popsection\n");

#if BUILT_IN_MAJOR == 13
BUILT_IN(cudaDeviceGetHostAtomicCapabilities)
#elif BUILT_IN_MAJOR == 12
BUILT_IN(cudaGetDeviceProperties_v2)
#endif

int cudaRuntimeGetVersion(int *version);
__attribute__((visibility("default"))) int runtime_at_start;

__attribute__((constructor)) static void start(void)
{
    int version;

    runtime_at_start = cudaRuntimeGetVersion(&version);
}
