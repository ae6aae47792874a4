/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VGPU_JIT_CODE_H
#define VGPU_JIT_CODE_H

#include <llvm-c/Core.h>

#include "jit/jit.h"

/* Optimise the module and generate an object file; NULL and 'why' when LLVM refuses. */
LLVMMemoryBufferRef jit_code_generate(LLVMModuleRef module, const struct jit_shape *shape, char *why, size_t size);
/* The attributes that every function compiled for the instruction set carries. */
void jit_code_attributes(LLVMValueRef fn, const struct jit_shape *shape);
/* The function runs with MXCSR.DAZ set. */
void jit_code_flushes(LLVMValueRef fn);

/* Link the object's sections into one position-independent image with its one function at the start, malloc'd. NULL and 'why'
 * when it refers to anything outside itself. */
void *jit_object_link(const void *object, size_t n, size_t *image_size, char *why, size_t size);

#endif
