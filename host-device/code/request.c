/* SPDX-License-Identifier: Apache-2.0 */
#include "code/request.h"

#include <string.h>

#include "code/kernel_text.h"
#include "code/version.h"
#include "interp/warp.h"

struct code_measures code_measure(const struct interp_kernel *k)
{
    return (struct code_measures){
        .instructions = k->f->ninsns,
        .registers = k->f->nregs,
        .frame_bytes = k->entry->frame_bytes,
        .special_bytes = k->special_bytes,
        .local_stride = k->local_stride,
        .param_size = k->f->param_size,
        .shared_size = k->f->shared_size,
    };
}

GByteArray *code_request_new(const struct interp_kernel *k, const struct jit_shape *shape)
{
    struct code_request head = {
        .block = {shape->block[0], shape->block[1], shape->block[2]},
        .isa = shape->isa,
        .extensions = shape->extensions,
        .measures = code_measure(k),
    };
    struct kernel_text t;
    GByteArray *bytes;

    kernel_text_make(&t, k->m, k->f);
    head.n_offsets = t.offsets->len;
    head.name_size = (uint32_t)strlen(t.entry);
    head.text_size = (uint32_t)t.text->len;
    bytes = g_byte_array_sized_new((guint)(sizeof head + 8 * head.n_offsets + head.name_size + t.text->len));
    g_byte_array_append(bytes, (const guint8 *)&head, sizeof head);
    g_byte_array_append(bytes, (const guint8 *)t.offsets->data, 8 * head.n_offsets);
    g_byte_array_append(bytes, (const guint8 *)t.entry, head.name_size);
    g_byte_array_append(bytes, (const guint8 *)t.text->str, (guint)t.text->len);
    kernel_text_clear(&t);
    return bytes;
}

void code_request_key(const void *request, size_t n, uint8_t key[CODE_KEY_SIZE])
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    gsize size = CODE_KEY_SIZE;

    g_checksum_update(sum, (const guchar *)code_version, (gssize)strlen(code_version));
    g_checksum_update(sum, request, (gssize)n);
    g_checksum_get_digest(sum, key, &size);
    g_checksum_free(sum);
}

bool code_request_read(const void *request, size_t n, struct code_request_view *v)
{
    const uint8_t *p = request;
    uint64_t offsets, threads = 1;

    if (n < sizeof v->head || n > CODE_REQUEST_MAX || (uintptr_t)p % 8)
        return false;
    memcpy(&v->head, p, sizeof v->head);
    offsets = 8 * (uint64_t)v->head.n_offsets;
    if (sizeof v->head + offsets + v->head.name_size + v->head.text_size != n || !v->head.name_size)
        return false;
    for (int i = 0; i < 3; i++) {
        if (!v->head.block[i] || v->head.block[i] > 1024)
            return false;
        threads *= v->head.block[i];
    }
    p += sizeof v->head;
    v->offsets = (const uint64_t *)p;
    v->name = (const char *)p + offsets;
    v->text = v->name + v->head.name_size;
    return threads <= 1024 && jit_target_known(v->head.isa, v->head.extensions);
}
