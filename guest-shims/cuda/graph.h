/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs: nodes, each what a call recorded, and what they depend on. Nothing of a node is looked at before it runs. */
#ifndef VGPU_CUDA_GRAPH_H
#define VGPU_CUDA_GRAPH_H

#include "cuda/driver.h"

/* A ring command: its struct, which begins with the stream's label, and its tail. */
struct vgpu_record {
    uint16_t command;
    size_t fixed_size, tail_size;
    unsigned char *bytes;
};

struct CUgraphNode_st {
    struct CUgraph_st *graph;
    struct CUgraphNode_st *origin; /* of a clone: what it was made from */
    int type;                      /* CUgraphNodeType */
    bool disabled;                 /* of executable graphs */
    struct CUgraphNode_st **dependencies;
    size_t dependency_count;
    size_t index; /* scratch: place in the graph's order */
    union {
        struct {
            struct vgpu_record record; /* a launch, or what a library submits */
            struct CUfunc_st *function; /* NULL: no launch */
            void **pointers;            /* to the parameters in the record, once asked for */
        } kernel;
        struct CUDA_MEMCPY3D copy;
        struct CUDA_MEMSET_NODE_PARAMS fill;
        struct CUDA_HOST_NODE_PARAMS host;
        struct CUevent_st *event;
        struct CUgraph_st *child;
        struct CUDA_BATCH_MEM_OP_NODE_PARAMS memops; /* its operations are the node's own */
        struct vgpu_graph_memory *memory;            /* what it allocates */
        uint64_t address;                            /* of what it frees */
    } as;
};

struct vgpu_held {
    CUuserObject object;
    unsigned count;
};

struct CUgraph_st {
    struct CUctx_st *context;
    struct CUgraphNode_st **nodes;
    size_t count, room;
    struct vgpu_held *held; /* references to user objects */
    size_t held_count;
    bool inner; /* a child node's, or an executable graph's: nobody else may destroy it */
};

struct CUgraphExec_st {
    struct CUctx_st *context;
    struct CUgraph_st *graph; /* a clone, nodes in an order in which they can run */
    uint64_t flags;
};

/* What each type of node does. CLONE fills what a shallow copy shares; UPDATE moves FROM's parameters to TO, of the same
 * type. NULL: nothing to do. */
struct vgpu_node_ops {
    int (*run)(struct CUgraphNode_st *node, struct CUstream_st *stream);
    int (*clone)(struct CUgraphNode_st *node);
    void (*clear)(struct CUgraphNode_st *node);
};
extern const struct vgpu_node_ops *const vgpu_node_ops[], vgpu_memop_ops;
#define VGPU_NODE_TYPES (NODE_BATCH_MEM_OP + 1)
int vgpu_node_run(struct CUgraphNode_st *node, struct CUstream_st *stream);

struct CUgraph_st *vgpu_graph_new(struct CUctx_st *context);
void vgpu_graph_free(struct CUgraph_st *graph);
/* With the same nodes, 'origin' set. */
int vgpu_graph_clone(const struct CUgraph_st *graph, struct CUgraph_st **clone);
/* Orders the nodes so that each comes after what it depends on. False: there is a cycle. */
bool vgpu_graph_sort(struct CUgraph_st *graph);
/* A node of TYPE at the end of GRAPH; its contents are the caller's to fill. */
int vgpu_node_add(struct CUgraph_st *graph, int type, struct CUgraphNode_st *const *dependencies, size_t count,
                  struct CUgraphNode_st **node);
void vgpu_node_remove(struct CUgraphNode_st *node);
int vgpu_node_depend(struct CUgraphNode_st *node, struct CUgraphNode_st *on);
void vgpu_node_clear(struct CUgraphNode_st *node);
/* Takes over FROM's contents; both are of one type. */
int vgpu_node_assign(struct CUgraphNode_st *to, const struct CUgraphNode_st *from);

int vgpu_record_set(struct vgpu_record *record, uint16_t command, const void *fixed, size_t fixed_size, const void *tail,
                    size_t tail_size);

/* References to user objects: take one more to each of FROM's, let go of all. */
int vgpu_graph_share(struct CUgraph_st *to, const struct CUgraph_st *from);
void vgpu_graph_let_go(struct CUgraph_st *graph);
int vgpu_graph_hold(struct CUgraph_st *graph, CUuserObject object, unsigned count);

/* Argument checks. */
int vgpu_graph_check(CUgraph graph);
int vgpu_node_check(CUgraphNode node, int type); /* TYPE -1: any */
/* EXEC's node that was made from NODE. */
int vgpu_node_in(CUgraphExec exec, CUgraphNode node, int type, struct CUgraphNode_st **found);

/* STREAM, which is being captured, goes on with a node of these contents, which are cloned. */
int vgpu_capture_node(struct CUstream_st *stream, const struct CUgraphNode_st *contents);

#endif
