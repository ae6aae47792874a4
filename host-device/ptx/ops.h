/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the PTX language: every opcode, type, state space, special register and instruction suffix that the front
 * end knows, each exactly once. From them come the enums (ir.h), the names, the lexer's look-up and the printer.
 *
 * To add an instruction: a row in PTX_OPS, its rule in rules_table.h, its handler in each engine. */
#ifndef VGPU_PTX_OPS_H
#define VGPU_PTX_OPS_H

/* Opcodes, PTX ISA 9.1 chapter 9.7. The word behind the name is the enum's suffix where the two differ.
 * Instructions whose second word selects another operation (cp.async.wait_all, wmma.load.a ...) are one row here;
 * the suffixes tell them apart. */
#define PTX_OPS(X) \
    /* integer and floating point arithmetic */ \
    X(abs) X(add) X(addc) X(sub) X(subc) X(mul) X(mad) X(madc) X(mul24) X(mad24) X(sad) X(div) X(rem) X(neg) \
    X(min) X(max) X(fma) X(rcp) X(sqrt) X(rsqrt) X(sin) X(cos) X(lg2) X(ex2) X(tanh) X(copysign) X(testp) \
    /* bits */ \
    X(popc) X(clz) X(bfind) X(fns) X(brev) X(bfe) X(bfi) X(bmsk) X(szext) X(dp4a) X(dp2a) \
    X(and) X(or) X(xor) X(not) X(cnot) X(lop3) X(shf) X(shl) X(shr) X(prmt) \
    /* comparison and selection */ \
    X(set) X(setp) X(selp) X(slct) \
    /* data movement and conversion */ \
    X(mov) X(cvt) X(cvta) X(isspacep) X(mapa) X(getctarank) X(istypep) \
    X(ld) X(ldu) X(st) X(prefetch) X(prefetchu) X(applypriority) X(discard) X(createpolicy) \
    X(cp) X(multimem) X(alloca) X(stacksave) X(stackrestore) \
    /* warp-wide */ \
    X(shfl) X(vote) X(match) X(redux) X(activemask) X(elect) \
    /* matrix */ \
    X(mma) X(wmma) X(ldmatrix) X(stmatrix) X(movmatrix) X(wgmma) X(tcgen05) \
    /* memory order, atomics, barriers */ \
    X(atom) X(red) X(membar) X(fence) X(bar) X(barrier) X(mbarrier) X(griddepcontrol) X(setmaxnreg) \
    /* scalar and SIMD video */ \
    X(vadd) X(vsub) X(vabsdiff) X(vmin) X(vmax) X(vshl) X(vshr) X(vmad) X(vset) \
    X(vadd2) X(vsub2) X(vavrg2) X(vabsdiff2) X(vmin2) X(vmax2) X(vset2) \
    X(vadd4) X(vsub4) X(vavrg4) X(vabsdiff4) X(vmin4) X(vmax4) X(vset4) \
    /* control flow */ \
    X(bra) X(brx) X(call) X(ret) X(exit) X(trap) X(brkpt) X(nanosleep) X(pmevent) \
    /* textures and surfaces: parsed, refused by the checks */ \
    X(tex) X(tld4) X(txq) X(suld) X(sust) X(sured) X(suq)

/* Types, chapter 5.2: name, bits of one element's register, class (b untyped, u unsigned, s signed, f float, p predicate),
 * elements packed in a register. Sub-byte and 8-bit float types only name what a wider register holds. */
#define PTX_TYPES(X) \
    X(pred, 1, 'p', 1) \
    X(b1, 1, 'b', 1) X(b8, 8, 'b', 1) X(b16, 16, 'b', 1) X(b32, 32, 'b', 1) X(b64, 64, 'b', 1) X(b128, 128, 'b', 1) \
    X(u4, 4, 'u', 1) X(u8, 8, 'u', 1) X(u16, 16, 'u', 1) X(u32, 32, 'u', 1) X(u64, 64, 'u', 1) \
    X(s4, 4, 's', 1) X(s8, 8, 's', 1) X(s16, 16, 's', 1) X(s32, 32, 's', 1) X(s64, 64, 's', 1) \
    X(f16, 16, 'f', 1) X(f16x2, 32, 'f', 2) X(bf16, 16, 'f', 1) X(bf16x2, 32, 'f', 2) X(tf32, 32, 'f', 1) \
    X(f32, 32, 'f', 1) X(f32x2, 64, 'f', 2) X(f64, 64, 'f', 1) \
    X(e4m3, 8, 'f', 1) X(e5m2, 8, 'f', 1) X(e4m3x2, 16, 'f', 2) X(e5m2x2, 16, 'f', 2) \
    X(e2m1x2, 8, 'f', 2) X(e2m3x2, 16, 'f', 2) X(e3m2x2, 16, 'f', 2) X(ue8m0x2, 16, 'f', 2) \
    X(u16x2, 32, 'u', 2) X(s16x2, 32, 's', 2) \
    X(texref, 64, 'b', 1) X(samplerref, 64, 'b', 1) X(surfref, 64, 'b', 1)

/* State spaces, chapter 5.1, as they stand behind an opcode or a variable's directive. An address without one is generic. */
#define PTX_SPACES(X) X(generic) X(reg) X(sreg) X(const) X(global) X(local) X(param) X(shared) X(tex)

/* Special registers, chapter 10: name, how many components (.x .y .z .w), type, whether all lanes of a warp read the same. */
#define PTX_SREGS(X) \
    X(tid, 4, u32, 0) X(ntid, 4, u32, 1) X(laneid, 1, u32, 0) X(warpid, 1, u32, 1) X(nwarpid, 1, u32, 1) \
    X(ctaid, 4, u32, 1) X(nctaid, 4, u32, 1) X(smid, 1, u32, 1) X(nsmid, 1, u32, 1) X(gridid, 1, u64, 1) \
    X(is_explicit_cluster, 1, pred, 1) X(clusterid, 4, u32, 1) X(nclusterid, 4, u32, 1) \
    X(cluster_ctaid, 4, u32, 1) X(cluster_nctaid, 4, u32, 1) X(cluster_ctarank, 1, u32, 1) X(cluster_nctarank, 1, u32, 1) \
    X(lanemask_eq, 1, u32, 0) X(lanemask_le, 1, u32, 0) X(lanemask_lt, 1, u32, 0) X(lanemask_ge, 1, u32, 0) \
    X(lanemask_gt, 1, u32, 0) \
    X(clock, 1, u32, 1) X(clock_hi, 1, u32, 1) X(clock64, 1, u64, 1) \
    X(globaltimer, 1, u64, 1) X(globaltimer_lo, 1, u32, 1) X(globaltimer_hi, 1, u32, 1) \
    X(total_smem_size, 1, u32, 1) X(aggr_smem_size, 1, u32, 1) X(dynamic_smem_size, 1, u32, 1) \
    X(reserved_smem_offset_begin, 1, u32, 1) X(reserved_smem_offset_end, 1, u32, 1) X(reserved_smem_offset_cap, 1, u32, 1) \
    X(reserved_smem_offset, 1, b32, 1) /* %reserved_smem_offset_0 and _1: the number is the component */ \
    X(current_graph_exec, 1, u64, 1) \
    X(envreg, 1, b32, 1) /* %envreg0..31: the number is the component */ \
    X(pm, 1, u32, 1)     /* %pm0..7, %pm0_64..7_64 */

/* Single-valued suffixes: word, field of struct ptx_insn, value. A word may stand for different things behind different
 * opcodes (.and is a boolean operator of setp and an operation of atom): the opcode's rule says
 * which field is meant, see rules_table.h. Words that only advise (cache operators, eviction priorities, .aligned) set a flag or
 * nothing; they never change what an instruction computes. */
#define PTX_ROUNDS(X) X(rn) X(rz) X(rm) X(rp) X(rna) X(rs) X(rni) X(rzi) X(rmi) X(rpi)
#define PTX_CMPS(X) \
    X(eq) X(ne) X(lt) X(le) X(gt) X(ge) X(lo) X(ls) X(hi) X(hs) \
    X(equ) X(neu) X(ltu) X(leu) X(gtu) X(geu) X(num) X(nan)
#define PTX_BOOLS(X) X(and) X(or) X(xor)
#define PTX_ATOMS(X) X(and) X(or) X(xor) X(cas) X(exch) X(add) X(inc) X(dec) X(min) X(max)
#define PTX_MULS(X) X(lo) X(hi) X(wide)
/* What the second word of some opcodes selects. */
#define PTX_MODES(X) \
    X(up) X(down) X(bfly) X(idx)                       /* shfl */ \
    X(all) X(any) X(uni) X(ballot)                     /* vote, match */ \
    X(f4e) X(b4e) X(rc8) X(ecl) X(ecr) X(rc16)         /* prmt */ \
    X(l) X(r)                                          /* shf */ \
    X(clamp) X(wrap)                                   /* shf, bmsk, szext: see insn.clampmode */ \
    X(finite) X(infinite) X(number) X(notanumber) X(normal) X(subnormal) /* testp */ \
    X(sync) X(arrive) X(red)                           /* bar, barrier, mbarrier; the reduction is insn.atom or POPC */ \
    X(warp)                                            /* bar.warp.sync: mode warp */ \
    X(shr7) X(shr15)                                   /* vmad: insn.submode */ \
    X(load) X(store) X(mma)                            /* wmma: load.a load.b load.c store.d mma */ \
    X(async)                                           /* cp */ \
    X(commit_group) X(wait_group) X(wait_all)          /* cp.async: insn.submode */ \
    X(wait) X(launch_dependents)                       /* griddepcontrol */ \
    X(pack)                                            /* cvt.pack */ \
    X(init) X(inval) X(test_wait) X(try_wait) X(expect_tx) X(complete_tx) X(arrive_drop) X(pending_count) /* mbarrier */
#define PTX_SHAPES(X) \
    X(m8n8) X(m16n8) X(m8n16) X(m8n8k4) X(m8n8k16) X(m8n8k32) X(m8n8k128) \
    X(m16n8k4) X(m16n8k8) X(m16n8k16) X(m16n8k32) X(m16n8k64) X(m16n8k128) X(m16n8k256) \
    X(m16n16k16) X(m8n32k16) X(m32n8k16) X(m16n16k8)
#define PTX_SEMS(X) X(weak) X(volatile) X(relaxed) X(acquire) X(release) X(acq_rel) X(sc) X(mmio)
#define PTX_SCOPES(X) X(cta) X(cluster) X(gpu) X(sys) X(gl)

/* Flags: word, enum suffix. */
#define PTX_FLAGS(X) \
    X("ftz", FTZ) X("sat", SAT) X("satfinite", SATFINITE) X("relu", RELU) X("approx", APPROX) X("full", FULL) \
    X("cc", CC) X("NaN", NAN) X("xorsign", XORSIGN) X("abs", ABS) X("sync", SYNC) X("aligned", ALIGNED) \
    X("trans", TRANS) X("shiftamt", SHIFTAMT) X("to", TO) X("noftz", NOFTZ) X("oob", OOB) X("nc", NC) \
    X("add", ACCUM) /* video secondary op .add; .min .max there are in insn.atom */ \
    X("po", PO) /* vmad, vset */ X("sp", SP) /* mma.sp */ X("ordered_metadata", ORDERED) X("popc", POPC) \
    X("noinc", NOINC) X("parity", PARITY) X("noComplete", NOCOMPLETE) X("bulk", BULK) X("tensor", TENSOR) X("uni", UNI) \
    X("unified", UNIFIED) X("ca", CA) X("cg", CG)

#endif
