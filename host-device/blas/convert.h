/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of small types to f32 and back, each value rounded once to nearest even. */
#ifndef VGPU_BLAS_CONVERT_H
#define VGPU_BLAS_CONVERT_H

#include <stddef.h>
#include <stdint.h>

/* type: BLAS_R_32F, BLAS_R_16F, BLAS_R_16BF or (to f32 only) BLAS_R_8I. */
void convert_to_f32(float *to, const void *from, uint32_t type, size_t n);
void convert_from_f32(void *to, const float *from, uint32_t type, size_t n);

#endif
