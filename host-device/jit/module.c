/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler as a module: what its user looks up. */
#include "jit/jit.h"

__attribute__((visibility("default"))) const struct jit_module vgpu_jit_module;
const struct jit_module vgpu_jit_module = {JIT_MODULE_VERSION, jit_translate, jit_isa_default};
