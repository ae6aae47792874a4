/* SPDX-License-Identifier: Apache-2.0 */
/* Written by apigen from tiny.api. */
/* What libtiny.so.1 exports. */
#ifndef VGPU_tiny_API_H
#define VGPU_tiny_API_H

#include "tiny_types.h"

tStatus tInit(void);
tStatus tCopy(tPointer dst, const void *src, size_t bytes, tStream stream);
tStatus tCopy_ptsz(tPointer dst, const void *src, size_t bytes, tStream stream);
tStatus tCopyOld(tPointer dst, const void *src, size_t bytes, tStream stream);
tStatus tSet(tPointer dst, uint8_t value);
tStatus tSet_ptds(tPointer dst, uint8_t value);
const char *tName(tStatus status);
double tScale(float factor, double *x, tContext *context, tHook hook);
void tReset(tDesc *desc, const char *const *names, size_t *count);
tPair tPairOf(int32_t a);
tStatus tNames(uint32_t result, uint32_t fault, uint32_t words, uint32_t call);

#endif
