/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of functions that NVIDIA's runtime library asks its driver for with cuGetExportTable. */
#ifndef VGPU_CUDA_RUNTIME_TABLES_H
#define VGPU_CUDA_RUNTIME_TABLES_H

/* The table that ID (16 bytes) names, or NULL. */
const void *vgpu_runtime_table(const void *id);

#endif
