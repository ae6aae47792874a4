/* SPDX-License-Identifier: Apache-2.0 */
/* Work that cannot go onto the ring yet. The ring runs in one order, so nothing on it may wait for the program. A stream that is
 * to wait for a value in memory, or for a function of the program's, keeps what follows in the guest; a thread of the library's
 * puts it onto the ring when its time has come. As long as no stream waits, no lock is taken and no thread exists.
 *
 * The lock is taken after driver.lock and the capture's, and before the memory's and the channel's. */
#ifndef VGPU_CUDA_DEFER_H
#define VGPU_CUDA_DEFER_H

#include "cuda/driver.h"

/* What is submitted to STREAM now has to be kept: it has kept work, or a stream that it waits for implicitly has. */
bool vgpu_deferring(struct CUstream_st *stream);
bool vgpu_deferring_any(void);

/* Each appends to what STREAM keeps. */
int vgpu_defer_command(struct CUstream_st *stream, uint16_t command, const void *fixed, size_t fixed_size, const void *tail,
                       size_t tail_size);
/* FN runs on the library's thread when all before it on STREAM is done, unless the context is lost by then. */
int vgpu_defer_host(struct CUstream_st *stream, void (*fn)(void *), void *data);
/* The same for a cuStreamAddCallback, which is told of an error. */
int vgpu_defer_callback(struct CUstream_st *stream, CUstream handle, CUstreamCallback fn, void *data);
/* What follows waits until the SIZE (4 or 8) bytes at ADDRESS and VALUE satisfy CONDITION (CU_STREAM_WAIT_VALUE_...). */
int vgpu_defer_value(struct CUstream_st *stream, uint64_t address, uint64_t value, size_t size, int condition);
int vgpu_defer_record(struct CUstream_st *stream, struct CUevent_st *event);
int vgpu_defer_free(struct CUstream_st *stream, uint64_t address);

/* EVENT was recorded, in work that is kept: it has no command yet. */
bool vgpu_event_pending(struct CUevent_st *event);
/* What follows on STREAM waits for EVENT, if that is pending: then *TAKEN. */
int vgpu_defer_await(struct CUstream_st *stream, struct CUevent_st *event, bool *taken);
void vgpu_event_settle(struct CUevent_st *event);
/* EVENT is recorded anew, or gone. */
void vgpu_event_supersede(struct CUevent_st *event);

/* Wait until what is kept now for STREAM, for all streams of CONTEXT (NULL: of any), is on the ring. */
void vgpu_defer_settle(struct CUstream_st *stream);
void vgpu_defer_settle_all(const struct CUctx_st *context);
/* STREAM's handle is gone: true when it is to be freed now, not after its last kept work. */
bool vgpu_defer_stream_gone(struct CUstream_st *stream);
/* CONTEXT ends: its functions still run, waits that are not satisfied are given up with what follows them. */
void vgpu_defer_end(struct CUctx_st *context);

void vgpu_defer_stop(void);

/* This thread runs a function for a stream: it may not call CUDA. */
bool vgpu_in_host_function(void);

#endif
