/* SPDX-License-Identifier: Apache-2.0 */
/* Linking: inputs are checked and collected in a fat binary whose members are marked as parts of one program; the host joins
 * them when it is loaded. That container is the "cubin" that cuLinkComplete hands out. */
#include <stdlib.h>
#include <string.h>

#include "cuda/driver.h"
#include "fatbin_walk.h"

enum { INPUT_CUBIN, INPUT_PTX, INPUT_FATBINARY, INPUT_OBJECT, INPUT_LIBRARY, INPUT_NVVM, INPUTS };

struct CUlinkState_st {
    uint32_t option_count;
    int *options;   /* the caller's, which stay valid as long as the state does */
    void **values;
    struct vgpu_jit_log log;
    unsigned char *bytes; /* the container */
    size_t used, room;
    bool complete;
};

static int check(CUlinkState state)
{
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    return status ? status : vgpu_handle_is(state, KIND_LINK) ? 0 : CUDA_ERROR_INVALID_HANDLE;
}

static int append(CUlinkState state, const void *bytes, size_t size)
{
    if (size > state->room - state->used) {
        size_t room = state->room ? state->room : 65536;
        while (size > room - state->used)
            room *= 2;
        unsigned char *grown = realloc(state->bytes, room);
        if (!grown)
            return CUDA_ERROR_OUT_OF_MEMORY;
        state->bytes = grown;
        state->room = room;
    }
    memcpy(state->bytes + state->used, bytes, size);
    state->used += size;
    return 0;
}

CUresult impl_cuLinkCreate_v2(uint32_t count, CUjit_option *options, void **values, CUlinkState *result)
{
    struct vg_fatbin_container header = {VG_FATBIN_MAGIC, 1, sizeof header, 0};
    struct vgpu_jit_log log;
    struct CUctx_st *context;
    int status = vgpu_enter(&context);

    if (!status && !result)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_jit_options(count, options, values, &log);
    if (status)
        return status;
    struct CUlinkState_st *state = calloc(1, sizeof *state);
    if (!state)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *state = (struct CUlinkState_st){.option_count = count, .options = options, .values = values, .log = log};
    status = append(state, &header, sizeof header);
    if (!status)
        status = vgpu_handle_add(state, KIND_LINK, context);
    if (status) {
        free(state->bytes);
        free(state);
        return status;
    }
    *result = state;
    return 0;
}

CUresult impl_cuLinkCreate(uint32_t count, CUjit_option *options, void **values, CUlinkState *result)
{
    return impl_cuLinkCreate_v2(count, options, values, result);
}

static void destroy(CUlinkState state)
{
    vgpu_handle_remove(state);
    free(state->bytes);
    free(state);
}

CUresult impl_cuLinkDestroy(CUlinkState state)
{
    int status = check(state);

    if (!status)
        destroy(state);
    return status;
}

void vgpu_links_destroy(struct CUctx_st *context)
{
    for (struct CUlinkState_st *state; (state = vgpu_handle_of(context, KIND_LINK));)
        destroy(state);
}

static int add_text(CUlinkState state, const void *text, size_t size)
{
    struct vg_fatbin_header header = {.kind = VG_FATBIN_PTX, .version = 0x101, .header_size = sizeof header,
                            .stored = vgpu_round_up(size, 8), .flags = VG_FATBIN_LINKED};
    int status = append(state, &header, sizeof header);

    if (!status)
        status = append(state, text, size);
    return status ? status : append(state, "\0\0\0\0\0\0\0", header.stored - size);
}

/* What IMAGE, a fat binary with the one member that fits the device, or all of a linked one, has. */
static int add_members(CUlinkState state, const struct vgpu_image *image)
{
    struct vg_fatbin_member member;
    struct vg_fatbin_walk walk;
    int status = vg_fatbin_begin(&walk, image->bytes, image->size) ? 0 : CUDA_ERROR_INVALID_IMAGE;

    for (const uint8_t *from = walk.at; !status && vg_fatbin_next(&walk, &member) > 0; from = walk.at) {
        size_t at = state->used;
        status = append(state, from, (size_t)(walk.at - from));
        if (!status)
            ((struct vg_fatbin_header *)(state->bytes + at))->flags |= VG_FATBIN_LINKED;
    }
    return status;
}

CUresult impl_cuLinkAddData_v2(CUlinkState state, CUjitInputType type, void *data, size_t size, const char *name, uint32_t count,
                               CUjit_option *options, void **values)
{
    struct vgpu_image image;
    struct vgpu_jit_log ignored;
    int status = check(state);

    if (!status && (!data || !size || type < 0 || type >= INPUTS || state->complete))
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_jit_options(count, options, values, &ignored);
    if (status)
        return status;
    if (type == INPUT_NVVM)
        return CUDA_ERROR_NOT_SUPPORTED;
    enum vg_image_kind kind = vg_image_kind(data, size);
    if (type == INPUT_OBJECT || type == INPUT_LIBRARY || kind == VG_IMAGE_ELF) {
        vgpu_jit_error(&state->log, "%s: objects, libraries and cubins hold machine code; this device links PTX", name ? name : "input");
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    }
    if (type == INPUT_PTX ? kind != VG_IMAGE_PTX : kind != VG_IMAGE_FATBIN)
        return CUDA_ERROR_INVALID_IMAGE;
    status = vgpu_image_take(data, size, &image);
    if (status)
        return status;
    status = vg_fatbin_is_linked(image.bytes, image.size) ? 0 : vgpu_module_check_part(&image, &state->log);
    if (!status)
        status = type == INPUT_PTX ? add_text(state, image.bytes, image.size) : add_members(state, &image);
    vgpu_image_drop(&image);
    vgpu_jit_finish(state->option_count, state->options, state->values, &state->log);
    return status;
}

CUresult impl_cuLinkAddData(CUlinkState state, CUjitInputType type, void *data, size_t size, const char *name, uint32_t count,
                            CUjit_option *options, void **values)
{
    return impl_cuLinkAddData_v2(state, type, data, size, name, count, options, values);
}

CUresult impl_cuLinkAddFile_v2(CUlinkState state, CUjitInputType type, const char *path, uint32_t count, CUjit_option *options,
                               void **values)
{
    void *bytes;
    size_t size;
    int status = check(state);

    if (!status && !path)
        status = CUDA_ERROR_INVALID_VALUE;
    if (!status)
        status = vgpu_read_file(path, &bytes, &size);
    if (status)
        return status;
    status = impl_cuLinkAddData_v2(state, type, bytes, size, path, count, options, values);
    free(bytes);
    return status;
}

CUresult impl_cuLinkAddFile(CUlinkState state, CUjitInputType type, const char *path, uint32_t count, CUjit_option *options,
                            void **values)
{
    return impl_cuLinkAddFile_v2(state, type, path, count, options, values);
}

/* The bytes are the state's, until it is destroyed. */
CUresult impl_cuLinkComplete(CUlinkState state, void **cubin, size_t *size)
{
    int status = check(state);

    if (!status && (!cubin || state->used == sizeof(struct vg_fatbin_container)))
        status = CUDA_ERROR_INVALID_VALUE;
    if (status)
        return status;
    ((struct vg_fatbin_container *)state->bytes)->size = state->used - sizeof(struct vg_fatbin_container);
    struct vgpu_image image = {state->bytes, state->used, CHECK_NOW};
    struct CUmod_st *module;
    status = vgpu_module_load(vgpu_current(), &image, &state->log, &module);
    if (!status)
        vgpu_module_unload(module);
    vgpu_jit_finish(state->option_count, state->options, state->values, &state->log);
    if (status)
        return status;
    state->complete = true;
    *cubin = state->bytes;
    if (size)
        *size = state->used;
    return 0;
}
