/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged and unsuitable module images through cuModuleLoadData(): the error that belongs to them or, where the damage hit
 * nothing that matters, a module; the process goes on either way. argv: vgpu-hostd, libcuda.so.1. */
#include "bad.h"

#include <lz4.h>
#include <zstd.h>

#include "fatbin_walk.h"

enum { ROOM = 1 << 16 }; /* every image lies in a buffer of this size, zeros behind it */
static uint8_t image[ROOM], whole[ROOM];
static size_t whole_size;

static uint64_t random_bits(void)
{
    static uint64_t x = 0x9e3779b97f4a7c15;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    return x * 0x2545f4914f6cdd1d;
}

/* ---- Containers ---- */

static void put(const void *p, size_t n)
{
    memcpy(whole + whole_size, p, n);
    whole_size += n;
}

static void start(void)
{
    static const uint8_t header[16] = {0x50, 0xed, 0x55, 0xba, 1, 0, 16, 0};

    memset(whole, 0, sizeof whole);
    whole_size = 0;
    put(header, sizeof header);
}

static void member(enum vg_fatbin_kind kind, uint32_t sm, uint64_t flags, const void *data, size_t n, uint64_t unpacked)
{
    uint8_t header[64] = {kind, 0, 1, 1, sizeof header};
    uint64_t padded = (n + 7) & ~(uint64_t)7, size;
    uint32_t packed = unpacked ? (uint32_t)n : 0;

    memcpy(header + 8, &padded, 8);
    memcpy(header + 16, &packed, 4);
    header[26] = 7; /* PTX ISA 7.0 */
    memcpy(header + 28, &sm, 4);
    memcpy(header + 40, &flags, 8);
    memcpy(header + 56, &unpacked, 8);
    put(header, sizeof header);
    put(data, n);
    put("\0\0\0\0\0\0\0", padded - n);
    size = whole_size - 16;
    memcpy(whole + 8, &size, 8);
}

static void make_text(void)
{
    memset(whole, 0, sizeof whole);
    memcpy(whole, bad_ptx, sizeof bad_ptx);
    whole_size = sizeof bad_ptx;
}

static void make_plain(void)
{
    start();
    member(VG_FATBIN_PTX, 50, 0x11, bad_ptx, sizeof bad_ptx, 0);
}

static void make_lz4(void)
{
    char packed[2 * sizeof bad_ptx];

    start();
    member(VG_FATBIN_PTX, 50, 0x11 | VG_FATBIN_LZ4, packed, (size_t)LZ4_compress_default(bad_ptx, packed, sizeof bad_ptx,
        sizeof packed),
           sizeof bad_ptx);
}

static void make_zstd(void)
{
    char packed[2 * sizeof bad_ptx];

    start();
    member(VG_FATBIN_PTX, 50, 0x11 | VG_FATBIN_ZSTD, packed, ZSTD_compress(packed, sizeof packed, bad_ptx, sizeof bad_ptx, 3),
        sizeof bad_ptx);
}

/* An ELF file for NVIDIA's machine, and nothing in it. */
static const uint8_t cubin[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0x33, 7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 190, 0, 1, 0, 0, 0, [52] = 64};

static void make_machine_code(void)
{
    start();
    member(VG_FATBIN_ELF, 80, 0x11, cubin, sizeof cubin, 0);
    member(VG_FATBIN_ELF, 86, 0x11, cubin, sizeof cubin, 0);
}

/* ---- Loading ---- */

static int belongs(int status)
{
    return status == 0 || status == CUDA_ERROR_INVALID_IMAGE || status == CUDA_ERROR_NO_BINARY_FOR_GPU ||
           status == 218 || status == 222;
}

/* Load what is in 'image'; 0 when the outcome is one that may be. Loaded modules are looked into and unloaded. */
static int try_load(const char *what, size_t at, unsigned counts[2])
{
    CUmodule module;
    CUfunction f;
    int status = CU(cuModuleLoadData)(&module, image);

    if (!belongs(status)) {
        diag("%s %zu: error %d", what, at, status);
        return 1;
    }
    counts[status != 0]++;
    if (status)
        return 0;
    status = CU(cuModuleGetFunction)(&f, module, "store");
    if (status && status != 500 && !belongs(status)) {
        diag("%s %zu: then error %d", what, at, status);
        return 1;
    }
    return CU(cuModuleUnload)(module);
}

/* Cut at 150 places, then flip one to four bits 400 times. The image itself loads. */
static int damage(struct bad_client *c, void (*make)(void))
{
    unsigned cut[2] = {0}, flipped[2] = {0};

    make();
    memcpy(image, whole, ROOM);
    if (try_load("whole", 0, cut) || cut[1])
        return 1;
    for (size_t k = 0; k < 150; k++) {
        size_t n = k < 30 ? k : whole_size * k / 150;

        memset(image, 0, ROOM);
        memcpy(image, whole, n);
        if (try_load("cut at", n, cut))
            return 2;
    }
    for (size_t k = 0; k < 400; k++) {
        memcpy(image, whole, ROOM);
        for (size_t i = 0; i <= k % 4; i++) {
            size_t at = (size_t)(random_bits() >> 20) % (k % 3 ? whole_size : whole_size < 96 ? whole_size : 96);

            image[at] ^= (uint8_t)(1u << (random_bits() >> 40) % 8);
        }
        if (try_load("flips, round", k, flipped))
            return 3;
    }
    diag("cut: %u loaded, %u refused; flipped: %u loaded, %u refused", cut[0], cut[1], flipped[0], flipped[1]);
    return bad_works(c) && cut[1] > 100 && flipped[1] ? 0 : 4;
}

static int text(struct bad_client *c) { return damage(c, make_text); }
static int plain(struct bad_client *c) { return damage(c, make_plain); }
static int lz4(struct bad_client *c) { return damage(c, make_lz4); }
static int zstd(struct bad_client *c) { return damage(c, make_zstd); }

static int noise(struct bad_client *c)
{
    unsigned counts[2] = {0};

    for (size_t k = 0; k < 300; k++) {
        memset(image, 0, ROOM);
        for (size_t i = 0; i < 1 + k * 10; i++)
            image[i] = (uint8_t)(random_bits() >> 32);
        if (k % 3 == 1)
            memcpy(image, "\x50\xed\x55\xba\1\0\x10", 8);
        if (k % 3 == 2)
            memcpy(image, ".version 7.0\n.target sm_50\n.address_size 64\n", 44);
        if (try_load("noise", k, counts))
            return 1;
    }
    return bad_works(c) ? 0 : 2;
}

static int loads_as(const void *bytes, int status)
{
    CUmodule module;
    int seen = CU(cuModuleLoadData)(&module, bytes);

    if (seen != status)
        diag("error %d, not %d", seen, status);
    return seen != status;
}

static int machine_code(struct bad_client *c)
{
    int bad = 0;
    uint64_t wrapper[3] = {0x00000001466243b1, (uintptr_t)whole, 0};

    memcpy(image, cubin, sizeof cubin);
    bad += loads_as(image, CUDA_ERROR_NO_BINARY_FOR_GPU);
    make_machine_code();
    bad += loads_as(whole, CUDA_ERROR_NO_BINARY_FOR_GPU);
    bad += loads_as(wrapper, CUDA_ERROR_NO_BINARY_FOR_GPU);
    return bad ? bad : !bad_works(c);
}

static int unsuitable(struct bad_client *c)
{
    static const struct {
        const char *text;
        int status;
    } images[] = {
        {"", 200},
        {"no image", 200},
        {".version 99.0\n.target sm_50\n.address_size 64\n.entry k() { ret; }", 222},
        {".version 9.2\n.target sm_50\n.address_size 64\n.entry k() { ret; }", 222},
        {".version 7.0\n.target sm_50\n.address_size 64\n.entry k() { frobnicate.u32 %r0; ret; }", 218},
        {".version 7.0\n.target sm_50\n.address_size 64\n.entry k() { add.u32 %r0, %r1, %r2; ret; }", 218},
        {".version 7.0\n.target sm_50\n.address_size 64\n.entry k() { bra nowhere; }", 218},
        {".version 7.0\n.target sm_50\n.address_size 64\n.entry k( { ret; }", 218},
        {".version 7.0\n.target sm_50\n.address_size 64\n.entry k() { ret;", 218},
        {".version 7.0\n.target sm_50\n.address_size 64\n.entry k() { ret; } .entry k() { ret; }", 218},
    };
    int bad = 0;

    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        CUmodule module;
        CUfunction f;
        int status;

        memset(image, 0, ROOM);
        strcpy((char *)image, images[i].text);
        status = CU(cuModuleLoadData)(&module, image);
        if (!status) /* bodies are parsed at first use */
            status = CU(cuModuleGetFunction)(&f, module, "k");
        if (status != images[i].status) {
            diag("image %zu: error %d, not %d", i, status, images[i].status);
            bad++;
        }
    }
    bad += loads_as(NULL, 1);
    return bad ? bad : !bad_works(c);
}

/* Sizes that are lies: a container larger than all memory, members larger than their container, unpacked sizes of 2^60. */
static int lies(struct bad_client *c)
{
    static const uint64_t sizes[] = {0, 1, 7, 63, 64, 65, 1 << 20, UINT32_MAX, UINT64_C(1) << 60, UINT64_MAX - 15, UINT64_MAX};
    void (*const makers[])(void) = {make_plain, make_lz4, make_zstd};
    static const size_t fields[] = {8, 16 + 8, 16 + 56};
    unsigned counts[2] = {0};

    for (size_t m = 0; m < 3; m++)
        for (size_t f = 0; f < 3; f++)
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                makers[m]();
                memcpy(image, whole, ROOM);
                memcpy(image + fields[f], &sizes[s], 8);
                if (try_load("lie", m * 100 + f * 11 + s, counts))
                    return 1;
            }
    return bad_works(c) ? 0 : 2;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*test)(struct bad_client *);
    } tests[] = {
        {"PTX text, cut and flipped", text},
        {"a fat binary, cut and flipped", plain},
        {"one with LZ4, cut and flipped", lz4},
        {"one with zstd, cut and flipped", zstd},
        {"noise", noise},
        {"sizes that are lies", lies},
        {"machine code alone: 209", machine_code},
        {"unsuitable texts", unsuitable},
    };

    (void)argc;
    bad_setup(argv, "warn");
    witness_start();
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        is_u64(bad_run(tests[i].test), 0, "%s", tests[i].name);
        ok(witness_works(), "another client is unharmed");
    }
    ok(log_names("sm_80", "sm_86"), "the log says which architectures the machine code is for");
    ok(log_names("frobnicate", "line 4"), "the log names the unknown instruction and its line");
    witness_stop();
    return tap_done();
}
