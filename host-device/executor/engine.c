/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/engine.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "executor/compile.h"
#include "executor/log.h"
#include "interp/interp.h"
#include "jit/run.h"
#include "jit/target.h"

/* When code is worth looking for (a millisecond's work), and worth making: LLVM takes about half a millisecond an instruction,
 * and the interpreter may have spent a fifth of that. */
#define LOOK_LAUNCHES 2
#define LOOK_WORK (UINT64_C(1) << 20)   /* instructions times threads of one launch, loops not counted */
#define ASK_SECONDS 0.0001              /* an instruction */
#define VARIANTS_MAX 16

/* A kernel for blocks of one shape. */
struct vgx_variant {
    struct vgx_want want;    /* first: answers come with it */
    uint8_t key[CODE_KEY_SIZE];
    struct vgx_variant *next;
    uint32_t block[3];
    struct interp_kernel *k;
    const char *name;
    enum { UNKNOWN, MISSING, ASKED, SETTLED } state; /* not looked for; not in the cache; on its way; there, or never */
    unsigned launches;
    double seconds;          /* that the interpreter has spent */
    double started;          /* the launch that runs */
    double patience;         /* seconds until it is worth compiling */
};

static enum { INTERP, JIT, AUTO } engine;
static struct jit_shape target;
static unsigned under_way;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool vgx_engine_init(int control_socket, unsigned channel)
{
    const char *want = getenv("VGPU_ENGINE");

    engine = !want || !*want || !strcmp(want, "auto") ? AUTO : !strcmp(want, "jit") ? JIT : INTERP;
    if (engine == INTERP && strcmp(want, "interp"))
        vg_log(VG_LOG_WARN, "VGPU_ENGINE is %s: auto, jit and interp are known", want);
    target.isa = jit_isa_default();
    target.extensions = jit_extensions(target.isa);
    vgx_compile_init(control_socket, channel);
    return engine != INTERP;
}

static void refused(struct vgx_variant *v, const char *why)
{
    vg_log(VG_LOG_DEBUG, "%s stays with the interpreter: %s", v->name, why);
    v->state = SETTLED;
}

/* The file is from another process, and from then on only read. */
static void take_code(struct vgx_variant *v, int fd, const char *from)
{
    struct code_entry e;
    void *code;

    if (!code_entry_check(fd, v->key, &e)) {
        vg_log(VG_LOG_WARN, "what came %s for %s is no code", from, v->name);
        refused(v, "nonsense came instead of code");
    } else if (e.status == CODE_REFUSED) {
        refused(v, e.why);
    } else if (!(code = code_entry_map(fd, &e))) {
        refused(v, "code cannot be mapped");
    } else if (!jit_install(v->k, v->block, code, e.size)) {
        munmap(code, e.size);
        refused(v, "out of memory");
    } else {
        vg_log(VG_LOG_DEBUG, "code of %s for %u,%u,%u came %s: %u instructions, %u left to operations, %u ms, %" G_GUINT64_FORMAT " bytes",
               v->name, v->block[0], v->block[1], v->block[2], from, e.instructions, e.operations, e.milliseconds, e.size);
        v->state = SETTLED;
    }
}

static void answered(struct vgx_want *w, int fd, const char *why)
{
    struct vgx_variant *v = (struct vgx_variant *)w;

    under_way--;
    if (fd < 0)
        refused(v, why);
    else
        take_code(v, fd, "from the compiler");
}

/* Made when it is needed, and not kept: it may be a whole module. */
static GByteArray *make_request(struct vgx_want *w)
{
    struct vgx_variant *v = (struct vgx_variant *)w;
    struct jit_shape shape = target;

    memcpy(shape.block, v->block, sizeof shape.block);
    return code_request_new(v->k, &shape);
}

static void look(struct vgx_variant *v)
{
    g_autoptr(GByteArray) request = make_request(&v->want);
    int fd;

    code_request_key(request->data, request->len, v->key);
    v->state = MISSING;
    if (request->len > CODE_REQUEST_MAX) {
        refused(v, "too large");
        return;
    }
    fd = vgx_compile_cached(v->key);
    if (fd < 0)
        return;
    take_code(v, fd, "from the cache");
    close(fd);
}

static void ask(struct vgx_variant *v)
{
    if (v->state == UNKNOWN)
        look(v);
    if (v->state != MISSING)
        return;
    v->state = ASKED;
    v->want.answer = answered;
    v->want.request = make_request;
    under_way++;
    vgx_compile_ask(&v->want);
    vgx_compile_poll(false);
}

/* A launch that lasts is worth code even if it is the only one. */
static void between_blocks(void *arg)
{
    struct vgx_variant *v = arg;

    if (v->state == ASKED)
        vgx_compile_poll(false);
    else if (v->state != SETTLED && v->seconds + now() - v->started > v->patience)
        ask(v);
}

static struct vgx_variant *find(const struct vgx_engine *e, const uint32_t block[3])
{
    struct vgx_variant *v = e->variants;

    while (v && memcmp(v->block, block, sizeof v->block))
        v = v->next;
    return v;
}

static struct vgx_variant *add(struct vgx_engine *e, struct interp_kernel *k, const char *name, const uint32_t block[3])
{
    struct vgx_variant *v;
    unsigned n = 0;

    for (v = e->variants; v; v = v->next)
        n++;
    if (n == VARIANTS_MAX)
        return NULL;
    v = g_new0(struct vgx_variant, 1);
    memcpy(v->block, block, sizeof v->block);
    v->k = k;
    v->name = name;
    v->patience = ASK_SECONDS * code_measure(k).instructions;
    v->next = e->variants;
    e->variants = v;
    return v;
}

static uint64_t work(const struct vgx_variant *v, const struct vg_launch *l)
{
    return (uint64_t)l->grid[0] * l->grid[1] * l->grid[2] * l->block[0] * l->block[1] * l->block[2] * code_measure(v->k).instructions;
}

void vgx_engine_begin(struct vgx_engine *e, struct interp_kernel *k, const char *name, struct vg_launch *launch)
{
    struct vgx_variant *v = engine == INTERP ? NULL : find(e, launch->block);

    if (under_way)
        vgx_compile_poll(false);
    if (engine == INTERP || (!v && !(v = add(e, k, name, launch->block))) || v->state == SETTLED)
        return;
    v->launches++;
    if (engine == JIT || v->seconds > v->patience)
        ask(v);
    else if (v->state == UNKNOWN && (v->launches >= LOOK_LAUNCHES || work(v, launch) >= LOOK_WORK))
        look(v);
    while (engine == JIT && v->state == ASKED)
        vgx_compile_poll(true);
    if (v->state == SETTLED)
        return;
    v->started = now();
    launch->between_blocks = between_blocks;
    launch->between_arg = v;
}

void vgx_engine_end(const struct vg_launch *launch, double seconds)
{
    struct vgx_variant *v = launch->between_arg;

    if (!v)
        return;
    v->seconds += seconds;
    v->want.worth = v->seconds / v->patience;
}

void vgx_engine_forget(struct vgx_engine *e)
{
    for (struct vgx_variant *v = e->variants, *next; v; v = next) {
        next = v->next;
        if (v->state == ASKED) {
            vgx_compile_forget(&v->want);
            under_way--;
        }
        g_free(v);
    }
    e->variants = NULL;
}
