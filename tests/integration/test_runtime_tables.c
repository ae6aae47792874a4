/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's private tables, called as NVIDIA's static runtime calls them, in its order. argv[1]: vgpu-hostd. */
#include "cuda_kernels.h"
#include "tap.h"
#include "with_hostd.h"

#include "cuda/cuda_abi.h"
#include "cuda_api.h"

#define OK(call, ...) is_u64(call, 0, __VA_ARGS__)

typedef void slot(void);

static slot *const *interface, *const *hooks, *const *tls, *const *storage, *const *checks, *const *integrity;

/* How each slot is called. */
typedef int load_fn(CUmodule *module, const void *image);
typedef int load_ext_fn(CUmodule *module, const void *image, void *a, void *b, uint32_t c);
typedef int load_header_fn(const void *image, CUmodule *module, void *a, void *b, uint32_t c);
typedef int primary_fn(CUcontext *context, CUdevice device);
typedef int plain_fn(void);
typedef void words_fn(void **words, size_t *n);
typedef void gone_fn(CUcontext context, void *key, void *value);
typedef int put_fn(CUcontext context, void *key, void *value, gone_fn *gone);
typedef int delete_fn(CUcontext context, void *key);
typedef int get_fn(void **value, CUcontext context, void *key);
typedef int context_fn(CUcontext context, uint32_t *result, void **what);
typedef int prove_fn(uint32_t version, uint64_t seconds, uint64_t result[2]);
#define CALL(type, table, n) ((type *)(table)[n])

static slot *const *table(const unsigned char *id)
{
    slot *const *found = NULL;
    CUuuid uuid;

    memcpy(uuid.bytes, id, sizeof uuid.bytes);
    return cuGetExportTable((void **)&found, &uuid) ? NULL : found;
}
#define TABLE(...) table((const unsigned char[]){__VA_ARGS__})

static void test_tables(void)
{
    ok(!TABLE(0xf8, 0xcf, 0xf9, 0x51, 0x21, 0x46, 0x8b, 0x4e, 0xb9, 0xe2, 0xfb, 0x46, 0x9e, 0x7c, 0x0d, 0xd9),
       "what CUDA 13 asks first is refused, before cuInit");
    OK(cuInit(0), "cuInit");
    interface = TABLE(0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a, 0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d, 0xf9);
    hooks = TABLE(0xa0, 0x94, 0x79, 0x8c, 0x2e, 0x74, 0x2e, 0x74, 0x93, 0xf2, 0x08, 0x00, 0x20, 0x0c, 0x0a, 0x66);
    tls = TABLE(0x42, 0xd8, 0x5a, 0x81, 0x23, 0xf6, 0xcb, 0x47, 0x82, 0x98, 0xf6, 0xe7, 0x8a, 0x3a, 0xec, 0xdc);
    storage = TABLE(0xc6, 0x93, 0x33, 0x6e, 0x11, 0x21, 0xdf, 0x11, 0xa8, 0xc3, 0x68, 0xf3, 0x55, 0xd8, 0x95, 0x93);
    checks = TABLE(0x26, 0x3e, 0x88, 0x60, 0x7c, 0xd2, 0x61, 0x43, 0x92, 0xf6, 0xbb, 0xd5, 0x00, 0x6d, 0xfa, 0x7e);
    integrity = TABLE(0xd4, 0x08, 0x20, 0x55, 0xbd, 0xe6, 0x70, 0x4b, 0x8d, 0x34, 0xba, 0x12, 0x3c, 0x66, 0xe1, 0xf2);
    ok(interface && hooks && tls && storage && checks && integrity, "all that are needed are there");
    ok((uintptr_t)interface[0] == 13 * 8 && (uintptr_t)hooks[0] == 7 * 8 && (uintptr_t)tls[0] == 4 * 8 &&
       (uintptr_t)checks[0] == 4 * 8 && (uintptr_t)integrity[0] == 3 * 8, "with their sizes");
    ok(!TABLE(0x19, 0x5b, 0xcb, 0xf4, 0xd6, 0x7d, 0x02, 0x4a, 0xac, 0xc5, 0x1d, 0x29, 0xce, 0xa6, 0x31, 0xae),
       "heap access is refused");
    is_u64((unsigned)CALL(plain_fn, interface, 7)(), CUDA_ERROR_NOT_SUPPORTED, "a slot that is not known says so");
    for (unsigned i = 1; i < 4; i++)
        is_u64((unsigned)CALL(plain_fn, tls, i)(), CUDA_ERROR_NOT_SUPPORTED, "so does slot %u of the tools' table", i);
    OK(CALL(plain_fn, interface, 12)(), "the compilers are there");
}

static void test_hooks(void)
{
    void *words = NULL;
    size_t n = 0;

    CALL(words_fn, hooks, 2)(&words, &n);
    ok(words && n == 1024, "room for hooks");
    memset(words, 0, n * 4);
    CALL(words_fn, hooks, 6)(&words, &n);
    ok(words && n == 14, "more room");
    memset(words, 0, n * 4);
}

static void test_integrity(void)
{
    uint64_t answer[2] = {5, 6};

    is_u64(CALL(plain_fn, checks, 3)(), 0, "nothing is amiss");
    for (unsigned i = 0; i < 3; i++)
        is_u64((unsigned)CALL(prove_fn, integrity, 1)(13000 + i, 1700000000, answer), CUDA_ERROR_NOT_SUPPORTED,
               "question %u, whether the driver is NVIDIA's, is not answered", i);
    ok(answer[0] == 5 && answer[1] == 6, "nor is anything written");
}

static struct {
    int calls;
    CUcontext context;
    void *key, *value;
    int status; /* of a call of the driver from inside */
} gone;

static void on_gone(CUcontext context, void *key, void *value)
{
    CUcontext current;

    gone.calls++;
    gone.context = context;
    gone.key = key;
    gone.value = value;
    gone.status = cuCtxGetCurrent(&current);
}

/* Before there is a context, and for good. */
static void test_managed(void)
{
    static const char ptx[] = ".version 7.0\n.target sm_50\n.address_size 64\n"
                              ".visible .global .attribute(.managed) .align 4 .u32 both = 5;\n.visible .entry k() { ret; }\n";
    CUcontext context, retained;
    CUlibrary library;
    CUdeviceptr p = 0, again;
    size_t size = 0;

    OK(cuLibraryLoadData(&library, ptx, NULL, NULL, 0, NULL, NULL, 0), "a library");
    OK(cuLibraryGetManaged(&p, &size, library, "both"), "its variable");
    ok(size == 4 && p && *(uint32_t *)(uintptr_t)p == 5, "is there");
    OK(cuCtxGetCurrent(&context), "no context");
    ok(!context, "is current");
    OK(cuDevicePrimaryCtxRetain(&retained, 0), "the primary one is retained");
    OK(cuCtxSetCurrent(retained), "and current");
    *(uint32_t *)(uintptr_t)p = 6;
    OK(cuLibraryGetManaged(&again, &size, library, "both"), "the variable in it");
    ok(again == p, "is the same");
    OK(cuDevicePrimaryCtxRelease_v2(0), "released");
    is_u64(*(uint32_t *)(uintptr_t)p, 6, "it stays");
    is_u64(cuLibraryGetManaged(&p, &size, library, "other"), CUDA_ERROR_NOT_FOUND, "another");
    is_u64(cuLibraryGetManaged(&p, &size, (CUlibrary)&p, "both"), CUDA_ERROR_INVALID_HANDLE, "of no library");
    OK(cuCtxSetCurrent(NULL), "away");
    OK(cuLibraryUnload(library), "the library too");
    OK(cuDevicePrimaryCtxReset_v2(0), "and the context");
}

static void test_context(void)
{
    CUcontext context = NULL, retained, other;
    void *value = NULL, *what = NULL;
    uint32_t bits = 5;
    int key, second_key;
    CUdeviceptr p;
    CUmodule module;
    CUfunction function;

    OK(CALL(primary_fn, interface, 2)(&context, 0), "the primary context's handle");
    is_u64((unsigned)CALL(primary_fn, interface, 2)(&context, 1), CUDA_ERROR_INVALID_DEVICE, "of a device that is none");
    is_u64((unsigned)CALL(primary_fn, interface, 2)(NULL, 0), CUDA_ERROR_INVALID_VALUE, "nowhere");
    is_u64((unsigned)CALL(get_fn, storage, 2)(&value, NULL, &key), CUDA_ERROR_INVALID_CONTEXT, "no context is current");
    OK(cuCtxSetCurrent(context), "it may be made current before it is retained");
    is_u64(cuMemAlloc_v2(&p, 16), CUDA_ERROR_CONTEXT_IS_DESTROYED, "but does nothing");
    OK(cuDevicePrimaryCtxRetain(&retained, 0), "retained");
    ok(retained == context, "it is the same");
    is_u64((unsigned)CALL(get_fn, storage, 2)(&value, NULL, &key), CUDA_ERROR_INVALID_HANDLE, "nothing is kept");
    OK(CALL(context_fn, checks, 2)(context, &bits, &what), "the context is checked");
    is_u64(bits, 0, "and is well");
    is_u64((unsigned)CALL(context_fn, checks, 2)(context, NULL, &what), CUDA_ERROR_INVALID_VALUE, "nowhere");
    OK(CALL(put_fn, storage, 0)(context, &key, &bits, on_gone), "something is kept");
    OK(CALL(put_fn, storage, 0)(NULL, &second_key, &what, NULL), "and more with the current one");
    OK(CALL(get_fn, storage, 2)(&value, NULL, &key), "found");
    ok(value == &bits, "again");
    OK(CALL(put_fn, storage, 0)(context, &key, &what, on_gone), "replaced");
    ok(!CALL(get_fn, storage, 2)(&value, context, &key) && value == &what, "by that");
    OK(CALL(delete_fn, storage, 1)(context, &second_key), "deleted");
    is_u64((unsigned)CALL(delete_fn, storage, 1)(context, &second_key), CUDA_ERROR_INVALID_HANDLE, "once");
    is_u64((unsigned)CALL(get_fn, storage, 2)(NULL, context, &key), CUDA_ERROR_INVALID_VALUE, "found nowhere");
    is_u64((unsigned)CALL(put_fn, storage, 0)((CUcontext)&key, &key, NULL, NULL), CUDA_ERROR_INVALID_CONTEXT,
           "with what is no context");

    OK(CALL(load_fn, interface, 1)(&module, test_ptx), "code is loaded");
    OK(cuModuleGetFunction(&function, module, "add"), "and is what it is");
    OK(CALL(load_ext_fn, interface, 6)(&module, test_ptx, NULL, NULL, 0), "also so");
    ok(CALL(load_header_fn, interface, 8)("not a fat binary", &module, NULL, NULL, 0) != 0, "what is none is not");
    is_u64((unsigned)CALL(load_fn, interface, 1)(NULL, test_ptx), CUDA_ERROR_INVALID_VALUE, "nor to nowhere");

    OK(cuDevicePrimaryCtxReset_v2(0), "the context is reset");
    ok(gone.calls == 1 && gone.context == context && gone.key == &key && gone.value == &what, "who kept something is told");
    OK(gone.status, "and may call the driver");
    is_u64((unsigned)CALL(get_fn, storage, 2)(&value, context, &key), CUDA_ERROR_CONTEXT_IS_DESTROYED,
           "nothing is kept with it");
    OK(cuDevicePrimaryCtxRetain(&retained, 0), "retained again");
    is_u64((unsigned)CALL(get_fn, storage, 2)(&value, context, &key), CUDA_ERROR_INVALID_HANDLE, "it is empty");
    OK(CALL(put_fn, storage, 0)(context, &key, &bits, on_gone), "kept");
    OK(cuDevicePrimaryCtxRelease_v2(0), "released");
    is_u64((unsigned)gone.calls, 2, "told");
    OK(cuCtxCreate_v2(&other, 0, 0), "another context");
    OK(CALL(put_fn, storage, 0)(NULL, &key, &bits, on_gone), "keeps");
    OK(cuCtxDestroy_v2(other), "destroyed");
    ok(gone.calls == 3 && gone.context == other, "told");
    is_u64(cuCtxSetCurrent(other), CUDA_ERROR_CONTEXT_IS_DESTROYED, "and cannot become current");
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    start_hostd(argv[1], "h100-pcie", NULL);
    test_tables();
    test_hooks();
    test_integrity();
    test_managed();
    test_context();
    return tap_done();
}
