/* SPDX-License-Identifier: Apache-2.0 */
/* The containers that CUDA programs carry their device code in, walked without trust and without memory: for both sides.
 *
 * Layout (little-endian), as the compilers of CUDA 12 and 13 write it:
 *   wrapper    u32 magic 0x466243b1, u32 version (1, 2), pointer to the container, pointer: what __cudaRegisterFatBinary gets
 *   container  u32 magic 0xba55ed50, u16 version 1, u16 header size (16), u64 size of what follows
 *   member     u16 kind, u16 version, u32 header size, u64 stored size (padded to 8), u32 compressed size (0: as stored),
 *              u32, u16 minor, u16 major of the PTX ISA, u32 sm, u64 names, u64 flags, u64, u64 uncompressed size (0: as stored)
 *   followed by its data; the next member comes behind that. There is no end mark. */
#ifndef VGPU_FATBIN_WALK_H
#define VGPU_FATBIN_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VG_FATBIN_WRAPPER_MAGIC 0x466243b1u
#define VG_FATBIN_MAGIC 0xba55ed50u

enum vg_fatbin_kind { VG_FATBIN_PTX = 1, VG_FATBIN_ELF = 2 }; /* others exist: skip them */

enum vg_fatbin_flag {
    VG_FATBIN_LZ4 = 0x2000,
    VG_FATBIN_ZSTD = 0x8000,
    VG_FATBIN_ARCH_SPECIFIC = 0x100000,  /* sm_90a */
    VG_FATBIN_FAMILY = 0x200000,         /* sm_100f */
};
/* Ours: all members are parts of one program, to be linked (cuLinkComplete makes such containers). */
#define VG_FATBIN_LINKED (UINT64_C(1) << 62)

/* Headers, for who writes containers. */
struct vg_fatbin_container {
    uint32_t magic;
    uint16_t version, header_size;
    uint64_t size;
};

struct vg_fatbin_header {
    uint16_t kind, version;
    uint32_t header_size;
    uint64_t stored;
    uint32_t compressed, unused0;
    uint16_t minor, major;
    uint32_t sm;
    uint64_t names, flags, unused1, unpacked;
};

struct vg_fatbin_member {
    uint32_t kind, sm;
    uint32_t isa_major, isa_minor;
    uint64_t flags;
    const uint8_t *data; /* inside the container */
    size_t size;         /* bytes at data */
    size_t unpacked;     /* bytes after decompression; size when it is not compressed */
};

struct vg_fatbin_walk {
    const uint8_t *at, *end;
};

/* Start at a container in data[0..n). False when there is none or it does not fit. */
bool vg_fatbin_begin(struct vg_fatbin_walk *w, const void *data, size_t n);
/* The next member: 1, or 0 at the end, or -1 when the rest is malformed. */
int vg_fatbin_next(struct vg_fatbin_walk *w, struct vg_fatbin_member *member);

/* A container whose first member says so. */
bool vg_fatbin_is_linked(const void *data, size_t n);

/* What cuModuleLoadData and its like are given: a pointer without a size. */
enum vg_image_kind { VG_IMAGE_UNKNOWN, VG_IMAGE_FATBIN, VG_IMAGE_WRAPPER, VG_IMAGE_ELF, VG_IMAGE_PTX };
enum vg_image_kind vg_image_kind(const void *image, size_t max);
/* Bytes of the image (PTX text: with its NUL when there is one); 0 when it is unknown or reaches beyond max. Reads only what
 * the kinds' headers, or the search for the text's NUL, need. A wrapper's is its container's: follow the pointer first. */
size_t vg_image_size(const void *image, size_t max);

/* Whether PTX for sm (specific to the architecture, or to its family) can be compiled for compute capability cc = 10 *
 * major + minor: plain PTX for this or a later one, 'a' for exactly this one, 'f' for the same major and this or later. */
bool vg_ptx_runs_on(uint32_t sm, bool arch_specific, bool family, uint32_t cc);
/* Whether a is the better choice than b, both of which run. */
bool vg_fatbin_better(const struct vg_fatbin_member *a, const struct vg_fatbin_member *b);

#endif
