/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled code in this process, on one thread, with no driver around it; and the same code without the test that an access lies
 * in the window, which nothing but this program can ask for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "interp/window.h"
#include "jit/jit.h"
#include "jit/run.h"
#include "side.h"

enum { FUNCTIONS_MAX = 32, ALIGN = 256 };
#define DATA_ADDRESS VGPU_HEAP_BASE
#define HEAP_ADDRESS (VGPU_HEAP_BASE + VGPU_MIB)
#define HEAP_BYTES (1024 * VGPU_MIB)

static const struct vg_binding binding = {DATA_ADDRESS, DATA_ADDRESS + VGPU_MIB};
static bool unconfined;
static struct ptx_module *module;
static struct interp_worker *worker;
static uint64_t used;
static struct {
    const char *name;
    unsigned threads[2];
    struct interp_kernel *kernel;
} functions[FUNCTIONS_MAX];

static char *read_text(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    long n;

    if (f && !fseek(f, 0, SEEK_END) && (n = ftell(f)) >= 0 && !fseek(f, 0, SEEK_SET) && (text = malloc((size_t)n + 1)))
        *size = fread(text, 1, (size_t)n, f);
    if (f)
        fclose(f);
    if (!text)
        side_absent("%s cannot be read (clang-19 makes it: ./configure --install-deps)", path);
    return text;
}

static void open_program(const char *program)
{
    struct ptx_error err = {0};
    size_t n = 0;
    char *text = read_text(program, &n);

    module = ptx_module_open(text, n, &err);
    free(text);
    if (!module || module->data_size > VGPU_MIB)
        side_fail("%s: %s", program, err.message);
    if (!window_map(DATA_ADDRESS, VGPU_MIB, -1, 0) || !window_map(HEAP_ADDRESS, HEAP_BYTES, -1, 0) || !(worker = interp_worker_new(0)))
        side_fail("cannot set up the device window");
    vg_image_fill(module, &binding, (void *)DATA_ADDRESS);
}

static void open_unconfined(const char *program)
{
    unconfined = true;
    open_program(program);
}

static buffer alloc(size_t bytes)
{
    buffer at = HEAP_ADDRESS + used;

    used += (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (used > HEAP_BYTES)
        side_fail("out of device memory");
    return at;
}

static void write_buffer(buffer to, const void *data, size_t bytes)
{
    memcpy((void *)to, data, bytes);
}

static void read_buffer(void *data, buffer from, size_t bytes)
{
    memcpy(data, (const void *)from, bytes);
}

static struct interp_kernel *compile(const char *name, const unsigned threads[2])
{
    struct jit_shape shape = {.block = {threads[0], threads[1], 1}, .isa = jit_isa_default(), .unconfined = unconfined};
    struct ptx_function *f = ptx_find_function(module, name);
    struct ptx_error err = {0};
    struct jit_report report;
    struct interp_kernel *k;
    void *image;

    if (!f || !ptx_function_close(module, f, &err) || !(k = interp_kernel_new(module, f, &binding, &err)))
        side_fail("%s: %s", name, f ? err.message : "no such kernel");
    image = jit_translate(k, &shape, &report);
    if (!image || !jit_install(k, shape.block, image, report.code_bytes))
        side_fail("%s: %s", name, report.why);
    return k;
}

static struct interp_kernel *find(const char *name, const unsigned threads[2])
{
    int i = 0;

    for (; i < FUNCTIONS_MAX && functions[i].kernel; i++)
        if (!strcmp(functions[i].name, name) && !memcmp(functions[i].threads, threads, sizeof functions[i].threads))
            return functions[i].kernel;
    if (i == FUNCTIONS_MAX)
        side_fail("more than %d kernels", FUNCTIONS_MAX);
    functions[i].kernel = compile(name, threads);
    functions[i].name = name;
    memcpy(functions[i].threads, threads, sizeof functions[i].threads);
    return functions[i].kernel;
}

static void launch(const char *kernel, const unsigned blocks[2], const unsigned threads[2], const struct argument *arguments)
{
    uint64_t params[ARGUMENTS_MAX] = {0};
    struct vg_launch l = {.grid = {blocks[0], blocks[1], 1}, .block = {threads[0], threads[1], 1}, .cluster = {1, 1, 1},
                          .params = (void *)params, .sm_count = 132};
    struct interp_grid grid = {.n_workers = 1};
    size_t at = 0;

    for (int i = 0; arguments[i].value; i++) { /* all are as aligned as they are large */
        at = (at + arguments[i].size - 1) & ~(arguments[i].size - 1);
        memcpy((char *)params + at, arguments[i].value, arguments[i].size);
        at += arguments[i].size;
    }
    l.param_size = (uint32_t)at;
    if (!interp_run(worker, find(kernel, threads), &l, &grid))
        side_fail("%s: %s", kernel, grid.fault.message);
}

static void finish(void)
{
}

static const struct device confined = {"confined", open_program, alloc, write_buffer, read_buffer, launch, finish};
static const struct device not_confined = {"unconfined", open_unconfined, alloc, write_buffer, read_buffer, launch, finish};
const struct device *const devices[] = {&confined, &not_confined, NULL};
