/* SPDX-License-Identifier: Apache-2.0 */
/* MD2 (RFC 1319), and HMAC (RFC 2104) with it: what NVIDIA's runtime wants of its driver (runtime_tables.c). Broken as
 * cryptography, and not used as such. */
#ifndef VGPU_CUDA_MD2_H
#define VGPU_CUDA_MD2_H

#include <stddef.h>
#include <stdint.h>

enum { MD2_SIZE = 16 }; /* of a digest, and of a block */

struct vgpu_md2 {
    uint8_t state[MD2_SIZE], checksum[MD2_SIZE], block[MD2_SIZE];
    unsigned used; /* of block */
};

/* A digest begins as {0}. */
void vgpu_md2_add(struct vgpu_md2 *md2, const void *bytes, size_t n);
void vgpu_md2_end(struct vgpu_md2 *md2, uint8_t digest[MD2_SIZE]);

/* The same with a key of one block. */
void vgpu_hmac_begin(struct vgpu_md2 *md2, const uint8_t key[MD2_SIZE]);
void vgpu_hmac_end(struct vgpu_md2 *md2, const uint8_t key[MD2_SIZE], uint8_t digest[MD2_SIZE]);

#endif
