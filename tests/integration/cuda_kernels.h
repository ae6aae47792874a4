/* SPDX-License-Identifier: Apache-2.0 */
/* A module for the tests of the driver API. */
#ifndef VGPU_TESTS_CUDA_KERNELS_H
#define VGPU_TESTS_CUDA_KERNELS_H

static const char test_ptx[] =
    ".version 7.0\n.target sm_50\n.address_size 64\n"
    ".visible .global .align 4 .u32 numbers[4] = {1, 2, 3, 4};\n"
    /* add(u32 *p, u32 n, u32 value): p[i] += value */
    ".visible .entry add(.param .u64 p, .param .u32 n, .param .u32 value) {\n"
    "  .reg .pred %q; .reg .b32 %r<8>; .reg .b64 %d<4>;\n"
    "  ld.param.u64 %d0, [p]; ld.param.u32 %r0, [n]; ld.param.u32 %r1, [value];\n"
    "  mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mov.u32 %r4, %tid.x; mad.lo.u32 %r5, %r2, %r3, %r4;\n"
    "  setp.ge.u32 %q, %r5, %r0; @%q bra done;\n"
    "  mul.wide.u32 %d1, %r5, 4; add.u64 %d2, %d0, %d1;\n"
    "  ld.global.u32 %r6, [%d2]; add.u32 %r6, %r6, %r1; st.global.u32 [%d2], %r6;\n"
    "done: ret; }\n"
    /* dynamic(u32 *p): writes the size of its dynamic shared memory */
    ".extern .shared .align 4 .b8 pool[];\n"
    ".visible .entry dynamic(.param .u64 p) .maxntid 64, 1, 1 {\n"
    "  .reg .b32 %r0; .reg .b64 %d0;\n"
    "  ld.param.u64 %d0, [p]; mov.u32 %r0, %dynamic_smem_size; st.global.u32 [%d0], %r0; ret; }\n"
    /* sum(u32 *p): p[0] = the sum of the module's numbers */
    ".visible .entry sum(.param .u64 p) {\n"
    "  .reg .b32 %r<4>; .reg .b64 %d0;\n"
    "  ld.param.u64 %d0, [p]; ld.global.u32 %r0, [numbers]; ld.global.u32 %r1, [numbers+4]; add.u32 %r0, %r0, %r1;\n"
    "  ld.global.u32 %r1, [numbers+8]; add.u32 %r0, %r0, %r1; ld.global.u32 %r1, [numbers+12]; add.u32 %r0, %r0, %r1;\n"
    "  st.global.u32 [%d0], %r0; ret; }\n"
    /* store(u64 address): writes there */
    ".visible .entry store(.param .u64 p) {\n"
    "  .reg .b64 %d0; ld.param.u64 %d0, [p]; st.global.u32 [%d0], 7; ret; }\n"
    ".visible .entry stop() { trap; }\n";

#endif
