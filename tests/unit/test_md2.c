/* SPDX-License-Identifier: Apache-2.0 */
/* MD2 by RFC 1319's examples; the HMAC's beginning by states that others recorded of NVIDIA's runtime (ZLUDA's tests). */
#include <stdio.h>
#include <string.h>

#include "cuda/md2.h"
#include "tap.h"

static void test_examples(void)
{
    static const struct {
        const char *text, *digest;
    } examples[] = {
        {"", "8350e5a3e24c153df2275c9f80692773"},
        {"a", "32ec01ec4a6dac72c0ab96fb34c0b5d1"},
        {"abc", "da853b0d3f88d99b30283a69e6ded6bb"},
        {"message digest", "ab4f496bfb2a530b219ff33031fe06b0"},
        {"abcdefghijklmnopqrstuvwxyz", "4e8ddff3650292ab5a4108c3aa47940b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "da33def2a42df13975352846c30338cd"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "d5976f79d83d3a0dc9806c3c66f3efd8"},
    };

    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        struct vgpu_md2 whole = {{0}}, parts = {{0}};
        uint8_t a[MD2_SIZE], b[MD2_SIZE];
        char text[2 * MD2_SIZE + 1];
        size_t n = strlen(examples[i].text);

        vgpu_md2_add(&whole, examples[i].text, n);
        vgpu_md2_end(&whole, a);
        for (size_t k = 0; k < n; k++)
            vgpu_md2_add(&parts, examples[i].text + k, 1);
        vgpu_md2_end(&parts, b);
        for (int k = 0; k < MD2_SIZE; k++)
            snprintf(text + 2 * k, 3, "%02x", a[k]);
        ok(!strcmp(text, examples[i].digest) && !memcmp(a, b, sizeof a), "MD2 of '%.20s'", examples[i].text);
    }
}

static void test_hmac(void)
{
    static const uint8_t key[MD2_SIZE] = {0,
                                          0};
    static const uint8_t begun[MD2_SIZE] = {0x8b, 0x21, 0x9a, 0x49, 0xe8, 0x6d, 0x1a, 0xee,
                                            0xf2, 0x37, 0xf9, 0xb5, 0x4a, 0x8c, 0x3c, 0x75};
    static const uint8_t added[MD2_SIZE] = {0x0a, 0xfd, 0xab, 0xc9, 0xff, 0x9b, 0xa0, 0xbe,
                                            0x4d, 0x30, 0x32, 0x82, 0x74, 0x4f, 0xa7, 0x48};
    static const struct {
        uint32_t words[4];
        uint64_t more[4];
    } call = {{0x2f30, 12082, 0x2fa423, 0xf79c1000}, {0x7ffff6958240, 0x7ffff6958220, 0x7ffff2aaf4a0, 0x682b9cee}};
    struct vgpu_md2 md2;
    uint8_t inner[MD2_SIZE], digest[MD2_SIZE], expected[MD2_SIZE];

    vgpu_hmac_begin(&md2, key);
    ok(!memcmp(md2.state, begun, sizeof begun), "the HMAC's key");
    vgpu_md2_add(&md2, &call, sizeof call);
    ok(!memcmp(md2.state, added, sizeof added), "a message");
    /* The rest is RFC 2104's definition. */
    struct vgpu_md2 copy = md2, outer = {{0}};
    vgpu_md2_end(&copy, inner);
    for (int i = 0; i < MD2_SIZE; i++)
        vgpu_md2_add(&outer, &(uint8_t){key[i] ^ 0x5c}, 1);
    vgpu_md2_add(&outer, inner, sizeof inner);
    vgpu_md2_end(&outer, expected);
    vgpu_hmac_end(&md2, key, digest);
    ok(!memcmp(digest, expected, sizeof digest), "its end");
}

int main(void)
{
    test_examples();
    test_hmac();
    return tap_done();
}
