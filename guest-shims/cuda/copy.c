/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of boxes of rows between any two places. Where both are device memory (pinned, managed and registered memory is) one
 * command does it, in the stream's order. Where one is not, the CPU copies: at once when nothing is under way; small
 * pieces travel through the ring or its staging area; else the ring is waited for. */
#include "cuda/copy.h"

#include <string.h>

#include "cuda/defer.h"

enum { INLINE_MAX = 4096, ROWS_MAX = 64, STAGED_MAX = 1u << 20, BOUNCE = 1u << 20 };

struct side {
    bool device;  /* then 'va', else 'host' */
    bool image;   /* a module's variable: the CPU cannot reach it */
    bool visible; /* device memory that this process sees */
    const struct CUarray_st *array; /* or NULL */
    uint64_t va;
    char *host;
    uint64_t pitch, slice;
};

static bool in_image(uint64_t va)
{
    return va >= VGPU_IMAGE_BASE && va < VGPU_FUNCTION_BASE;
}

static int resolve(struct side *side, int type, const void *host, uint64_t device, const void *array)
{
    uint64_t address = type == CU_MEMORYTYPE_HOST ? (uintptr_t)host : device;

    if (type == CU_MEMORYTYPE_ARRAY) {
        if (!vgpu_handle_is(array, KIND_ARRAY))
            return CUDA_ERROR_INVALID_HANDLE;
        side->array = array;
        side->device = true;
        side->va = side->array->va;
        return 0;
    }
    if (type < CU_MEMORYTYPE_HOST || type > CU_MEMORYTYPE_UNIFIED)
        return CUDA_ERROR_INVALID_VALUE;
    if (type != CU_MEMORYTYPE_HOST && address >= VGPU_WINDOW_BASE && address < VGPU_WINDOW_END) {
        side->device = true;
        side->image = in_image(address);
        side->va = address;
        side->visible = vgpu_memory_of_host(&vgpu_driver.memory, (void *)(uintptr_t)address, &address);
    } else if (vgpu_memory_of_host(&vgpu_driver.memory, (void *)(uintptr_t)address, &side->va)) {
        side->device = side->visible = true;
    } else if (type == CU_MEMORYTYPE_DEVICE || !address) {
        return CUDA_ERROR_INVALID_VALUE;
    } else {
        side->host = (char *)(uintptr_t)address;
    }
    return 0;
}

/* Bytes from the box's first to its last; false: more than any memory has. */
static bool extent(const struct side *side, const struct CUDA_MEMCPY3D *p, uint64_t *bytes)
{
    unsigned __int128 last = (unsigned __int128)(p->depth - 1) * side->slice +
                             (unsigned __int128)(p->height - 1) * side->pitch + p->width;

    *bytes = (uint64_t)last;
    return last <= VGPU_WINDOW_SIZE;
}

static int place(struct side *side, const struct CUDA_MEMCPY3D *p, size_t x, size_t y, size_t z, size_t pitch, size_t rows)
{
    const struct CUarray_st *array = side->array;
    uint64_t bytes, skip;

    if (array) { /* which knows its own rows */
        if (x > array->width || p->width > array->width - x || y > array->height || p->height > array->height - y ||
            z > array->depth || p->depth > array->depth - z)
            return CUDA_ERROR_INVALID_VALUE;
        pitch = array->pitch;
        rows = array->height;
    }
    side->pitch = pitch ? pitch : x + p->width;
    side->slice = side->pitch * (rows ? rows : p->height);
    if (((p->height > 1 || p->depth > 1 || y) && side->pitch < x + p->width) || (p->depth > 1 && rows && rows < y + p->height))
        return CUDA_ERROR_INVALID_VALUE;
    skip = z * side->slice + y * side->pitch + x;
    side->va += skip;
    side->host += skip;
    if (!extent(side, p, &bytes))
        return CUDA_ERROR_INVALID_VALUE;
    if (side->device && !side->image && !vgpu_memory_reachable(&vgpu_driver.memory, side->va, bytes))
        return CUDA_ERROR_INVALID_VALUE;
    return 0;
}

static int copy_on_device(struct CUstream_st *stream, const struct side *dst, const struct side *src,
                          const struct CUDA_MEMCPY3D *p)
{
    struct vgpu_cmd_copy command = {
        .dst = dst->va, .src = src->va, .width = p->width, .height = p->height, .depth = p->depth,
        .dst_pitch = dst->pitch, .src_pitch = src->pitch, .dst_slice = dst->slice, .src_slice = src->slice,
    };

    return vgpu_stream_queue(stream, VGPU_CMD_COPY, &command, sizeof command, NULL, 0);
}

/* SIZE bytes through the ring: their source may change as soon as this returns. */
static int write_row(struct CUstream_st *stream, uint64_t va, const char *bytes, uint64_t size)
{
    int status = 0;

    if (size <= INLINE_MAX) {
        struct vgpu_cmd_write command = {.dst = va};
        return vgpu_stream_queue(stream, VGPU_CMD_WRITE, &command, sizeof command, bytes, size);
    }
    while (!status && size) {
        uint64_t seq, n = size < VGPU_STAGE_CHUNK ? size : VGPU_STAGE_CHUNK;
        struct vgpu_cmd_write_staged command = {.stream = stream->id, .dst = va, .size = n};
        status = vgpu_submit_staged(&vgpu_driver.channel, VGPU_CMD_WRITE_STAGED, &command, sizeof command,
                                    offsetof(struct vgpu_cmd_write_staged, staging), bytes, n, &seq);
        if (!status)
            vgpu_stream_advance(stream, seq);
        va += n;
        bytes += n;
        size -= n;
    }
    return status;
}

/* A variable of a module comes back through memory that the CPU can reach. */
static int read_image(struct CUstream_st *stream, uint64_t va, char *bytes, uint64_t size)
{
    uint64_t bounce;
    int status = vgpu_memory_alloc(&vgpu_driver.memory, BOUNCE, VGPU_RANGE_INTERNAL, 0, stream->context, &bounce);

    if (status)
        return status;
    while (!status && size) {
        uint64_t n = size < BOUNCE ? size : BOUNCE;
        struct vgpu_cmd_copy command = {.dst = bounce, .src = va, .width = n, .height = 1, .depth = 1};
        status = vgpu_stream_queue(stream, VGPU_CMD_COPY, &command, sizeof command, NULL, 0);
        if (!status)
            status = vgpu_stream_wait(stream);
        if (!status)
            status = vgpu_memory_copy(&vgpu_driver.memory, bounce, bytes, n, VGPU_FROM_DEVICE);
        va += n;
        bytes += n;
        size -= n;
    }
    vgpu_memory_free(&vgpu_driver.memory, bounce, 1u << VGPU_RANGE_INTERNAL);
    return status;
}

typedef int row_copy(struct CUstream_st *stream, const struct side *dst, const struct side *src, uint64_t to, uint64_t from,
                     uint64_t width);

static int row_write(struct CUstream_st *stream, const struct side *dst, const struct side *src, uint64_t to, uint64_t from,
                     uint64_t width)
{
    return write_row(stream, dst->va + to, src->host + from, width);
}

static int row_to_device(struct CUstream_st *stream, const struct side *dst, const struct side *src, uint64_t to,
                         uint64_t from, uint64_t width)
{
    return vgpu_memory_copy(&vgpu_driver.memory, dst->va + to, src->host + from, width, VGPU_TO_DEVICE);
}

static int row_from_device(struct CUstream_st *stream, const struct side *dst, const struct side *src, uint64_t to,
                           uint64_t from, uint64_t width)
{
    return vgpu_memory_copy(&vgpu_driver.memory, src->va + from, dst->host + to, width, VGPU_FROM_DEVICE);
}

static int row_from_image(struct CUstream_st *stream, const struct side *dst, const struct side *src, uint64_t to,
                          uint64_t from, uint64_t width)
{
    return read_image(stream, src->va + from, dst->host + to, width);
}

static int row_on_host(struct CUstream_st *stream, const struct side *dst, const struct side *src, uint64_t to,
                       uint64_t from, uint64_t width)
{
    memmove(dst->host + to, src->host + from, width);
    return 0;
}

static int each_row(row_copy *copy, struct CUstream_st *stream, const struct side *dst, const struct side *src,
                    const struct CUDA_MEMCPY3D *p)
{
    uint64_t width = p->width, height = p->height;
    int status = 0;

    if (dst->pitch == width && src->pitch == width) { /* a layer is one row */
        width *= height;
        height = 1;
    }
    for (uint64_t z = 0; !status && z < p->depth; z++)
        for (uint64_t y = 0; !status && y < height; y++)
            status = copy(stream, dst, src, z * dst->slice + y * dst->pitch, z * src->slice + y * src->pitch, width);
    return status;
}

static int copy_to_device(struct CUstream_st *stream, const struct side *dst, const struct side *src,
                          const struct CUDA_MEMCPY3D *p)
{
    uint64_t rows = dst->pitch == p->width && src->pitch == p->width ? p->depth : p->height * p->depth;
    bool small = p->width * p->height * p->depth <= STAGED_MAX && rows <= ROWS_MAX;

    if (vgpu_deferring(stream) && p->width > INLINE_MAX)
        vgpu_defer_settle(stream); /* what is kept would not fit where it has to wait */
    if (dst->image || (small && (vgpu_deferring(stream) || !vgpu_idle(&vgpu_driver.channel))))
        return each_row(row_write, stream, dst, src, p);
    vgpu_defer_settle(stream);
    int status = rows == p->depth && p->depth == 1 ? vgpu_memory_expect(&vgpu_driver.memory, dst->va, p->width * p->height) : 0;
    if (!status)
        status = vgpu_wait_idle(&vgpu_driver.channel);
    return status ? status : each_row(row_to_device, stream, dst, src, p);
}

static int copy_to_host(struct CUstream_st *stream, const struct side *dst, const struct side *src,
                        const struct CUDA_MEMCPY3D *p)
{
    int status = vgpu_stream_wait(stream);

    if (!src->device)
        return status ? status : each_row(row_on_host, stream, dst, src, p);
    return status ? status : each_row(src->image ? row_from_image : row_from_device, stream, dst, src, p);
}

int vgpu_copy_3d(struct CUstream_st *stream, const struct CUDA_MEMCPY3D *p, bool async)
{
    struct side dst = {0}, src = {0};

    if (!p->width || !p->height || !p->depth)
        return 0;
    int status = resolve(&dst, p->dst_type, p->dst_host, p->dst_device, p->dst_array);
    if (!status)
        status = resolve(&src, p->src_type, p->src_host, p->src_device, p->src_array);
    if (!status)
        status = place(&dst, p, p->dst_x, p->dst_y, p->dst_z, p->dst_pitch, p->dst_height);
    if (!status)
        status = place(&src, p, p->src_x, p->src_y, p->src_z, p->src_pitch, p->src_height);
    if (status)
        return status;
    if (dst.device && src.device) {
        status = copy_on_device(stream, &dst, &src, p);
        /* The program may look at, or change, what it sees of it when the call returns. */
        if (!status && !async && (dst.visible || src.visible || vgpu_pointer_synchronous(dst.va, src.va)))
            status = vgpu_stream_wait(stream);
        return status;
    }
    return dst.device ? copy_to_device(stream, &dst, &src, p) : copy_to_host(stream, &dst, &src, p);
}

int vgpu_fill(struct CUstream_st *stream, const struct CUDA_MEMSET_NODE_PARAMS *p, bool async)
{
    struct side dst = {0};
    struct CUDA_MEMCPY3D box = {.width = p->width * p->element_size, .height = p->height, .depth = 1};
    struct vgpu_cmd_fill command = {
        .pitch = p->pitch, .count = p->width, .height = p->height, .value = p->value, .width = p->element_size};

    if (p->width > VGPU_WINDOW_SIZE || (p->element_size != 1 && p->element_size != 2 && p->element_size != 4))
        return CUDA_ERROR_INVALID_VALUE;
    if (!p->width || !p->height)
        return 0;
    int status = resolve(&dst, CU_MEMORYTYPE_DEVICE, NULL, p->dst, NULL);
    if (!status)
        status = place(&dst, &box, 0, 0, 0, p->pitch, 0);
    if (!status && (dst.va | (p->height > 1 ? dst.pitch : 0)) % p->element_size)
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    command.dst = dst.va;
    command.pitch = dst.pitch;
    status = vgpu_stream_queue(stream, VGPU_CMD_FILL, &command, sizeof command, NULL, 0);
    if (!status && !async && (dst.visible || vgpu_pointer_synchronous(dst.va, dst.va)))
        status = vgpu_stream_wait(stream);
    return status;
}

/* ---- the entry points' common part ---- */

/* The stream, and whether what is asked of it is recorded instead of done. A synchronous call cannot be recorded. */
static int begin(CUstream handle, bool async, struct CUstream_st **stream, bool *captured)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status)
        status = vgpu_stream(handle, context, stream);
    if (status)
        return status;
    *captured = async && vgpu_capturing(*stream);
    if (*captured)
        return 0;
    if (async)
        return vgpu_capture_implicit(*stream);
    status = vgpu_capture_forbids(*stream);
    return status ? status : vgpu_capture_unsafe();
}

int vgpu_copy_call(CUstream handle, const struct CUDA_MEMCPY3D *params, bool async)
{
    struct CUstream_st *stream;
    bool captured;
    int status = begin(handle, async, &stream, &captured);

    if (status)
        return status;
    return captured ? vgpu_capture_copy(stream, params) : vgpu_copy_3d(stream, params, async);
}

int vgpu_fill_call(CUstream handle, const struct CUDA_MEMSET_NODE_PARAMS *params, bool async)
{
    struct CUstream_st *stream;
    bool captured;
    int status = begin(handle, async, &stream, &captured);

    if (status)
        return status;
    return captured ? vgpu_capture_memset(stream, params) : vgpu_fill(stream, params, async);
}
