/* SPDX-License-Identifier: Apache-2.0 */
/* What our own libraries (cuBLAS) ask of our driver beyond the public API: a table that cuGetExportTable returns for
 * VGPU_PRIVATE_UUID. Another driver knows no such table, so a library can tell that it does not run on ours. */
#ifndef VGPU_CUDA_PRIVATE_H
#define VGPU_CUDA_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

struct CUstream_st;

#define VGPU_PRIVATE_UUID \
    { 0x76, 0x67, 0x70, 0x75, 0x2d, 0x73, 0x74, 0x75, 0x62, 0x2d, 0x70, 0x72, 0x69, 0x76, 0x00, 0x01 }

/* All return a CUresult and work in the calling thread's current context. A later version only appends; SIZE says how much
 * there is. */
struct vgpu_private {
    size_t size;
    /* Appends ring command COMMAND to STREAM, or records it where STREAM is being captured. FIXED is its struct, whose
     * first field, the stream's label, is filled in. */
    int (*submit)(struct CUstream_st *stream, uint16_t command, void *fixed, size_t fixed_size, const void *tail,
                  size_t tail_size);
    /* 0 when STREAM can be used: null, legacy, per thread, or a living handle. */
    int (*check_stream)(struct CUstream_st *stream);
    /* The device address of memory that a device pointer, or a pointer to pinned, managed or registered memory, names;
     * INVALID_VALUE for any other. */
    int (*device_address)(const void *pointer, uint64_t *address);
    /* Device memory of the current context; also during a capture. */
    int (*alloc)(size_t bytes, uint64_t *address);
    int (*free)(uint64_t address);
    /* Waits for STREAM, then copies to or from device memory. */
    int (*read)(struct CUstream_st *stream, uint64_t address, void *bytes, size_t size);
    int (*write)(struct CUstream_st *stream, uint64_t address, const void *bytes, size_t size);
};

#endif
