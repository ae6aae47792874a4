/* SPDX-License-Identifier: Apache-2.0 */
/* LLVM's part: from IR to an object file. */
#include "jit/code.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What each instruction set may use. Extensions beyond the level are added where this CPU has them. */
static const struct {
    const char *cpu, *features, *width;
} targets[] = {
    [JIT_ISA_BASE] = {"x86-64", "", "128"},
    [JIT_ISA_V3] = {"x86-64-v3", "", "256"},
    [JIT_ISA_V4] = {"x86-64-v4", "-prefer-256-bit", "512"},
};

static bool has(unsigned isa)
{
    switch (isa) {
    case JIT_ISA_V4:
        return __builtin_cpu_supports("x86-64-v4");
    case JIT_ISA_V3:
        return __builtin_cpu_supports("x86-64-v3");
    default:
        return true;
    }
}

bool jit_isa_find(const char *name, enum jit_isa *isa)
{
    static const char *const names[] = {"base", "v3", "v4"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i]) && has(i)) {
            *isa = (enum jit_isa)i;
            return true;
        }
    return false;
}

enum jit_isa jit_isa_default(void)
{
    const char *want = getenv("VGPU_ISA");
    enum jit_isa isa;

    if (want && jit_isa_find(want, &isa))
        return isa;
    return jit_isa_find("v4", &isa) || jit_isa_find("v3", &isa) ? isa : JIT_ISA_BASE;
}

static const char passes[] =
    "function(sroa,early-cse,simplifycfg,instcombine<no-verify-fixpoint>,gvn,loop-mssa(loop-rotate,licm),"
    "instcombine<no-verify-fixpoint>,simplifycfg,early-cse,dse,adce)";

static void initialise(void)
{
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
}

static const char *features_of(enum jit_isa isa, char *text, size_t n)
{
    snprintf(text, n, "%s%s%s", targets[isa].features,
             isa == JIT_ISA_V4 && __builtin_cpu_supports("avx512vnni") ? ",+avx512vnni" : "",
             isa == JIT_ISA_V4 && __builtin_cpu_supports("avx512vbmi") ? ",+avx512vbmi" : "");
    return text;
}

static void attribute(LLVMValueRef fn, const char *name, const char *value)
{
    LLVMContextRef c = LLVMGetModuleContext(LLVMGetGlobalParent(fn));

    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(c, name, (unsigned)strlen(name), value, (unsigned)strlen(value)));
}

void jit_code_attributes(LLVMValueRef fn, enum jit_isa isa)
{
    LLVMContextRef c = LLVMGetModuleContext(LLVMGetGlobalParent(fn));
    char features[128];

    attribute(fn, "target-cpu", targets[isa].cpu);
    attribute(fn, "target-features", features_of(isa, features, sizeof features));
    attribute(fn, "prefer-vector-width", targets[isa].width);
    attribute(fn, "min-legal-vector-width", targets[isa].width);
    attribute(fn, "probe-stack", "inline-asm"); /* a frame larger than the guard page must not step over it */
    attribute(fn, "no-builtins", "");
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(c, LLVMGetEnumAttributeKindForName("nounwind", 8), 0));
}

static LLVMTargetMachineRef machine(enum jit_isa isa, char *why, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    LLVMTargetRef target;
    char features[128], *message = NULL;

    pthread_once(&once, initialise);
    if (LLVMGetTargetFromTriple("x86_64-unknown-linux-gnu", &target, &message)) {
        snprintf(why, size, "LLVM: %s", message);
        LLVMDisposeMessage(message);
        return NULL;
    }
    return LLVMCreateTargetMachine(target, "x86_64-unknown-linux-gnu", targets[isa].cpu,
                                   features_of(isa, features, sizeof features), LLVMCodeGenLevelDefault, LLVMRelocPIC,
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

LLVMMemoryBufferRef jit_code_generate(LLVMModuleRef module, enum jit_isa isa, char *why, size_t size)
{
    LLVMTargetMachineRef tm = machine(isa, why, size);
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
