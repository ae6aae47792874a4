/* SPDX-License-Identifier: Apache-2.0 */
/* The structs that CUDA's entry points take or return by value: their layout is part of the calling
 * convention. Structs that travel by pointer are the business of the library that reads them. */
#ifndef VGPU_CHANNEL_ABI_TYPES_H
#define VGPU_CHANNEL_ABI_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* ---- driver ---- */

typedef struct CUipcEventHandle {
    char reserved[64];
} CUipcEventHandle;

typedef struct CUipcMemHandle {
    char reserved[64];
} CUipcMemHandle;

typedef struct CUmemLocation {
    int32_t type; /* CUmemLocationType */
    int32_t id;
} CUmemLocation;

typedef struct CUeglFrame {
    void *planes[3];
    uint32_t width, height, depth, pitch, plane_count, channels;
    int32_t frame_type, color_format, array_format;
} CUeglFrame;

/* ---- runtime ---- */

typedef struct dim3 {
    uint32_t x, y, z;
} dim3;

typedef struct cudaPitchedPtr {
    void *ptr;
    size_t pitch, xsize, ysize;
} cudaPitchedPtr;

typedef struct cudaExtent {
    size_t width, height, depth; /* width in bytes where no array takes part, else in elements */
} cudaExtent;

typedef struct cudaMemLocation {
    int32_t type; /* cudaMemLocationType */
    int32_t id;
} cudaMemLocation;

typedef struct cudaChannelFormatDesc {
    int32_t x, y, z, w; /* bits */
    int32_t f;          /* cudaChannelFormatKind */
} cudaChannelFormatDesc;

typedef struct cudaIpcEventHandle_t {
    char reserved[64];
} cudaIpcEventHandle_t;

typedef struct cudaIpcMemHandle_t {
    char reserved[64];
} cudaIpcMemHandle_t;

typedef struct cudaEglPlaneDesc {
    uint32_t width, height, depth, pitch, channels;
    cudaChannelFormatDesc format;
    uint32_t reserved[4];
} cudaEglPlaneDesc;

typedef struct cudaEglFrame {
    union {
        void *arrays[3];
        cudaPitchedPtr pitched[3];
    } planes;
    cudaEglPlaneDesc plane_desc[3];
    uint32_t plane_count;
    int32_t frame_type, color_format;
} cudaEglFrame;

/* ---- cuBLAS ---- */

typedef struct cuComplex {
    float x, y;
} cuComplex;

typedef struct cuDoubleComplex {
    double x, y;
} cuDoubleComplex;

#endif
