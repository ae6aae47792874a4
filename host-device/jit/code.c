/* SPDX-License-Identifier: Apache-2.0 */
/* LLVM's part: from IR to an object file. */
#include "jit/code.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What each instruction set may use, and the vectors it prefers. */
static const struct {
    const char *cpu, *features, *width;
} targets[] = {
    [JIT_ISA_BASE] = {"x86-64", "", "128"},
    [JIT_ISA_V3] = {"x86-64-v3", "", "256"},
    [JIT_ISA_V4] = {"x86-64-v4", "-prefer-256-bit", "512"},
};

static const char passes[] =
    "function(sroa,early-cse,simplifycfg,instcombine<no-verify-fixpoint>,gvn,loop-mssa(loop-rotate,licm),"
    "instcombine<no-verify-fixpoint>,simplifycfg,early-cse,dse,adce)";

/* The instruction scheduler compares each access to memory with all that it may depend on. In a block that has thousands it would do
 * little else: it takes them by the hundred. */
static const char *const llvm_options[] = {"jit", "-dag-maps-huge-region=100"};

static void initialise(void)
{
    LLVMParseCommandLineOptions(sizeof llvm_options / sizeof *llvm_options, llvm_options, NULL);
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
}

void jit_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, initialise);
}

/* The level's own, then the extensions. */
static const char *features_of(const struct jit_shape *shape, char *text, size_t n)
{
    size_t at = (size_t)snprintf(text, n, "%s", targets[shape->isa].features);

    for (unsigned i = 0; i < JIT_EXT_COUNT; i++)
        if (shape->extensions >> i & 1)
            at += (size_t)snprintf(text + at, n - at, "%s+%s", at ? "," : "", jit_extension_name(i));
    return text;
}

static void attribute(LLVMValueRef fn, const char *name, const char *value)
{
    LLVMContextRef c = LLVMGetModuleContext(LLVMGetGlobalParent(fn));

    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(c, name, (unsigned)strlen(name), value, (unsigned)strlen(value)));
}

void jit_code_attributes(LLVMValueRef fn, const struct jit_shape *shape)
{
    LLVMContextRef c = LLVMGetModuleContext(LLVMGetGlobalParent(fn));
    char features[128];

    attribute(fn, "target-cpu", targets[shape->isa].cpu);
    attribute(fn, "target-features", features_of(shape, features, sizeof features));
    attribute(fn, "prefer-vector-width", targets[shape->isa].width);
    attribute(fn, "min-legal-vector-width", targets[shape->isa].width);
    attribute(fn, "probe-stack", "inline-asm"); /* a frame larger than the guard page must not step over it */
    attribute(fn, "no-builtins", "");
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(c, LLVMGetEnumAttributeKindForName("nounwind", 8), 0));
}

void jit_code_flushes(LLVMValueRef fn)
{
    attribute(fn, "denormal-fp-math-f32", "ieee,preserve-sign");
}

static LLVMTargetMachineRef machine(const struct jit_shape *shape, char *why, size_t size)
{
    LLVMTargetRef target;
    char features[128], *message = NULL;

    jit_prepare();
    if (LLVMGetTargetFromTriple("x86_64-unknown-linux-gnu", &target, &message)) {
        snprintf(why, size, "LLVM: %s", message);
        LLVMDisposeMessage(message);
        return NULL;
    }
    return LLVMCreateTargetMachine(target, "x86_64-unknown-linux-gnu", targets[shape->isa].cpu,
                                   features_of(shape, features, sizeof features), LLVMCodeGenLevelDefault, LLVMRelocPIC,
                                   LLVMCodeModelSmall);
}

/* VGPU_JIT_DUMP holds letters: i for the IR as emitted, o for the optimised IR, s for assembly. */
static void dump(LLVMModuleRef module, char letter)
{
    const char *want = getenv("VGPU_JIT_DUMP");

    if (want && strchr(want, letter))
        LLVMDumpModule(module);
}

static void dump_assembly(LLVMTargetMachineRef tm, LLVMModuleRef module)
{
    const char *want = getenv("VGPU_JIT_DUMP");
    LLVMMemoryBufferRef text = NULL;
    LLVMModuleRef copy;
    char *message = NULL;

    if (!want || !strchr(want, 's'))
        return;
    copy = LLVMCloneModule(module); /* the code generator changes what it reads */
    if (!LLVMTargetMachineEmitToMemoryBuffer(tm, copy, LLVMAssemblyFile, &message, &text)) {
        fwrite(LLVMGetBufferStart(text), 1, LLVMGetBufferSize(text), stderr);
        LLVMDisposeMemoryBuffer(text);
    }
    LLVMDisposeModule(copy);
}

LLVMMemoryBufferRef jit_code_generate(LLVMModuleRef module, const struct jit_shape *shape, char *why, size_t size)
{
    LLVMTargetMachineRef tm = machine(shape, why, size);
    LLVMPassBuilderOptionsRef options;
    LLVMMemoryBufferRef object = NULL;
    LLVMTargetDataRef layout;
    LLVMErrorRef error;
    char *message = NULL;

    if (!tm)
        return NULL;
    layout = LLVMCreateTargetDataLayout(tm);
    LLVMSetModuleDataLayout(module, layout);
    LLVMDisposeTargetData(layout);
    LLVMSetTarget(module, "x86_64-unknown-linux-gnu");
    dump(module, 'i');
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &message)) {
        snprintf(why, size, "malformed IR: %.200s", message);
        LLVMDisposeMessage(message);
        LLVMDisposeTargetMachine(tm);
        return NULL;
    }
    LLVMDisposeMessage(message);
    message = NULL;
    options = LLVMCreatePassBuilderOptions();
    error = LLVMRunPasses(module, passes, tm, options);
    LLVMDisposePassBuilderOptions(options);
    if (error) {
        message = LLVMGetErrorMessage(error);
        snprintf(why, size, "LLVM: %.200s", message);
        LLVMDisposeErrorMessage(message);
        LLVMDisposeTargetMachine(tm);
        return NULL;
    }
    dump(module, 'o');
    dump_assembly(tm, module);
    if (LLVMTargetMachineEmitToMemoryBuffer(tm, module, LLVMObjectFile, &message, &object)) {
        snprintf(why, size, "LLVM: %.200s", message);
        LLVMDisposeMessage(message);
        object = NULL;
    }
    LLVMDisposeTargetMachine(tm);
    return object;
}
