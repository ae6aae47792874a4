/* SPDX-License-Identifier: Apache-2.0 */
/* The driver API's state, shared by its files.
 *
 * There is one device, one channel and one device memory a process; contexts, streams, modules and so on exist only here.
 * The ring runs its commands in order, so a stream is an ordering label, and an event is the number of a command.
 *
 * Locks, in the order in which they are taken: driver.lock (initialisation, contexts), capture's, library and module locks,
 * the handle table's, the memory's, the channel's. */
#ifndef VGPU_CUDA_DRIVER_H
#define VGPU_CUDA_DRIVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "channel/channel.h"
#include "channel/hooks.h"
#include "channel/mem.h"
#include "cuda/cuda_abi.h"

/* ---- handles ---- */

enum vgpu_kind {
    KIND_NONE,
    KIND_CONTEXT,
    KIND_STREAM,
    KIND_EVENT,
    KIND_MODULE,
    KIND_FUNCTION,
    KIND_LIBRARY,
    KIND_KERNEL,
    KIND_GRAPH,
    KIND_NODE,
    KIND_EXEC,
    KIND_PHYS,
    KIND_POOL,
    KIND_USER_OBJECT,
    KIND_ARRAY,
    KIND_LINK,
};

/* A handle is a pointer that is in the table with the kind that it is used as; nothing is read through it before. */
int vgpu_handle_add(void *object, enum vgpu_kind kind, void *owner);
void vgpu_handle_remove(void *object);
bool vgpu_handle_is(const void *object, enum vgpu_kind kind);
/* Any object of KIND that OWNER has, or NULL. */
void *vgpu_handle_of(const void *owner, enum vgpu_kind kind);
/* Its place in the table, for tests: how many handles there are. */
size_t vgpu_handle_count(void);

/* ---- contexts ---- */

struct vgpu_capture;
struct vgpu_item;

struct CUstream_st {
    struct CUctx_st *context;
    uint64_t id;       /* the label in commands */
    uint64_t last;     /* number of its last command; atomic */
    uint32_t flags;    /* 1: does not wait for the legacy stream */
    int32_t priority;
    bool legacy;
    char hints[3][64]; /* attributes that are kept and change nothing (attribute.c) */
    /* With the lock of defer.c: work that waits for something that the ring cannot wait for. */
    struct vgpu_item *kept, *kept_last;
    struct CUstream_st *busy_next;
    bool gone;         /* destroyed; freed with its last kept work */
    /* With the capture lock: */
    struct vgpu_capture *capture;
    struct CUgraphNode_st **tails; /* what the next node depends on */
    size_t tail_count;
};

struct CUctx_st {
    bool alive;     /* primary contexts are brought back */
    bool primary;
    uint64_t id;
    uint32_t flags;
    unsigned attached; /* cuCtxAttach; with driver.lock */
    int cache_config, shared_config;
    size_t limits[10];
    struct CUstream_st legacy;
    struct vgpu_storage *storage; /* with driver.lock */
};

struct vgpu_driver {
    pthread_mutex_t lock;
    bool initialized;
    struct vgpu_device device;
    struct vgpu_channel channel;
    struct vgpu_memory memory;
    bool open;                /* channel and memory exist */
    uint64_t heap;            /* of kernels, when it is larger than what they have anyway; else 0 */
    struct CUctx_st primary;
    unsigned primary_retained;
    unsigned contexts;        /* alive */
    uint64_t next_id;         /* of streams, contexts, modules, functions; atomic */
};
extern struct vgpu_driver vgpu_driver;

uint64_t vgpu_new_id(void);
static inline const struct vgpu_profile *vgpu_profile(void)
{
    return &vgpu_driver.device.profile;
}
/* What cuDriverGetVersion says. */
uint32_t vgpu_driver_version(void);
/* A device attribute of the profile; 0 where it is not known. */
int vgpu_attribute(int attribute);

/* Each entry point begins with one of these: 0, or what it returns. */
int vgpu_enter_init(void);                         /* needs cuInit */
/* What a call returns that looks at its arguments before it begins with one: ERROR, but first that cuInit is missing. */
static inline int vgpu_refuse(int error)
{
    int status = vgpu_enter_init();

    return status ? status : error;
}
int vgpu_enter_device(CUdevice device);            /* and a device that exists */
int vgpu_enter(struct CUctx_st **context);         /* and a current, living context without a sticky error */
int vgpu_enter_any(struct CUctx_st **context);     /* the same; where none is current the primary one, which then stays */
int vgpu_context_check(struct CUctx_st *context);  /* CONTEXT is a handle of a living one */
struct CUctx_st *vgpu_current(void);
/* The primary context's handle, whether or not it is retained. */
int vgpu_primary_handle(struct CUctx_st **context, CUdevice device);
/* Opens the channel when there is none. With driver.lock held. */
int vgpu_open_locked(void);
/* What a new context reports. */
void vgpu_limits_reset(struct CUctx_st *context);

/* What others keep with a context (storage.c), NULL being the current one: a value a key. GONE is told when the context ends,
 * and may call the driver, which then knows none of the context's handles. */
struct vgpu_storage;
typedef void vgpu_storage_gone(struct CUctx_st *context, void *key, void *value);
int vgpu_storage_put(struct CUctx_st *context, void *key, void *value, vgpu_storage_gone *gone);
int vgpu_storage_delete(struct CUctx_st *context, void *key);
int vgpu_storage_get(void **value, struct CUctx_st *context, void *key);
/* Takes all of it away, with driver.lock held; then, without, tells everybody. */
struct vgpu_storage *vgpu_storage_take(struct CUctx_st *context);
void vgpu_storage_end(struct vgpu_storage *all);

/* ---- streams ---- */

/* What a stream argument means: NULL, 1 (legacy), 2 (per thread) or a handle. */
int vgpu_stream(CUstream handle, struct CUctx_st *context, struct CUstream_st **stream);
/* The stream of calls without a stream argument. */
CUstream vgpu_default_stream(void);
/* Appends a command whose struct begins with the stream's label, or records it when STREAM is being captured. */
int vgpu_stream_submit(struct CUstream_st *stream, uint16_t command, void *fixed, size_t fixed_size, const void *tail,
                       size_t tail_size);
/* The same, never captured; kept while STREAM waits (defer.h). */
int vgpu_stream_queue(struct CUstream_st *stream, uint16_t command, void *fixed, size_t fixed_size, const void *tail,
                      size_t tail_size);
/* The same, onto the ring at once. */
int vgpu_stream_put(struct CUstream_st *stream, uint16_t command, void *fixed, size_t fixed_size, const void *tail,
                    size_t tail_size);
/* The command that STREAM's work on the ring ends with. */
uint64_t vgpu_stream_last(struct CUstream_st *stream);
void vgpu_stream_advance(struct CUstream_st *stream, uint64_t seq);
int vgpu_stream_wait(struct CUstream_st *stream);
void vgpu_streams_destroy(struct CUctx_st *context);

struct CUevent_st {
    struct CUctx_st *context;
    uint32_t flags; /* 2: no timing */
    uint64_t seq;   /* 0: never recorded */
    uint64_t stamp; /* device address of its time; 0: none yet */
    struct vgpu_item *pending; /* its record waits on a stream (defer.h); NULL: it does not */
    uint64_t capture_id; /* of the capture that it was last recorded in, with what it then depended on; 0: in none */
    struct CUgraphNode_st **tails;
    size_t tail_count;
};
/* Records EVENT at the end of STREAM's work, without capture. */
int vgpu_event_record(struct CUevent_st *event, struct CUstream_st *stream);
/* The same at the end of what is on the ring. */
int vgpu_event_put(struct CUevent_st *event, struct CUstream_st *stream);
/* What follows on STREAM waits for EVENT. */
int vgpu_event_wait(struct CUevent_st *event, struct CUstream_st *stream);
void vgpu_events_destroy(struct CUctx_st *context);

/* ---- captures ---- */

/* The calling thread may not do what could not be captured: 0 or STREAM_CAPTURE_UNSUPPORTED. */
int vgpu_capture_unsafe(void);
/* STREAM is being captured, or its use would make a capturing stream wait: what the call returns. Invalidates. */
int vgpu_capture_forbids(struct CUstream_st *stream);
bool vgpu_capturing(struct CUstream_st *stream);
/* Work on STREAM, when it is the legacy one, would join a capture of a blocking stream. */
int vgpu_capture_implicit(struct CUstream_st *stream);
int vgpu_capture_command(struct CUstream_st *stream, uint16_t command, const void *fixed, size_t fixed_size,
                         const void *tail, size_t tail_size);
int vgpu_capture_copy(struct CUstream_st *stream, const struct CUDA_MEMCPY3D *copy);
int vgpu_capture_memset(struct CUstream_st *stream, const struct CUDA_MEMSET_NODE_PARAMS *params);
int vgpu_capture_host(struct CUstream_st *stream, void (*fn)(void *), void *data);
int vgpu_capture_launch(struct CUstream_st *stream, struct CUfunc_st *function, const struct vgpu_cmd_launch *launch,
                        const void *params, size_t size);
struct CUgraph_st;
int vgpu_capture_graph(struct CUstream_st *stream, struct CUgraph_st *graph);
int vgpu_capture_record(struct CUstream_st *stream, struct CUevent_st *event);
/* *TAKEN: the wait belongs to a capture and is settled. */
int vgpu_capture_wait(struct CUstream_st *stream, struct CUevent_st *event, bool *taken);
/* Any stream of CONTEXT is being captured: what waiting for all of it returns. Invalidates. */
int vgpu_capture_forbids_context(struct CUctx_st *context);
/* STREAM is about to go. */
void vgpu_capture_stream_gone(struct CUstream_st *stream);
void vgpu_captures_forget(struct CUctx_st *context);

/* ---- copies ---- */

/* Copies as PARAMS says; UNIFIED sides may be any pointer. ASYNC: may return before it is done. Not captured. */
int vgpu_copy_3d(struct CUstream_st *stream, const struct CUDA_MEMCPY3D *params, bool async);
int vgpu_fill(struct CUstream_st *stream, const struct CUDA_MEMSET_NODE_PARAMS *params, bool async);

/* An array: rows of elements in layers, in memory of the library's own. */
struct CUarray_st {
    struct CUctx_st *context;
    struct CUDA_ARRAY3D_DESCRIPTOR shape; /* as it was asked for */
    uint64_t va;
    uint32_t element;             /* bytes */
    size_t width, height, depth;  /* bytes, rows, layers: none is 0 */
    size_t pitch;
};
void vgpu_arrays_destroy(struct CUctx_st *context);
/* Memory whose copies are waited for, whatever they are (CU_POINTER_ATTRIBUTE_SYNC_MEMOPS), may take part in COPY. */
bool vgpu_pointer_synchronous(uint64_t dst, uint64_t src);

/* ---- modules ---- */

struct CUmod_st;

struct CUfunc_st {
    struct CUmod_st *module;
    char *name;
    uint64_t id;
    struct vgpu_reply_function_get info;
    struct vgpu_param {
        uint32_t offset, size;
    } *params;
    int max_dynamic_shared, carveout;
    int cluster[3];
    int nonportable_cluster, scheduling_policy;
    struct vgpu_staged_launch *staged; /* legacy_launch.c; NULL before its first use */
    struct CUfunc_st *next;
};

struct CUmod_st {
    struct CUctx_st *context;
    uint64_t id;
    pthread_mutex_t lock;
    struct CUfunc_st *functions;
    uint32_t function_count, global_count;
    uint64_t managed; /* where its variables lie, when some are managed; else 0 */
    bool hidden; /* of a library: unloaded with it */
};

/* Logs that the options of loads and links ask for. */
struct vgpu_jit_log {
    char *buffer, *info;
    size_t size, used, info_size, info_used;
    bool verbose;
    uint64_t began;
};

/* A copy of IMAGE in the form in which it is sent; what it is was checked. */
struct vgpu_image {
    void *bytes;
    size_t size;
    /* What of it is parsed when it is loaded: a fat binary's kernels when they are used, but who loads text wants to hear. */
    enum { CHECK_LATER, CHECK_NOW, CHECK_PART } check; /* as module_load has it */
};
/* IMAGE has at most MAX bytes; SIZE_MAX: as many as it says. */
int vgpu_image_take(const void *image, size_t max, struct vgpu_image *taken);
void vgpu_image_drop(struct vgpu_image *image);
/* Whether IMAGE could be a part of a linked program. */
int vgpu_module_check_part(const struct vgpu_image *image, struct vgpu_jit_log *log);
int vgpu_module_load(struct CUctx_st *context, const struct vgpu_image *image, struct vgpu_jit_log *log,
                     struct CUmod_st **module);
int vgpu_module_function(struct CUmod_st *module, const char *name, struct CUfunc_st **function);
/* MANAGED: only a managed one. */
int vgpu_module_global(struct CUmod_st *module, const char *name, bool managed, uint64_t *address, size_t *size);
/* Names of its kernels, NUL-separated, in allocated memory. */
int vgpu_module_names(struct CUmod_st *module, char **names, uint32_t *count);
void vgpu_module_unload(struct CUmod_st *module);
void vgpu_modules_destroy(struct CUctx_st *context);
void vgpu_libraries_forget(struct CUctx_st *context);
void vgpu_links_destroy(struct CUctx_st *context);
/* Options of cuModuleLoadDataEx and cuLinkCreate: where the logs go. */
int vgpu_jit_options(uint32_t count, const int *options, void **values, struct vgpu_jit_log *log);
void vgpu_jit_finish(uint32_t count, const int *options, void **values, const struct vgpu_jit_log *log);
/* One more line in a log, cut where there is no room. LOG may be NULL. */
__attribute__((format(printf, 2, 3))) void vgpu_jit_error(struct vgpu_jit_log *log, const char *format, ...);
__attribute__((format(printf, 2, 3))) void vgpu_jit_info(struct vgpu_jit_log *log, const char *format, ...);
/* Whole file in allocated memory. */
int vgpu_read_file(const char *path, void **bytes, size_t *size);
/* A handle that is a CUfunction, or a CUkernel, whose function in CONTEXT it then is. */
int vgpu_function_of(void *handle, struct CUctx_st *context, struct CUfunc_st **function);
/* Gathers the parameters of a launch into TAIL (param_size bytes). */
int vgpu_params_gather(const struct CUfunc_st *function, void **params, void **extra, unsigned char *tail);
int vgpu_function_attribute(const struct CUfunc_st *function, int attribute, int *value);
int vgpu_function_set_attribute(struct CUfunc_st *function, int attribute, int value);
/* Sanity of a launch; 0 or what it returns. */
int vgpu_launch_check(const struct CUfunc_st *function, const struct vgpu_cmd_launch *launch);

/* ---- graphs ---- */

void vgpu_graphs_destroy(struct CUctx_st *context);

/* ---- other ---- */

/* From now on what is logged is kept for cuLogs... */
void vgpu_logs_begin(void);
void vgpu_pools_forget(struct CUctx_st *context);

#endif
