/* SPDX-License-Identifier: Apache-2.0 */
/* Module images as programs hand them over: PTX text, a fat binary (raw, or in the wrapper that nvcc registers), an ELF file.
 * Of a fat binary only the member that fits the device travels, in a container of its own; the host unpacks it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cuda/driver.h"
#include "fatbin_walk.h"

/* What __cudaRegisterFatBinary gets, and what programs load by address. */
struct wrapper {
    uint32_t magic, version;
    const void *container;
};

static void list(char *archs, size_t room, const struct vg_fatbin_member *member)
{
    size_t length = strlen(archs);
    const char *kind = member->kind == VG_FATBIN_PTX ? "compute" : member->kind == VG_FATBIN_ELF ? "sm" : "other";

    if (length < room)
        snprintf(archs + length, room - length, "%s%s_%u", length ? " " : "", kind, member->sm);
}

/* Whether all n bytes at p are mapped. An image comes without a size: one that lies about its own must not be followed off the
 * end of memory. */
static bool mapped(const void *p, size_t n)
{
    unsigned char pages[4096];
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)p & -page, end;

    if (__builtin_add_overflow((uintptr_t)p, n, &end))
        return false;
    for (uintptr_t step; at < end; at += step) {
        step = end - at < sizeof pages * page ? end - at : sizeof pages * page;
        if (mincore((void *)at, step, pages))
            return false;
    }
    return true;
}

static int take_bytes(const void *bytes, size_t size, struct vgpu_image *taken)
{
    if (!size)
        return CUDA_ERROR_INVALID_IMAGE;
    taken->bytes = malloc(size);
    if (!taken->bytes)
        return CUDA_ERROR_OUT_OF_MEMORY;
    memcpy(taken->bytes, bytes, size);
    taken->size = size;
    return 0;
}

static int take_fatbin(const void *image, size_t max, struct vgpu_image *taken)
{
    uint32_t cc = vgpu_profile()->cc_major * 10 + vgpu_profile()->cc_minor;
    struct vg_fatbin_member member, best;
    struct vg_fatbin_walk walk;
    const uint8_t *start = NULL, *from;
    size_t size = 0;
    char archs[256] = "";
    int more;

    if (!vg_fatbin_begin(&walk, image, max) || !mapped(image, (size_t)(walk.end - (const uint8_t *)image)))
        return CUDA_ERROR_INVALID_IMAGE;
    if (vg_fatbin_is_linked(image, max)) { /* its members belong together */
        taken->check = CHECK_NOW;
        return take_bytes(image, (size_t)(walk.end - (const uint8_t *)image), taken);
    }
    while (from = walk.at, (more = vg_fatbin_next(&walk, &member)) > 0) {
        list(archs, sizeof archs, &member);
        if (member.kind != VG_FATBIN_PTX || !vg_ptx_runs_on(member.sm, member.flags & VG_FATBIN_ARCH_SPECIFIC,
                                                            member.flags & VG_FATBIN_FAMILY, cc))
            continue;
        if (start && !vg_fatbin_better(&member, &best))
            continue;
        best = member;
        start = from;
        size = (size_t)(walk.at - from);
    }
    if (more < 0)
        return CUDA_ERROR_INVALID_IMAGE;
    if (!start) {
        vgpu_log(VGPU_LOG_WARN, "a fat binary holds no PTX for compute capability %u.%u; it has %s", cc / 10, cc % 10,
                 *archs ? archs : "nothing");
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    }
    struct vg_fatbin_container header = {VG_FATBIN_MAGIC, 1, sizeof header, size};
    char *container = malloc(sizeof header + size);
    if (!container)
        return CUDA_ERROR_OUT_OF_MEMORY;
    memcpy(container, &header, sizeof header);
    memcpy(container + sizeof header, start, size);
    *taken = (struct vgpu_image){container, sizeof header + size, CHECK_LATER};
    return 0;
}

int vgpu_image_take(const void *image, size_t max, struct vgpu_image *taken)
{
    struct wrapper wrapper;

    *taken = (struct vgpu_image){0};
    if (!image)
        return CUDA_ERROR_INVALID_VALUE;
    switch (vg_image_kind(image, max)) {
    case VG_IMAGE_WRAPPER:
        if (max != SIZE_MAX)
            return CUDA_ERROR_INVALID_IMAGE; /* a pointer out of a file */
        memcpy(&wrapper, image, sizeof wrapper);
        return wrapper.container ? take_fatbin(wrapper.container, SIZE_MAX, taken) : CUDA_ERROR_INVALID_IMAGE;
    case VG_IMAGE_FATBIN:
        return take_fatbin(image, max, taken);
    case VG_IMAGE_PTX:
        taken->check = CHECK_NOW;
        return take_bytes(image, vg_image_size(image, max), taken);
    case VG_IMAGE_ELF:
        vgpu_log(VGPU_LOG_WARN, "an ELF image holds machine code alone; this device needs PTX");
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    case VG_IMAGE_UNKNOWN:
        break;
    }
    return CUDA_ERROR_INVALID_IMAGE;
}

void vgpu_image_drop(struct vgpu_image *image)
{
    free(image->bytes);
    *image = (struct vgpu_image){0};
}

/* A NUL follows the bytes, so that a text file is a text. */
int vgpu_read_file(const char *path, void **bytes, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t length = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    int status = CUDA_ERROR_FILE_NOT_FOUND;
    char *buffer = NULL;
    size_t at = 0;

    if (length >= 0 && !lseek(fd, 0, SEEK_SET) && (buffer = malloc((size_t)length + 8))) {
        for (ssize_t n; at < (size_t)length && (n = read(fd, buffer + at, (size_t)length - at)) > 0;)
            at += (size_t)n;
        memset(buffer + at, 0, 8);
        status = at == (size_t)length ? 0 : CUDA_ERROR_OPERATING_SYSTEM;
    }
    if (fd >= 0)
        close(fd);
    if (status) {
        free(buffer);
        return status;
    }
    *bytes = buffer;
    *size = at;
    return 0;
}
