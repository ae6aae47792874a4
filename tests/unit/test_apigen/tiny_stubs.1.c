/* SPDX-License-Identifier: Apache-2.0 */
/* Written by apigen from tiny.api. */
/* The entry points of libtiny.so.1. */
#include "tiny_impl.h"

#include <string.h>

#include "channel/hooks.h"

const char *const vgpu_log_name = "libtiny.so.1";

static struct vgpu_call call_1 = {.name = "tInit", .unsupported = 801, .result = VGPU_ARG_I32, .status = 1};
VGPU_EXPORT tStatus tInit(void);
tStatus tInit(void)
{
    if (__builtin_expect(!vgpu_hooks_on, 1))
        return impl_tInit();
    int fault_;
    tStatus result_ = vgpu_call_enter(&call_1, NULL, &fault_) ? fault_ : impl_tInit();
    vgpu_call_leave(&call_1, NULL, (uint64_t)result_);
    return result_;
}

static const struct vgpu_arg args_2[] = {{"dst", VGPU_ARG_HEX, 0}, {"src", VGPU_ARG_PTR, 0}, {"bytes", VGPU_ARG_U64, 0}, {"stream", VGPU_ARG_PTR, 0}};
static struct vgpu_call call_2 = {.name = "tCopy", .unsupported = 801, .result = VGPU_ARG_I32, .status = 1, .args = args_2, .arg_count = 4};
VGPU_EXPORT tStatus tCopy(tPointer dst, const void *src, size_t bytes, tStream stream);
tStatus tCopy(tPointer dst, const void *src, size_t bytes, tStream stream)
{
    if (__builtin_expect(!vgpu_hooks_on, 1))
        return impl_tCopy(dst, src, bytes, stream);
    const uint64_t words_[] = {(uint64_t)dst, (uint64_t)(uintptr_t)src, (uint64_t)bytes, (uint64_t)(uintptr_t)stream};
    int fault_;
    tStatus result_ = vgpu_call_enter(&call_2, words_, &fault_) ? fault_ : impl_tCopy(dst, src, bytes, stream);
    vgpu_call_leave(&call_2, words_, (uint64_t)result_);
    return result_;
}

static const struct vgpu_arg args_3[] = {{"dst", VGPU_ARG_HEX, 0}, {"src", VGPU_ARG_PTR, 0}, {"bytes", VGPU_ARG_U64, 0}, {"stream", VGPU_ARG_PTR, 0}};
static struct vgpu_call call_3 = {.name = "tCopy_ptsz", .unsupported = 801, .result = VGPU_ARG_I32, .status = 1, .args = args_3, .arg_count = 4};
VGPU_EXPORT tStatus tCopy_ptsz(tPointer dst, const void *src, size_t bytes, tStream stream);
tStatus tCopy_ptsz(tPointer dst, const void *src, size_t bytes, tStream stream)
{
    stream = stream ? stream : (tStream)VGPU_PER_THREAD_STREAM;
    if (__builtin_expect(!vgpu_hooks_on, 1))
        return impl_tCopy(dst, src, bytes, stream);
    const uint64_t words_[] = {(uint64_t)dst, (uint64_t)(uintptr_t)src, (uint64_t)bytes, (uint64_t)(uintptr_t)stream};
    int fault_;
    tStatus result_ = vgpu_call_enter(&call_3, words_, &fault_) ? fault_ : impl_tCopy(dst, src, bytes, stream);
    vgpu_call_leave(&call_3, words_, (uint64_t)result_);
    return result_;
}

static const struct vgpu_arg args_4[] = {{"dst", VGPU_ARG_HEX, 0}, {"src", VGPU_ARG_PTR, 0}, {"bytes", VGPU_ARG_U64, 0}, {"stream", VGPU_ARG_PTR, 0}};
static struct vgpu_call call_4 = {.name = "tCopyOld", .unsupported = 801, .result = VGPU_ARG_I32, .status = 1, .args = args_4, .arg_count = 4};
VGPU_EXPORT tStatus tCopyOld(tPointer dst, const void *src, size_t bytes, tStream stream);
tStatus tCopyOld(tPointer dst, const void *src, size_t bytes, tStream stream)
{
    if (__builtin_expect(!vgpu_hooks_on, 1))
        return impl_tCopy(dst, src, bytes, stream);
    const uint64_t words_[] = {(uint64_t)dst, (uint64_t)(uintptr_t)src, (uint64_t)bytes, (uint64_t)(uintptr_t)stream};
    int fault_;
    tStatus result_ = vgpu_call_enter(&call_4, words_, &fault_) ? fault_ : impl_tCopy(dst, src, bytes, stream);
    vgpu_call_leave(&call_4, words_, (uint64_t)result_);
    return result_;
}

static const struct vgpu_arg args_5[] = {{"dst", VGPU_ARG_HEX, 0}, {"value", VGPU_ARG_U32, 0}};
static struct vgpu_call call_5 = {.name = "tSet", .unsupported = 801, .result = VGPU_ARG_I32, .status = 1, .args = args_5, .arg_count = 2};
VGPU_EXPORT tStatus tSet(tPointer dst, uint8_t value);
tStatus tSet(tPointer dst, uint8_t value)
{
    if (__builtin_expect(!vgpu_hooks_on, 1))
        return impl_tSet_v12(dst, value);
    const uint64_t words_[] = {(uint64_t)dst, (uint64_t)value};
    int fault_;
    tStatus result_ = vgpu_call_enter(&call_5, words_, &fault_) ? fault_ : impl_tSet_v12(dst, value);
    vgpu_call_leave(&call_5, words_, (uint64_t)result_);
    return result_;
}

static const struct vgpu_arg args_6[] = {{"dst", VGPU_ARG_HEX, 0}, {"value", VGPU_ARG_U32, 0}};
static struct vgpu_call call_6 = {.name = "tSet_ptds", .unsupported = 801, .result = VGPU_ARG_I32, .status = 1, .args = args_6, .arg_count = 2};
VGPU_EXPORT tStatus tSet_ptds(tPointer dst, uint8_t value);
tStatus tSet_ptds(tPointer dst, uint8_t value)
{
    VGPU_PER_THREAD_SCOPE;
    if (__builtin_expect(!vgpu_hooks_on, 1))
        return impl_tSet_v12(dst, value);
    const uint64_t words_[] = {(uint64_t)dst, (uint64_t)value};
    int fault_;
    tStatus result_ = vgpu_call_enter(&call_6, words_, &fault_) ? fault_ : impl_tSet_v12(dst, value);
    vgpu_call_leave(&call_6, words_, (uint64_t)result_);
    return result_;
}

static const struct vgpu_arg args_8[] = {{"status", VGPU_ARG_I32, 0}};
static struct vgpu_call call_8 = {.name = "tName", .unsupported = 801, .result = VGPU_ARG_STR, .status = 0, .args = args_8, .arg_count = 1};
VGPU_EXPORT const char *tName(tStatus status);
const char *tName(tStatus status)
{
    if (__builtin_expect(!vgpu_hooks_on, 1))
        return impl_tName(status);
    const uint64_t words_[] = {(uint64_t)status};
    vgpu_call_enter(&call_8, words_, NULL);
    const char *result_ = impl_tName(status);
    vgpu_call_leave(&call_8, words_, (uint64_t)(uintptr_t)result_);
    return result_;
}

static const struct vgpu_arg args_9[] = {{"factor", VGPU_ARG_F64, 0}, {"x", VGPU_ARG_PTR, 0}, {"context", VGPU_ARG_PTR, 1}, {"hook", VGPU_ARG_PTR, 0}};
static struct vgpu_call call_9 = {.name = "tScale", .unsupported = 801, .result = VGPU_ARG_F64, .status = 0, .args = args_9, .arg_count = 4};
VGPU_EXPORT double tScale(float factor, double *x, tContext *context, tHook hook);
double tScale(float factor, double *x, tContext *context, tHook hook)
{
    const uint64_t words_[] = {vgpu_bits(factor), (uint64_t)(uintptr_t)x, (uint64_t)(uintptr_t)context, (uint64_t)(uintptr_t)hook};
    vgpu_call_unsupported(&call_9, words_);
    return 0;
}

static const struct vgpu_arg args_10[] = {{"desc", VGPU_ARG_PTR, 0}, {"names", VGPU_ARG_PTR, 0}, {"count", VGPU_ARG_U64, 1}};
static struct vgpu_call call_10 = {.name = "tReset", .unsupported = 801, .result = VGPU_ARG_VOID, .status = 0, .args = args_10, .arg_count = 3};
VGPU_EXPORT void tReset(tDesc *desc, const char *const *names, size_t *count);
void tReset(tDesc *desc, const char *const *names, size_t *count)
{
    const uint64_t words_[] = {(uint64_t)(uintptr_t)desc, (uint64_t)(uintptr_t)names, (uint64_t)(uintptr_t)count};
    vgpu_call_enter(&call_10, words_, NULL);
    impl_tReset(desc, names, count);
    vgpu_call_leave(&call_10, words_, 0);
}

static const struct vgpu_arg args_11[] = {{"a", VGPU_ARG_I32, 0}};
static struct vgpu_call call_11 = {.name = "tPairOf", .unsupported = 801, .result = VGPU_ARG_STRUCT, .status = 0, .args = args_11, .arg_count = 1};
VGPU_EXPORT tPair tPairOf(int32_t a);
tPair tPairOf(int32_t a)
{
    const uint64_t words_[] = {(uint64_t)a};
    vgpu_call_unsupported(&call_11, words_);
    return (tPair){0};
}

static const struct vgpu_arg args_12[] = {{"result", VGPU_ARG_U32, 0}, {"fault", VGPU_ARG_U32, 0}, {"words", VGPU_ARG_U32, 0}, {"call", VGPU_ARG_U32, 0}};
static struct vgpu_call call_12 = {.name = "tNames", .unsupported = 801, .result = VGPU_ARG_I32, .status = 1, .args = args_12, .arg_count = 4};
VGPU_EXPORT tStatus tNames(uint32_t result, uint32_t fault, uint32_t words, uint32_t call);
tStatus tNames(uint32_t result, uint32_t fault, uint32_t words, uint32_t call)
{
    if (__builtin_expect(!vgpu_hooks_on, 1))
        return impl_tNames(result, fault, words, call);
    const uint64_t words_[] = {(uint64_t)result, (uint64_t)fault, (uint64_t)words, (uint64_t)call};
    int fault_;
    tStatus result_ = vgpu_call_enter(&call_12, words_, &fault_) ? fault_ : impl_tNames(result, fault, words, call);
    vgpu_call_leave(&call_12, words_, (uint64_t)result_);
    return result_;
}
