/* SPDX-License-Identifier: Apache-2.0 */
/* Advice about managed memory. The memory is in one place, where both sides reach it: advice and prefetches move nothing, are
 * remembered, and told to who asks. */
#include <stdlib.h>
#include <string.h>

#include "cuda/driver.h"

enum { READ_MOSTLY = 1, PREFERRED_LOCATION, ACCESSED_BY, LAST_PREFETCH, PREFERRED_TYPE, PREFERRED_ID, PREFETCH_TYPE, PREFETCH_ID };
enum { DEVICE_CPU = -1, DEVICE_INVALID = -2, LOCATION_INVALID = 0, LOCATION_HOST_NUMA_CURRENT = 4, PREFETCH_LIMIT = 1 << 20 };

/* The latest note of a kind that covers an address holds. */
struct note {
    uint64_t allocation, start, end;
    int kind; /* READ_MOSTLY ... LAST_PREFETCH */
    bool set;
    CUmemLocation location;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct note *notes;
static size_t note_count, note_room;

static int enter(CUdeviceptr va, size_t count, struct vgpu_allocation *allocation)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && (!count || !vgpu_memory_find(&vgpu_driver.memory, va, allocation) ||
                    allocation->kind != VGPU_RANGE_MANAGED || count > allocation->va + allocation->bytes - va))
        status = CUDA_ERROR_INVALID_VALUE;
    return status;
}

/* Notes that a newer one of their kind covers say nothing any more, nor do those of freed memory. */
static void forget(const struct note *newer)
{
    size_t out = 0;

    for (size_t i = 0; i < note_count; i++) {
        const struct note *n = &notes[i];
        struct vgpu_allocation allocation;
        bool covered = n->kind == newer->kind && n->start >= newer->start && n->end <= newer->end;
        bool gone = !vgpu_memory_find(&vgpu_driver.memory, n->start, &allocation) || allocation.id != n->allocation;
        if (!covered && !gone)
            notes[out++] = *n;
    }
    note_count = out;
}

static int remember(struct note note)
{
    int status = 0;

    pthread_mutex_lock(&lock);
    forget(&note);
    if (note_count == note_room) {
        size_t room = note_room ? note_room * 2 : 16;
        struct note *grown = realloc(notes, room * sizeof *grown);
        if (grown) {
            notes = grown;
            note_room = room;
        } else {
            status = CUDA_ERROR_OUT_OF_MEMORY;
        }
    }
    if (!status)
        notes[note_count++] = note;
    pthread_mutex_unlock(&lock);
    return status;
}

static bool is_location(const CUmemLocation *location)
{
    if (location->type == CU_MEM_LOCATION_DEVICE)
        return !location->id;
    return location->type >= CU_MEM_LOCATION_HOST && location->type <= LOCATION_HOST_NUMA_CURRENT;
}

CUresult impl_cuMemAdvise_v2(CUdeviceptr va, size_t count, CUmem_advise advice, CUmemLocation location)
{
    struct vgpu_allocation allocation;
    int status = advice < 1 || advice > 6 ? vgpu_refuse(CUDA_ERROR_INVALID_VALUE) : enter(va, count, &allocation);
    bool set = advice & 1; /* each SET is followed by its UNSET */
    int kind = (advice + 1) / 2;

    if (!status && (kind == ACCESSED_BY || (kind == PREFERRED_LOCATION && set)) && !is_location(&location))
        status = location.type == CU_MEM_LOCATION_DEVICE ? CUDA_ERROR_INVALID_DEVICE : CUDA_ERROR_INVALID_VALUE;
    return status ? status : remember((struct note){allocation.id, va, va + count, kind, set, location});
}

/* A device's number, or -1 for the CPU. */
static CUmemLocation location_of(CUdevice device)
{
    return device == DEVICE_CPU ? (CUmemLocation){CU_MEM_LOCATION_HOST, 0} : (CUmemLocation){CU_MEM_LOCATION_DEVICE, device};
}

CUresult impl_cuMemAdvise(CUdeviceptr va, size_t count, CUmem_advise advice, CUdevice device)
{
    return impl_cuMemAdvise_v2(va, count, advice, location_of(device));
}

static int enter_stream(CUstream handle)
{
    struct CUctx_st *context;
    struct CUstream_st *stream;
    int status = vgpu_enter(&context);

    return status ? status : vgpu_stream(handle, context, &stream);
}

static int prefetch(CUdeviceptr va, size_t count, const CUmemLocation *location)
{
    struct vgpu_allocation allocation;
    int status = enter(va, count, &allocation);

    if (!status && !is_location(location))
        status = location->type == CU_MEM_LOCATION_DEVICE ? CUDA_ERROR_INVALID_DEVICE : CUDA_ERROR_INVALID_VALUE;
    return status ? status : remember((struct note){allocation.id, va, va + count, LAST_PREFETCH, true, *location});
}

CUresult impl_cuMemPrefetchAsync_v2(CUdeviceptr va, size_t count, CUmemLocation location, uint32_t flags, CUstream stream)
{
    int status = flags ? CUDA_ERROR_INVALID_VALUE : enter_stream(stream);

    return status ? status : prefetch(va, count, &location);
}

CUresult impl_cuMemPrefetchAsync(CUdeviceptr va, size_t count, CUdevice device, CUstream stream)
{
    return impl_cuMemPrefetchAsync_v2(va, count, location_of(device), 0, stream);
}

/* ---- many at once ---- */

static int check_batch(const CUdeviceptr *vas, const size_t *sizes, size_t count, uint64_t flags, CUstream stream)
{
    struct vgpu_allocation allocation;
    int status = enter_stream(stream);

    if (!status && (!vas || !sizes || !count || count > PREFETCH_LIMIT || flags))
        status = CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; !status && i < count; i++)
        status = enter(vas[i], sizes[i], &allocation);
    return status;
}

/* Location l is for the ranges from index indices[l] on, up to the next one's. */
CUresult impl_cuMemPrefetchBatchAsync(CUdeviceptr *vas, size_t *sizes, size_t count, CUmemLocation *locations, size_t *indices,
                                      size_t location_count, uint64_t flags, CUstream stream)
{
    int status = check_batch(vas, sizes, count, flags, stream);

    if (!status && (!locations || !indices || !location_count || location_count > count || indices[0]))
        status = CUDA_ERROR_INVALID_VALUE;
    for (size_t l = 1; !status && l < location_count; l++)
        if (indices[l] <= indices[l - 1] || indices[l] >= count)
            status = CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0, l = 0; !status && i < count; i++) {
        if (l + 1 < location_count && indices[l + 1] == i)
            l++;
        status = prefetch(vas[i], sizes[i], &locations[l]);
    }
    return status;
}

/* What is discarded may keep its old contents. */
CUresult impl_cuMemDiscardBatchAsync(CUdeviceptr *vas, size_t *sizes, size_t count, uint64_t flags, CUstream stream)
{
    return check_batch(vas, sizes, count, flags, stream);
}

CUresult impl_cuMemDiscardAndPrefetchBatchAsync(CUdeviceptr *vas, size_t *sizes, size_t count, CUmemLocation *locations,
                                                size_t *indices, size_t location_count, uint64_t flags, CUstream stream)
{
    return impl_cuMemPrefetchBatchAsync(vas, sizes, count, locations, indices, location_count, flags, stream);
}

/* ---- questions ---- */

static const struct note *note_at(uint64_t allocation, uint64_t va, int kind)
{
    const struct note *found = NULL;

    for (size_t i = 0; i < note_count; i++)
        if (notes[i].allocation == allocation && notes[i].kind == kind && notes[i].start <= va && va < notes[i].end)
            found = &notes[i];
    return found && found->set ? found : NULL;
}

static bool same(const struct note *a, const struct note *b)
{
    return !a == !b && (!a || (a->location.type == b->location.type && a->location.id == b->location.id));
}

/* What holds for all of [va, end): it can change only where a note begins or ends. NULL: nothing does. */
static const struct note *note_of(uint64_t allocation, uint64_t va, uint64_t end, int kind)
{
    const struct note *first = note_at(allocation, va, kind);

    for (size_t i = 0; first && i < note_count; i++) {
        const uint64_t edges[] = {notes[i].start, notes[i].end};
        for (int e = 0; e < 2; e++)
            if (edges[e] > va && edges[e] < end && !same(first, note_at(allocation, edges[e], kind)))
                return NULL;
    }
    return first;
}

static int device_number(const struct note *note)
{
    return !note ? DEVICE_INVALID : note->location.type == CU_MEM_LOCATION_DEVICE ? note->location.id : DEVICE_CPU;
}

static int answer(int *data, size_t size, int attribute, uint64_t allocation, uint64_t va, uint64_t end)
{
    static const char kinds[] = {[PREFERRED_TYPE] = PREFERRED_LOCATION, [PREFERRED_ID] = PREFERRED_LOCATION,
                                 [PREFETCH_TYPE] = LAST_PREFETCH,       [PREFETCH_ID] = LAST_PREFETCH};

    if (attribute < READ_MOSTLY || attribute > PREFETCH_ID || !data || size < sizeof *data || size % sizeof *data ||
        (attribute != ACCESSED_BY && size != sizeof *data))
        return CUDA_ERROR_INVALID_VALUE;
    const struct note *note = note_of(allocation, va, end, attribute > LAST_PREFETCH ? kinds[attribute] : attribute);
    switch (attribute) {
    case READ_MOSTLY:
        *data = note != NULL;
        break;
    case ACCESSED_BY: /* a list, filled up with no device */
        for (size_t i = 0; i < size / sizeof *data; i++)
            data[i] = i ? DEVICE_INVALID : device_number(note);
        break;
    case PREFERRED_TYPE:
    case PREFETCH_TYPE:
        *data = note ? note->location.type : LOCATION_INVALID;
        break;
    case PREFERRED_ID:
    case PREFETCH_ID:
        *data = note ? note->location.id : 0;
        break;
    default:
        *data = device_number(note);
        break;
    }
    return 0;
}

CUresult impl_cuMemRangeGetAttributes(void **data, size_t *sizes, CUmem_range_attribute *attributes, size_t count,
                                      CUdeviceptr va, size_t bytes)
{
    struct vgpu_allocation allocation;
    int status = enter(va, bytes, &allocation);

    if (!status && (!data || !sizes || !attributes || !count))
        status = CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; !status && i < count; i++)
        status = answer(data[i], sizes[i], attributes[i], allocation.id, va, va + bytes);
    pthread_mutex_unlock(&lock);
    return status;
}

CUresult impl_cuMemRangeGetAttribute(void *data, size_t size, CUmem_range_attribute attribute, CUdeviceptr va, size_t bytes)
{
    return impl_cuMemRangeGetAttributes(&data, &size, &attribute, 1, va, bytes);
}
