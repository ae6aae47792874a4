/* SPDX-License-Identifier: Apache-2.0 */
/* Written by apigen from tiny.api. */
/* What the hand-written part of tiny defines. */
#ifndef VGPU_tiny_IMPL_H
#define VGPU_tiny_IMPL_H

#include "tiny_types.h"

tStatus impl_tInit(void);
tStatus impl_tCopy(tPointer dst, const void *src, size_t bytes, tStream stream);
tStatus impl_tSet_v12(tPointer dst, uint8_t value);
const char *impl_tName(tStatus status);
void impl_tReset(tDesc *desc, const char *const *names, size_t *count);
tStatus impl_tNames(uint32_t result, uint32_t fault, uint32_t words, uint32_t call);

#endif
