/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda/md2.h"

#include <string.h>

/* RFC 1319's permutation of the bytes, made from the digits of pi. */
static const uint8_t pi[256] = {
    41, 46, 67, 201, 162, 216, 124, 1, 61, 54, 84, 161, 236, 240, 6, 19,
    98, 167, 5, 243, 192, 199, 115, 140, 152, 147, 43, 217, 188, 76, 130, 202,
    30, 155, 87, 60, 253, 212, 224, 22, 103, 66, 111, 24, 138, 23, 229, 18,
    190, 78, 196, 214, 218, 158, 222, 73, 160, 251, 245, 142, 187, 47, 238, 122,
    169, 104, 121, 145, 21, 178, 7, 63, 148, 194, 16, 137, 11, 34, 95, 33,
    128, 127, 93, 154, 90, 144, 50, 39, 53, 62, 204, 231, 191, 247, 151, 3,
    255, 25, 48, 179, 72, 165, 181, 209, 215, 94, 146, 42, 172, 86, 170, 198,
    79, 184, 56, 210, 150, 164, 125, 182, 118, 252, 107, 226, 156, 116, 4, 241,
    69, 157, 112, 89, 100, 113, 135, 32, 134, 91, 207, 101, 230, 45, 168, 2,
    27, 96, 37, 173, 174, 176, 185, 246, 28, 70, 97, 105, 52, 64, 126, 15,
    85, 71, 163, 35, 221, 81, 175, 58, 195, 92, 249, 206, 186, 197, 234, 38,
    44, 83, 13, 110, 133, 40, 132, 9, 211, 223, 205, 244, 65, 129, 77, 82,
    106, 220, 55, 200, 108, 193, 171, 250, 36, 225, 123, 8, 12, 189, 177, 74,
    120, 136, 149, 139, 227, 99, 232, 109, 233, 203, 213, 254, 59, 0, 29, 57,
    242, 239, 183, 14, 102, 88, 208, 228, 166, 119, 114, 248, 235, 117, 75, 10,
    49, 68, 80, 180, 143, 237, 31, 26, 219, 153, 141, 51, 159, 17, 131, 20,
};

enum { ROUNDS = 18 };

static void take_block(struct vgpu_md2 *md2)
{
    uint8_t x[3 * MD2_SIZE], last = md2->checksum[MD2_SIZE - 1], t = 0;

    for (unsigned i = 0; i < MD2_SIZE; i++) {
        last = md2->checksum[i] ^= pi[md2->block[i] ^ last];
        x[i] = md2->state[i];
        x[MD2_SIZE + i] = md2->block[i];
        x[2 * MD2_SIZE + i] = md2->block[i] ^ md2->state[i];
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < sizeof x; i++)
            t = x[i] ^= pi[t];
        t = (uint8_t)(t + round);
    }
    memcpy(md2->state, x, sizeof md2->state);
    md2->used = 0;
}

void vgpu_md2_add(struct vgpu_md2 *md2, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;

    for (size_t i = 0; i < n; i++) {
        md2->block[md2->used++] = from[i];
        if (md2->used == MD2_SIZE)
            take_block(md2);
    }
}

void vgpu_md2_end(struct vgpu_md2 *md2, uint8_t digest[MD2_SIZE])
{
    uint8_t pad[MD2_SIZE], checksum[MD2_SIZE];

    memset(pad, (int)(MD2_SIZE - md2->used), sizeof pad);
    vgpu_md2_add(md2, pad, pad[0]);
    memcpy(checksum, md2->checksum, sizeof checksum);
    vgpu_md2_add(md2, checksum, sizeof checksum);
    memcpy(digest, md2->state, MD2_SIZE);
}

static void add_key(struct vgpu_md2 *md2, const uint8_t key[MD2_SIZE], uint8_t mask)
{
    uint8_t masked[MD2_SIZE];

    for (unsigned i = 0; i < MD2_SIZE; i++)
        masked[i] = key[i] ^ mask;
    vgpu_md2_add(md2, masked, sizeof masked);
}

void vgpu_hmac_begin(struct vgpu_md2 *md2, const uint8_t key[MD2_SIZE])
{
    *md2 = (struct vgpu_md2){0};
    add_key(md2, key, 0x36);
}

void vgpu_hmac_end(struct vgpu_md2 *md2, const uint8_t key[MD2_SIZE], uint8_t digest[MD2_SIZE])
{
    uint8_t inner[MD2_SIZE];

    vgpu_md2_end(md2, inner);
    *md2 = (struct vgpu_md2){0};
    add_key(md2, key, 0x5c);
    vgpu_md2_add(md2, inner, sizeof inner);
    vgpu_md2_end(md2, digest);
}
