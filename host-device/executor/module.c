/* SPDX-License-Identifier: Apache-2.0 */
/* Modules: images are collected in pieces, opened (fatbin or PTX), given memory for their variables; functions are parsed when
 * they are asked for. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/executor.h"
#include "interp/interp.h"
#include "interp/window.h"
#include "ptx/fatbin.h"
#include "ring_commands.h"
#include "ring_decode.h"

#define MAX_IMAGE (512 * VGPU_MIB)
#define MAX_NAME 8192

static void free_function(void *p)
{
    struct vgx_function *f = p;

    vgx_engine_forget(&f->engine);
    if (f->kernel)
        interp_kernel_free(f->kernel);
    g_free(f);
}

/* Executors end by _exit, so modules are freed only when they are unloaded. */
bool vgx_module_init(struct vgx *x)
{
    x->modules = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, NULL);
    x->functions = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, free_function);
    x->images = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)g_byte_array_unref);
    x->image_holes = g_array_new(FALSE, FALSE, sizeof(struct vgx_mapping));
    x->image_next = VGPU_IMAGE_BASE + VGPU_WINDOW_GUARD;
    x->function_next = VGPU_FUNCTION_BASE + VGPU_WINDOW_GUARD;
    return true;
}

uint64_t vgx_image_alloc(struct vgx *x, uint64_t size)
{
    uint64_t va = 0;

    size = (size + 4095) & ~UINT64_C(4095);
    for (guint i = 0; i < x->image_holes->len && !va; i++) {
        struct vgx_mapping *hole = &g_array_index(x->image_holes, struct vgx_mapping, i);

        if (hole->size < size)
            continue;
        va = hole->va;
        hole->va += size;
        hole->size -= size;
        if (!hole->size)
            g_array_remove_index_fast(x->image_holes, i);
    }
    if (!va && size <= VGPU_FUNCTION_BASE - x->image_next) {
        va = x->image_next;
        x->image_next += size;
    }
    return va && window_map(va, size, -1, 0) ? va : 0;
}

void vgx_image_free(struct vgx *x, uint64_t va, uint64_t size)
{
    struct vgx_mapping hole = { va, (size + 4095) & ~UINT64_C(4095), 0 };

    if (window_unmap(hole.va, hole.size))
        g_array_append_val(x->image_holes, hole);
}

uint32_t vgx_cmd_module_data(void *executor, const struct vgpu_cmd_module_data *c)
{
    struct vgx *x = executor;
    const uint8_t *bytes = vgx_staging(x, c->staging, c->size);
    GByteArray *image = g_hash_table_lookup(x->images, &c->module);

    if (!image) {
        image = g_byte_array_new();
        g_hash_table_insert(x->images, g_memdup2(&c->module, sizeof(c->module)), image);
    }
    if (!bytes || c->total > MAX_IMAGE || c->at != image->len || c->size > c->total || c->at > c->total - c->size)
        return vgx_fail(x, CU_INVALID_VALUE, "the guest sends pieces of a module out of order or bounds");
    g_byte_array_append(image, bytes, (guint)c->size);
    return CU_OK;
}

/* Why an image was refused: to the caller, who can go on; the channel is not lost. */
static uint32_t refuse(struct vgx *x, const struct ptx_error *e, struct vgpu_reply_tail *tail)
{
    int n;

    if (tail->room) {
        n = snprintf(tail->bytes, tail->room, "%s", e->message);
        tail->used = n < 0 ? 0 : MIN((size_t)n + 1, tail->room);
    }
    vg_log(VG_LOG_WARN, "module refused (%d): %s", e->code, e->message);
    return (uint32_t)e->code;
}

static bool bind_module(struct vgx *x, struct vgx_module *m, struct ptx_error *err)
{
    m->binding.functions = x->function_next;
    x->function_next += (uint64_t)m->ptx->nfunctions * VG_FUNCTION_STRIDE;
    if (x->function_next > VGPU_WINDOW_END - VGPU_WINDOW_GUARD) {
        *err = (struct ptx_error){ .code = CU_OUT_OF_MEMORY, .message = "too many functions in all modules" };
        return false;
    }
    m->image_size = MAX(m->ptx->data_size, 1);
    m->binding.data = vgx_image_alloc(x, m->image_size);
    if (!m->binding.data) {
        *err = (struct ptx_error){ .code = CU_OUT_OF_MEMORY, .message = "no memory for the module's variables" };
        return false;
    }
    vg_image_fill(m->ptx, &m->binding, (uint8_t *)m->binding.data);
    return true;
}

enum { CHECK_PROGRAM = 1, CHECK_PART };

/* Functions that use what this GPU does not execute (801) are refused when they are asked for: others may be of use. */
static bool check_bodies(struct ptx_module *m, uint32_t how, struct ptx_error *err)
{
    for (uint32_t i = 0; how && i < m->nfunctions; i++) {
        struct ptx_function *f = &m->functions[i];
        bool close = how == CHECK_PROGRAM && f->is_entry;

        if (f->has_body && !(close ? ptx_function_close : ptx_function_parse)(m, f, err) && err->code != CU_NOT_SUPPORTED)
            return false;
    }
    *err = (struct ptx_error){ 0 };
    return true;
}

/* Whether text can be a part of a program. */
static bool check_part(const char *text, size_t size, struct ptx_error *err)
{
    struct ptx_module *part = ptx_module_open_part(text, size, err);
    bool fine = part && check_bodies(part, CHECK_PART, err);

    ptx_module_close(part);
    return fine;
}

uint32_t vgx_cmd_module_load(void *executor, const struct vgpu_cmd_module_load *c, struct vgpu_reply_module_load *reply,
                             struct vgpu_reply_tail *tail)
{
    struct vgx *x = executor;
    GByteArray *image = g_hash_table_lookup(x->images, &c->module);
    struct ptx_error err = { 0 };
    struct vgx_module *m;
    char *text = NULL;
    size_t size = 0;

    if (!image || g_hash_table_contains(x->modules, &c->module))
        return CU_INVALID_HANDLE;
    text = fatbin_program(image->data, image->len, c->cc, &size, &err);
    if (c->check == CHECK_PART) {
        bool fine = text && check_part(text, size, &err);

        free(text);
        g_hash_table_remove(x->images, &c->module);
        return fine ? CU_OK : refuse(x, &err, tail);
    }
    m = g_new0(struct vgx_module, 1);
    m->handle = c->module;
    m->cc = c->cc;
    if (!text || !(m->ptx = ptx_module_open(text, size, &err)) || !check_bodies(m->ptx, c->check, &err) || !bind_module(x, m, &err)) {
        if (m->ptx)
            ptx_module_close(m->ptx);
        g_free(m);
        m = NULL;
    }
    free(text);
    g_hash_table_remove(x->images, &c->module);
    if (!m)
        return refuse(x, &err, tail);
    g_hash_table_insert(x->modules, &m->handle, m);
    for (uint32_t i = 0; i < m->ptx->nfunctions; i++)
        reply->functions += m->ptx->functions[i].is_entry;
    for (uint32_t i = 0; i < m->ptx->nsymbols; i++)
        reply->globals += m->ptx->symbols[i].owner < 0 && m->ptx->symbols[i].space != PTX_SPACE_shared;
    reply->managed = m->ptx->has_managed ? m->image_size : 0;
    return CU_OK;
}

static gboolean is_function_of(gpointer key, gpointer value, gpointer module)
{
    return ((struct vgx_function *)value)->module == module;
}

/* Managed variables are the CPU's too: they lie, with all others of their module, in memory that the guest chose. */
uint32_t vgx_cmd_module_place(void *executor, const struct vgpu_cmd_module_place *c)
{
    struct vgx *x = executor;
    struct vgx_module *m = g_hash_table_lookup(x->modules, &c->module);

    if (!m || m->placed || g_hash_table_find(x->functions, is_function_of, m))
        return vgx_fail(x, CU_INVALID_HANDLE, "the guest places a module that is not loaded, or is in use");
    if (c->va >= VGPU_IMAGE_BASE || c->va % m->ptx->data_align || !vgx_range_mapped(x, c->va, m->image_size))
        return vgx_fail(x, CU_INVALID_VALUE, "the guest places a module at %#" PRIx64 ", which is not its memory", c->va);
    vgx_image_free(x, m->binding.data, m->image_size);
    m->binding.data = c->va;
    m->placed = true;
    vg_image_fill(m->ptx, &m->binding, (uint8_t *)m->binding.data);
    return CU_OK;
}

uint32_t vgx_cmd_module_unload(void *executor, const struct vgpu_cmd_module_unload *c)
{
    struct vgx *x = executor;
    struct vgx_module *m = g_hash_table_lookup(x->modules, &c->module);

    if (!m)
        return vgx_fail(x, CU_INVALID_HANDLE, "the guest unloads a module that is not loaded");
    g_hash_table_foreach_remove(x->functions, is_function_of, m);
    g_hash_table_remove(x->modules, &c->module);
    if (!m->placed)
        vgx_image_free(x, m->binding.data, m->image_size);
    ptx_module_close(m->ptx);
    g_free(m);
    return CU_OK;
}

/* A name from a command's tail; freed by the caller. NULL when it is no name. */
static char *take_name(const void *tail, size_t n)
{
    return n && n <= MAX_NAME ? g_strndup(tail, n) : NULL;
}

struct vgx_function *vgx_find_function(struct vgx *x, uint64_t handle)
{
    return g_hash_table_lookup(x->functions, &handle);
}

struct param_layout {
    uint32_t offset, size;
};

uint32_t vgx_cmd_function_get(void *executor, const struct vgpu_cmd_function_get *c, const void *tail, size_t tail_size,
                              struct vgpu_reply_function_get *r, struct vgpu_reply_tail *out)
{
    struct vgx *x = executor;
    struct vgx_module *m = g_hash_table_lookup(x->modules, &c->module);
    g_autofree char *name = take_name(tail, tail_size);
    struct ptx_function *p = m && name ? ptx_find_function(m->ptx, name) : NULL;
    struct param_layout *layout = out->bytes;
    struct ptx_error err = { 0 };
    struct vgx_function *f;

    if (!m || vgx_find_function(x, c->function))
        return CU_INVALID_HANDLE;
    if (!p || !p->is_entry)
        return CU_NOT_FOUND;
    if (!ptx_function_close(m->ptx, p, &err))
        return refuse(x, &err, out);
    if (out->room < p->nparams * sizeof(*layout))
        return CU_OUT_OF_MEMORY;
    if (p->cluster[0] > 1 || p->cluster[1] > 1 || p->cluster[2] > 1) {
        snprintf(err.message, sizeof(err.message), "%s: clusters of several blocks are not executed", p->name);
        err.code = CU_NOT_SUPPORTED;
        return refuse(x, &err, out);
    }

    f = g_new0(struct vgx_function, 1);
    f->handle = c->function;
    f->module = m;
    f->ptx = p;
    g_hash_table_insert(x->functions, &f->handle, f);

    r->param_size = p->param_size;
    r->params = p->nparams;
    r->max_threads = p->maxntid[0] ? MIN(p->maxntid[0] * MAX(p->maxntid[1], 1) * MAX(p->maxntid[2], 1), 1024) : 1024;
    r->static_shared = p->shared_size;
    r->local_bytes = p->local_size;
    r->registers = p->maxnreg ? p->maxnreg : MIN(MAX(p->nregs / 4, 16), 64);
    r->ptx_version = (uint32_t)m->ptx->target; /* the virtual architecture, by which CUB picks its kernels; not the ISA's version */
    r->binary_version = m->cc;
    r->reqntid = p->reqntid[0] * MAX(p->reqntid[1], 1) * MAX(p->reqntid[2], 1);
    for (uint32_t i = 0; i < p->nparams; i++) {
        const struct ptx_symbol *s = &m->ptx->symbols[p->first_param + i];

        layout[i] = (struct param_layout){ (uint32_t)s->offset, (uint32_t)s->size };
    }
    out->used = p->nparams * sizeof(*layout);
    return CU_OK;
}

uint32_t vgx_cmd_global_get(void *executor, const struct vgpu_cmd_global_get *c, const void *tail, size_t tail_size,
                            struct vgpu_reply_global_get *reply)
{
    struct vgx *x = executor;
    struct vgx_module *m = g_hash_table_lookup(x->modules, &c->module);
    g_autofree char *name = take_name(tail, tail_size);
    struct ptx_symbol *s;

    if (!m)
        return CU_INVALID_HANDLE;
    s = name ? ptx_find_symbol(m->ptx, name) : NULL;
    if (!s || (s->space != PTX_SPACE_global && s->space != PTX_SPACE_const) || s->linkage == PTX_LINK_EXTERN)
        return CU_NOT_FOUND;
    reply->address = m->binding.data + s->offset;
    reply->size = s->size;
    reply->flags = s->managed;
    return CU_OK;
}

uint32_t vgx_cmd_module_names(void *executor, const struct vgpu_cmd_module_names *c, struct vgpu_reply_module_names *reply,
                              struct vgpu_reply_tail *tail)
{
    struct vgx *x = executor;
    struct vgx_module *m = g_hash_table_lookup(x->modules, &c->module);
    char *to = tail->bytes;
    uint32_t index = 0;

    if (!m)
        return CU_INVALID_HANDLE;
    for (uint32_t i = 0; i < m->ptx->nfunctions; i++) {
        const struct ptx_function *f = &m->ptx->functions[i];
        size_t n = strlen(f->name) + 1;

        if (!f->is_entry || index++ < c->first)
            continue;
        if (n > tail->room - tail->used)
            break;
        memcpy(to + tail->used, f->name, n);
        tail->used += n;
        reply->count++;
    }
    return CU_OK;
}
