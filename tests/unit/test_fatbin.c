/* SPDX-License-Identifier: Apache-2.0 */
/* Fatbins: the walk over containers, the choice of PTX, unpacking, and what damaged ones give. */
#include <lz4.h>
#include <stdlib.h>
#include <zstd.h>

#include "ptx/fatbin.h"
#include "tap.h"

/* A container under construction. */
struct builder {
    uint8_t *data;
    size_t n;
};

static void put(struct builder *b, const void *p, size_t n)
{
    b->data = realloc(b->data, b->n + n + 1);
    memcpy(b->data + b->n, p, n);
    b->n += n;
}

static void start(struct builder *b)
{
    static const uint8_t header[16] = {0x50, 0xed, 0x55, 0xba, 1, 0, 16, 0};

    *b = (struct builder){0};
    put(b, header, sizeof header);
}

static void finish(struct builder *b)
{
    uint64_t size = b->n - 16;

    memcpy(b->data + 8, &size, sizeof size);
}

static void member(struct builder *b, unsigned kind, uint32_t sm, uint64_t flags, const void *data, uint32_t n, uint64_t unpacked)
{
    uint8_t header[80] = {kind, 0, 1, 1, sizeof header};
    uint64_t padded = (n + 7) & ~(uint64_t)7;
    uint32_t compressed = unpacked ? n : 0;

    memcpy(header + 8, &padded, 8);
    memcpy(header + 16, &compressed, 4);
    header[24] = 4;
    header[26] = 8;
    memcpy(header + 28, &sm, 4);
    memcpy(header + 40, &flags, 8);
    memcpy(header + 56, &unpacked, 8);
    put(b, header, sizeof header);
    put(b, data, n);
    put(b, "\0\0\0\0\0\0\0", padded - n);
}

static const char ptx[] = "\n//\n.version 8.4\n.target sm_50\n.address_size 64\n.entry k() { ret; }\n\0\0";

static void member_lz4(struct builder *b, uint32_t sm)
{
    char packed[256];
    int n = LZ4_compress_default(ptx, packed, sizeof ptx, sizeof packed);

    member(b, VG_FATBIN_PTX, sm, 0x11 | VG_FATBIN_LZ4, packed, n, sizeof ptx);
}

static void member_zstd(struct builder *b, uint32_t sm, uint64_t flags)
{
    char packed[256];
    size_t n = ZSTD_compress(packed, sizeof packed, ptx, sizeof ptx, 3);

    member(b, VG_FATBIN_PTX, sm, 0x11 | VG_FATBIN_ZSTD | flags, packed, n, sizeof ptx);
}

static void test_choice(void)
{
    static const struct {
        uint32_t cc;
        uint32_t want; /* 0: none */
        bool specific;
    } cases[] = {{50, 0}, {52, 52}, {61, 61}, {75, 61}, {80, 80}, {86, 80}, {89, 80}, {90, 90, true}, {91, 80}, {100, 100}, {103, 100},
                 {110, 80}, {120, 120}, {121, 120}};
    struct builder b;
    struct vg_fatbin_member m;
    struct ptx_error err;
    size_t n;
    char *text;

    start(&b);
    member(&b, VG_FATBIN_ELF, 86, 0x11, "\x7f" "ELF", 4, 0);
    member(&b, VG_FATBIN_PTX, 52, 0x11, ptx, sizeof ptx, 0);
    member_zstd(&b, 80, 0);
    member_lz4(&b, 61);
    member_zstd(&b, 90, VG_FATBIN_ARCH_SPECIFIC);
    member_zstd(&b, 100, VG_FATBIN_FAMILY);
    member_zstd(&b, 120, VG_FATBIN_ARCH_SPECIFIC);
    member(&b, VG_FATBIN_PTX, 120, 0x11, ptx, sizeof ptx, 0);
    member(&b, 9, 50, 0, "what", 4, 0);
    finish(&b);
    is_u64(vg_image_kind(b.data, b.n), VG_IMAGE_FATBIN, "a fatbin is known");
    is_u64(vg_image_size(b.data, SIZE_MAX), b.n, "its size is in its header");
    is_u64(vg_image_size(b.data, b.n - 1), 0, "unless it reaches too far");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool found = fatbin_select(b.data, b.n, cases[i].cc, &m, &err);

        if (!cases[i].want) {
            ok(!found && err.code == 209, "nothing for %u", cases[i].cc);
            is_str(err.message, "no PTX in the image runs on sm_50; it has: sm_86, compute_52, compute_80, compute_61, "
                   "compute_90a, compute_100f, compute_120a, compute_120", "and what there is");
            continue;
        }
        if (!ok(found && m.sm == cases[i].want && !!(m.flags & VG_FATBIN_ARCH_SPECIFIC) == cases[i].specific, "for %u: %u",
                cases[i].cc, cases[i].want))
            diag("%u %s", found ? m.sm : 0, err.message);
        text = found ? fatbin_text(&m, &n, &err) : NULL;
        ok(text && n == strlen(ptx) && !strcmp(text, ptx), "its text");
        free(text);
    }
    free(b.data);
}

static void test_damage(void)
{
    struct builder b;
    struct vg_fatbin_member m;
    struct ptx_error err;
    size_t n, taken = 0, refused = 0;
    uint8_t *copy;
    char *text;

    start(&b);
    member_lz4(&b, 61);
    member_zstd(&b, 80, 0);
    finish(&b);
    for (size_t k = 0; k < b.n; k++) {
        copy = malloc(k ? k : 1);
        memcpy(copy, b.data, k);
        refused += !fatbin_select(copy, k, 80, &m, &err) && err.code == 200;
        vg_image_size(copy, k);
        free(copy);
    }
    is_u64(refused, b.n, "cut at every byte: invalid image");
    copy = malloc(b.n);
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        memcpy(copy, b.data, b.n);
        copy[bit / 8] ^= 1 << bit % 8;
        for (uint32_t cc = 61; cc <= 80; cc += 19) {
            text = fatbin_select(copy, b.n, cc, &m, &err) ? fatbin_text(&m, &n, &err) : NULL;
            taken += text != NULL;
            if (!text && err.code != 200 && err.code != 209 && err.code != 2)
                ok(0, "bit %zu: code %d", bit, err.code);
            free(text);
        }
    }
    ok(taken, "every bit flipped: %zu taken, the others refused with a code", taken);
    free(copy);
    free(b.data);

    start(&b);
    member(&b, VG_FATBIN_PTX, 80, VG_FATBIN_ZSTD, "x", 1, (uint64_t)1 << 40);
    finish(&b);
    ok(fatbin_select(b.data, b.n, 80, &m, &err) && !fatbin_text(&m, &n, &err) && err.code == 200, "one byte that claims to be 2^40");
    free(b.data);
    start(&b);
    member(&b, VG_FATBIN_PTX, 80, VG_FATBIN_ZSTD, (char[32768]){0}, 32768, 2 * FATBIN_MAX_TEXT);
    finish(&b);
    ok(fatbin_select(b.data, b.n, 80, &m, &err) && !fatbin_text(&m, &n, &err) && err.code == 2, "a text beyond the bound");
    free(b.data);
}

static void test_kinds(void)
{
    static const uint8_t cubin[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0x33, 7, [16] = 2, 0, 190, [48] = 86, 5, 86, [52] = 64, 0, 56};
    struct vg_fatbin_member m;
    struct ptx_error err;
    size_t n;
    char *text;

    ok(!fatbin_select(cubin, sizeof cubin, 90, &m, &err) && err.code == 209, "a cubin has no PTX");
    is_str(err.message, "no PTX in the image: it is a cubin for sm_86", "and says so");
    is_u64(vg_image_size(cubin, sizeof cubin), 64, "size of an ELF header alone");
    ok(!fatbin_select(cubin, 20, 90, &m, &err) && err.code == 200, "a piece of a cubin");
    ok(!fatbin_select("junk", 4, 90, &m, &err) && err.code == 200, "junk");
    ok(!fatbin_select("", 0, 90, &m, &err) && err.code == 200, "nothing");
    ok(fatbin_select(ptx, sizeof ptx, 90, &m, &err), "text");
    text = fatbin_text(&m, &n, &err);
    ok(text && n == strlen(ptx), "without its NULs");
    free(text);
    is_u64(vg_image_kind(".version 8.0", 12), VG_IMAGE_PTX, "text that starts at once");
    is_u64(vg_image_kind("  .vers", 7), VG_IMAGE_UNKNOWN, "text that is too short");
    is_u64(vg_image_size(ptx, SIZE_MAX), strlen(ptx) + 1, "text ends with its NUL");
    is_u64(vg_image_kind("\xb1\x43\x62\x46", 4), VG_IMAGE_WRAPPER, "a wrapper");
}

int main(void)
{
    test_choice();
    test_damage();
    test_kinds();
    return tap_done();
}
