/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-hostd and vgpu-executor as strangers see them: over the socket and the ring, with honest, wrong and random input.
 * Whatever one client does, the next one is served. */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw_client.h"
#include "tap.h"

#define VA (VGPU_HEAP_BASE + 16 * VGPU_MIB)

static char path[108];

static const char kernel[] =
    ".version 8.0\n.target sm_50\n.address_size 64\n"
    ".global .u32 counter = 7;\n"
    ".visible .entry store(.param .u64 out, .param .u32 value)\n{\n"
    ".reg .u64 %p; .reg .u32 %v, %t;\n"
    "ld.param.u64 %p, [out]; ld.param.u32 %v, [value]; mov.u32 %t, %tid.x;\n"
    "add.u32 %v, %v, %t; mad.wide.u32 %p, %t, 4, %p; st.global.u32 [%p], %v; ret;\n}\n"
    ".visible .entry forever()\n{\nL: bra L;\n}\n";

static bool load_kernel(struct raw *r, const char *image, size_t n)
{
    struct vgpu_cmd_module_data data = { .module = 1, .total = n, .size = n };
    struct vgpu_cmd_module_load load = { .module = 1, .cc = 90 };

    memcpy(r->base + VGPU_STAGING_OFFSET, image, n);
    raw_send(r, VGPU_CMD_MODULE_DATA, &data, sizeof(data), NULL, 0);
    return raw_call(r, VGPU_CMD_MODULE_LOAD, &load, sizeof(load), NULL, 0, NULL, 0) == 0;
}

static uint32_t get_function(struct raw *r, const char *name, uint64_t handle, struct vgpu_reply_function_get *reply)
{
    struct vgpu_cmd_function_get get = { .module = 1, .function = handle };

    return raw_call(r, VGPU_CMD_FUNCTION_GET, &get, sizeof(get), name, strlen(name), reply, sizeof(*reply));
}

/* Memory of our own at VA. */
static bool map_memory(struct raw *r, struct vgpu_reply_grant *extent)
{
    struct vgpu_cmd_grant grant = { .size = VGPU_EXTENT };
    struct vgpu_cmd_mem_map map = { .va = VA, .size = VGPU_EXTENT };

    if (raw_call(r, VGPU_CMD_GRANT, &grant, sizeof(grant), NULL, 0, extent, sizeof(*extent)))
        return false;
    map.offset = extent->offset;
    raw_send(r, VGPU_CMD_MEM_MAP, &map, sizeof(map), NULL, 0);
    return raw_sync(r) == 0;
}

static void test_honest_client(void)
{
    struct vgpu_reply_function_get function = { 0 };
    struct vgpu_cmd_launch launch = { .function = 2, .grid = { 1, 1, 1 }, .block = { 64, 1, 1 }, .cluster = { 1, 1, 1 } };
    struct { uint64_t out; uint32_t value, pad; } params = { VA, 1000, 0 };
    struct vgpu_cmd_fill fill = { .dst = VA, .count = 64, .height = 1, .value = 0xffffffff, .width = 4 };
    struct vgpu_cmd_copy copy = { .dst = VA + 4096, .src = VA, .width = 256, .height = 1, .depth = 1 };
    struct vgpu_cmd_global_get global = { .module = 1 };
    struct vgpu_reply_global_get where = { 0 };
    struct vgpu_reply_grant extent = { 0 };
    const uint32_t *seen;
    struct raw r;
    bool right = true;

    ok(raw_open(&r, path), "a client opens a channel");
    is_u64(r.bar0[VGPU_REG_MAGIC / 4], VGPU_MAGIC, "the register page has the magic");
    is_u64(raw_state(&r), VGPU_CHANNEL_OPEN, "the channel is open");
    ok(mmap(NULL, VGPU_BAR0_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, r.bar0_fd, 0) == MAP_FAILED, "the register page cannot be mapped for writing");
    ok(map_memory(&r, &extent), "memory is granted and mapped");
    is_u64(r.bar0[VGPU_REG_MEM_GRANTED_MIB / 4], VGPU_EXTENT / VGPU_MIB, "the grant shows in the register");
    ok(load_kernel(&r, kernel, sizeof(kernel)), "a module loads");
    is_u64(get_function(&r, "store", 2, &function), 0, "a function is found");
    is_u64(function.param_size, 12, "its parameters have 12 bytes");
    is_u64(get_function(&r, "absent", 3, &function), 500, "an unknown function is not found");
    is_u64(raw_call(&r, VGPU_CMD_GLOBAL_GET, &global, sizeof(global), "counter", 7, &where, sizeof(where)), 0, "a variable is found");
    is_u64(where.size, 4, "it has 4 bytes");
    raw_send(&r, VGPU_CMD_FILL, &fill, sizeof(fill), NULL, 0);
    raw_send(&r, VGPU_CMD_LAUNCH, &launch, sizeof(launch), &params, 12);
    raw_send(&r, VGPU_CMD_COPY, &copy, sizeof(copy), NULL, 0);
    is_u64(raw_sync(&r), 0, "fill, launch and copy run");
    seen = mmap(NULL, VGPU_EXTENT, PROT_READ, MAP_SHARED, r.bar2_fd, (off_t)extent.offset);
    for (uint32_t i = 0; i < 64; i++)
        right = right && seen[1024 + i] == 1000 + i;
    ok(right, "the kernel's results were copied and are seen in BAR2");
    for (int i = 0; i < 5000; i++)
        raw_send(&r, VGPU_CMD_NOP, NULL, 0, NULL, 0), i % 500 || raw_sync(&r);
    is_u64(raw_sync(&r), 0, "the ring wraps many times");

    raw_close(&r);
    ok(raw_open(&r, path) && raw_wait_register(&r, VGPU_REG_MEM_GRANTED_MIB, 0), "a closed client's memory is returned");
    right = true;
    for (uint32_t i = 0; i < 2048; i++)
        right = right && !seen[i];
    ok(right, "and reads zero");
    munmap((void *)seen, VGPU_EXTENT);
    raw_close(&r);
}

#ifndef __SANITIZE_ADDRESS__
/* An executor runs under a seccomp filter, all its threads. */
static void test_confinement(pid_t hostd)
{
    char name[64], line[256];
    int pid = 0, filtered = 0, threads = 0;
    struct raw r;
    DIR *dir;
    FILE *f;

    raw_open(&r, path);
    snprintf(name, sizeof(name), "/proc/%d/task/%d/children", hostd, hostd);
    f = fopen(name, "r");
    ok(f && fscanf(f, "%d", &pid) == 1, "hostd has an executor");
    if (f)
        fclose(f);
    snprintf(name, sizeof(name), "/proc/%d/task", pid);
    dir = opendir(name);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char status[128];

        if (e->d_name[0] == '.')
            continue;
        threads++;
        snprintf(status, sizeof(status), "%s/%.20s/status", name, e->d_name);
        f = fopen(status, "r");
        while (f && fgets(line, sizeof(line), f))
            filtered += !strcmp(line, "Seccomp:\t2\n");
        if (f)
            fclose(f);
    }
    if (dir)
        closedir(dir);
    ok(threads > 0 && filtered == threads, "all of its %d threads run under a filter", threads);
    raw_close(&r);
}
#endif

/* One lie each; the channel dies or its context is lost, with the code that belongs to it. */
static void test_lies(void)
{
    struct lie {
        const char *name;
        uint16_t command;
        union {
            struct vgpu_cmd_mem_map map;
            struct vgpu_cmd_ungrant ungrant;
            struct vgpu_cmd_mem_discard discard;
            struct vgpu_cmd_mem_expect expect;
            struct vgpu_cmd_copy copy;
            struct vgpu_cmd_fill fill;
            struct vgpu_cmd_write_staged staged;
            struct vgpu_cmd_module_data data;
            struct vgpu_cmd_module_unload unload;
            struct vgpu_cmd_launch launch;
            struct vgpu_cmd_blas_gemm gemm;
        };
        size_t n;
        uint32_t status;
    } lies[] = {
        { "maps memory it was not granted", VGPU_CMD_MEM_MAP, .map = { VA, VGPU_MEMORY_OFFSET, VGPU_GRANULE, 0, 0 }, 0, 1 },
        { "maps another channel's ring", VGPU_CMD_MEM_MAP, .map = { VA, 0, VGPU_GRANULE, 0, 0 }, 0, 1 },
        { "maps over the scratch region", VGPU_CMD_MEM_MAP, .map = { VGPU_SCRATCH_BASE, VGPU_MEMORY_OFFSET, VGPU_GRANULE, 0, 0 }, 0, 1 },
        { "maps outside the window", VGPU_CMD_MEM_MAP, .map = { 0x400000, VGPU_MEMORY_OFFSET, VGPU_GRANULE, 0, 0 }, 0, 1 },
        { "returns memory it was not granted", VGPU_CMD_UNGRANT, .ungrant = { VGPU_MEMORY_OFFSET, VGPU_EXTENT }, 0, 1 },
        { "discards another's memory", VGPU_CMD_MEM_DISCARD, .discard = { VGPU_MEMORY_OFFSET, VGPU_GRANULE }, 0, 1 },
        { "is about to write unmapped memory", VGPU_CMD_MEM_EXPECT, .expect = { VA, VGPU_GRANULE }, 0, 1 },
        { "is about to write outside the window", VGPU_CMD_MEM_EXPECT, .expect = { 0x1000, VGPU_GRANULE }, 0, 1 },
        { "is about to write more than there is", VGPU_CMD_MEM_EXPECT, .expect = { VA, UINT64_MAX }, 0, 1 },
        { "copies from unmapped memory", VGPU_CMD_COPY, .copy = { 0, VA, VA + 4096, 64, 1, 1, 0, 0, 0, 0 }, 0, 700 },
        { "copies from outside the window", VGPU_CMD_COPY, .copy = { 0, VA, 0x1000, 64, 1, 1, 0, 0, 0, 0 }, 0, 700 },
        { "copies with sizes that overflow", VGPU_CMD_COPY, .copy = { 0, VA, VA, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, 1, 1, 1 }, 0, 700 },
        { "fills outside the window", VGPU_CMD_FILL, .fill = { 0, VGPU_WINDOW_END - 4, 0, 64, 1, 0, 4 }, 0, 700 },
        { "fills with elements of 3 bytes", VGPU_CMD_FILL, .fill = { 0, VA, 0, 64, 1, 0, 3 }, 0, 1 },
        { "stages from outside the staging area", VGPU_CMD_WRITE_STAGED, .staged = { 0, VA, VGPU_STAGING_SIZE - 8, 64 }, 0, 1 },
        { "sends a module of 2^60 bytes", VGPU_CMD_MODULE_DATA, .data = { 9, UINT64_C(1) << 60, 0, 0, 64 }, 0, 1 },
        { "sends a module out of order", VGPU_CMD_MODULE_DATA, .data = { 9, 4096, 64, 0, 64 }, 0, 1 },
        { "unloads what is not loaded", VGPU_CMD_MODULE_UNLOAD, .unload = { 9 }, 0, 400 },
        { "launches what it never got", VGPU_CMD_LAUNCH, .launch = { .function = 9, .grid = { 1, 1, 1 }, .block = { 1, 1, 1 } }, 0, 400 },
        { "multiplies unmapped matrices", VGPU_CMD_BLAS_GEMM,
          .gemm = { .a = VA, .b = VA, .c = VA, .m = 4, .n = 4, .k = 4, .batch = 1, .lda = 4, .ldb = 4, .ldc = 4 }, 0, 700 },
        { "multiplies types that do not exist", VGPU_CMD_BLAS_GEMM,
          .gemm = { .m = 4, .n = 4, .k = 4, .batch = 1, .lda = 4, .ldb = 4, .ldc = 4, .type_a = 77 }, 0, 801 },
    };

    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        static const struct { uint16_t command; size_t n; } sizes[] = {
            { VGPU_CMD_MEM_MAP, sizeof(struct vgpu_cmd_mem_map) }, { VGPU_CMD_UNGRANT, sizeof(struct vgpu_cmd_ungrant) },
            { VGPU_CMD_MEM_DISCARD, sizeof(struct vgpu_cmd_mem_discard) }, { VGPU_CMD_MEM_EXPECT, sizeof(struct vgpu_cmd_mem_expect) }, { VGPU_CMD_COPY, sizeof(struct vgpu_cmd_copy) },
            { VGPU_CMD_FILL, sizeof(struct vgpu_cmd_fill) }, { VGPU_CMD_WRITE_STAGED, sizeof(struct vgpu_cmd_write_staged) },
            { VGPU_CMD_MODULE_DATA, sizeof(struct vgpu_cmd_module_data) }, { VGPU_CMD_MODULE_UNLOAD, sizeof(struct vgpu_cmd_module_unload) },
            { VGPU_CMD_LAUNCH, sizeof(struct vgpu_cmd_launch) }, { VGPU_CMD_BLAS_GEMM, sizeof(struct vgpu_cmd_blas_gemm) },
        };
        struct raw r;
        size_t n = 0;

        for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++)
            if (sizes[s].command == lies[i].command)
                n = sizes[s].n;
        if (!raw_open(&r, path)) {
            ok(0, "a channel for a client that %s", lies[i].name);
            continue;
        }
        raw_send(&r, lies[i].command, &lies[i].map, n, NULL, 0);
        is_u64(raw_sync(&r), lies[i].status, "a client that %s: later calls fail with %u", lies[i].name, lies[i].status);
        is_u64(r.control->status, lies[i].status, "  its context is lost with that");
        ok(r.control->message[0], "  and a message says why: %.100s", r.control->message);
        raw_close(&r);
    }
}

/* Matrices of a product, one of them between two elements. */
static void test_misaligned(void)
{
    static const char *const names[] = { "none", "A", "B", "C" };

    for (unsigned which = 0; which < 4; which++) {
        struct vgpu_cmd_blas_gemm gemm = { .a = VA + (which == 1), .b = VA + 4096 + (which == 2), .c = VA + 8192 + (which == 3),
                                           .m = 4, .n = 4, .k = 4, .batch = 1, .lda = 4, .ldb = 4, .ldc = 4,
                                           .type_a = 2, .type_b = 2, .type_c = 2 }; /* CUDA_R_16F */
        struct vgpu_reply_grant extent;
        struct raw r;

        if (!raw_open(&r, path) || !map_memory(&r, &extent)) {
            ok(0, "a client with matrices");
            continue;
        }
        raw_send(&r, VGPU_CMD_BLAS_GEMM, &gemm, sizeof(gemm), NULL, 0);
        is_u64(raw_sync(&r), which ? 716 : 0, "a product of halves, %s misaligned", names[which]);
        raw_close(&r);
    }
}

/* Heaps and modules are placed in memory that is the guest's, or nowhere. */
static void test_placing(void)
{
    static const struct {
        const char *name;
        uint64_t va, size;
        uint32_t status;
    } heaps[] = {
        { "unmapped", VA + VGPU_EXTENT, 16 * VGPU_MIB, 1 },          { "half mapped", VA + VGPU_EXTENT - 8 * VGPU_MIB, 16 * VGPU_MIB, 1 },
        { "no power of two", VA, 12 * VGPU_MIB, 1 },                 { "too small", VA, VGPU_MIB, 1 },
        { "too large", VA, UINT64_C(1) << 60, 1 },                   { "misaligned", VA + 8, 16 * VGPU_MIB, 1 },
        { "outside the window", 0x1000, 16 * VGPU_MIB, 1 },          { "among the images", VGPU_IMAGE_BASE, 16 * VGPU_MIB, 1 },
        { "the guest's", VA, 16 * VGPU_MIB, 0 },
    };
    static const struct {
        const char *name;
        struct vgpu_cmd_module_place place;
        uint32_t status;
    } modules[] = {
        { "that is not loaded", { 7, VA }, 400 },    { "at unmapped memory", { 1, VA + VGPU_EXTENT }, 1 },
        { "outside the window", { 1, 0x1000 }, 1 },  { "among the images", { 1, VGPU_IMAGE_BASE + 4096 }, 1 },
        { "misaligned", { 1, VA + 2 }, 1 },          { "in the guest's memory", { 1, VA }, 0 },
    };
    struct vgpu_cmd_stack_size stack = { .bytes = UINT32_MAX };
    struct vgpu_reply_grant extent;
    struct raw r;

    for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
        if (!raw_open(&r, path) || !map_memory(&r, &extent) || !load_kernel(&r, kernel, sizeof(kernel))) {
            ok(0, "a client with a module");
            continue;
        }
        raw_send(&r, VGPU_CMD_MODULE_PLACE, &modules[i].place, sizeof(modules[i].place), NULL, 0);
        is_u64(raw_sync(&r), modules[i].status, "a module placed %s", modules[i].name);
        if (i + 1 < sizeof(modules) / sizeof(*modules))
            raw_close(&r);
    }
    for (size_t i = 0; i < sizeof(heaps) / sizeof(*heaps); i++) {
        struct vgpu_cmd_heap_place heap = { heaps[i].va, heaps[i].size };

        is_u64(raw_call(&r, VGPU_CMD_HEAP_PLACE, &heap, sizeof(heap), NULL, 0, NULL, 0), heaps[i].status, "a heap that is %s", heaps[i].name);
    }
    is_u64(raw_call(&r, VGPU_CMD_STACK_SIZE, &stack, sizeof(stack), NULL, 0, NULL, 0), 1, "a stack of 4 GiB");
    is_u64(raw_sync(&r), 0, "and the client goes on");
    raw_close(&r);
}

/* Broken rings: the channel is given up. */
static void test_broken_rings(void)
{
    static const struct {
        const char *name;
        struct vgpu_ring_cmd c;
        size_t n;
    } broken[] = {
        { "an unaligned head", { VGPU_CMD_NOP, 0, 16, 1 }, 13 },
        { "a head beyond the ring", { VGPU_CMD_NOP, 0, 16, 1 }, VGPU_RING_SIZE + 8 },
        { "a size below the header's", { VGPU_CMD_NOP, 0, 8, 1 }, 16 },
        { "a size beyond what was published", { VGPU_CMD_NOP, 0, 64, 1 }, 16 },
        { "a size near 2^32", { VGPU_CMD_NOP, 0, 0xfffffff9, 1 }, 16 },
        { "a repeated sequence number", { VGPU_CMD_NOP, 0, 16, 0 }, 16 },
        { "a jump in the sequence", { VGPU_CMD_NOP, 0, 16, 2 }, 16 },
        { "flags that do not exist", { VGPU_CMD_NOP, 1, 16, 1 }, 16 },
        { "a command too short for its fields", { VGPU_CMD_MEM_MAP, 0, 24, 1 }, 24 },
        { "a command with a tail it cannot have", { VGPU_CMD_NOP, 0, 24, 1 }, 24 },
    };
    static uint8_t bytes[VGPU_RING_SIZE + 8];

    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        struct raw r;

        if (!raw_open(&r, path)) {
            ok(0, "a channel for %s", broken[i].name);
            continue;
        }
        memset(bytes, 0, sizeof(bytes));
        memcpy(bytes, &broken[i].c, sizeof(broken[i].c));
        raw_publish(&r, bytes, broken[i].n);
        ok(raw_wait_register(&r, VGPU_REG_CHANNEL_STATE + 4 * r.channel, VGPU_CHANNEL_DEAD), "%s: the channel is given up", broken[i].name);
        raw_close(&r);
    }

    /* A command that this host does not know is refused singly: the context is lost, the channel lives. */
    struct raw r;
    raw_open(&r, path);
    raw_send(&r, 0x7fff, NULL, 0, NULL, 0);
    is_u64(raw_sync(&r), 801, "an unknown command is not supported");
    raw_close(&r);
}

static void test_random_rings(void)
{
    static uint64_t bytes[512];
    uint64_t seed = 0x9e3779b97f4a7c15;
    int served = 0;

    for (int round = 0; round < 60; round++) {
        struct vgpu_ring_cmd c = { 0 };
        struct raw r;

        if (!raw_open(&r, path))
            break;
        served++;
        for (size_t i = 0; i < 512; i++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            bytes[i] = round & 1 ? seed : seed & 0x0000001f000000ff;
        }
        c.command = (uint16_t)(1 + seed % 0x55);
        c.size = (uint32_t)(16 + (seed >> 20) % 512);
        c.seq = 1;
        memcpy(bytes, &c, sizeof(c));
        raw_publish(&r, bytes, (c.size + 7) & ~7u);
        raw_wait(&r, 1);
        raw_close(&r);
    }
    is_u64(served, 60, "60 clients with random commands were each given a channel");
}

static void test_random_messages(void)
{
    uint64_t seed = 88172645463325252u;
    struct raw r;

    for (int round = 0; round < 200; round++) {
        unsigned char junk[256];
        int fd = raw_connect(path);
        size_t n = (size_t)(seed % sizeof(junk));
        struct vgpu_msg m = { .magic = VGPU_MSG_MAGIC };

        for (size_t i = 0; i < sizeof(junk); i++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            junk[i] = (unsigned char)seed;
        }
        if (round & 1) { /* plausible: the right magic, some type */
            m.type = (uint16_t)(round % 80);
            m.payload = (uint16_t)(n > sizeof(m) ? n - sizeof(m) : 0);
            memcpy(junk, &m, sizeof(m));
        }
        if (send(fd, junk, n, MSG_NOSIGNAL) < 0)
            n = 0;
        close(fd);
    }
    ok(raw_open(&r, path), "after 200 connections with random messages a client is served");
    raw_close(&r);
}

static void test_deaths(const char *hostd)
{
    struct vgpu_cmd_launch launch = { .function = 2, .grid = { 1, 1, 1 }, .block = { 32, 1, 1 }, .cluster = { 1, 1, 1 } };
    struct vgpu_reply_function_get f;
    struct vgpu_reply_grant extent;
    char other[128];
    struct raw r, s;
    pid_t second;

    raw_open(&r, path);
    load_kernel(&r, kernel, sizeof(kernel));
    is_u64(get_function(&r, "forever", 2, &f), 0, "an endless kernel");
    map_memory(&r, &extent);
    raw_send(&r, VGPU_CMD_LAUNCH, &launch, sizeof(launch), NULL, 0);
    usleep(100000);
    raw_close(&r);
    ok(raw_open(&s, path) && raw_wait_register(&s, VGPU_REG_MEM_GRANTED_MIB, 0), "ends with its client, and its memory is returned");
    raw_close(&s);

    snprintf(other, sizeof(other), "%s.2", path);
    second = raw_start_hostd(hostd, other, NULL);
    ok(raw_open(&r, other), "a second hostd serves beside the first");
    kill(second, SIGKILL);
    waitpid(second, NULL, 0);
    raw_send(&r, VGPU_CMD_NOP, NULL, 0, NULL, 0);
    ok(recv(r.socket, other, 1, 0) == 0, "a killed hostd's client sees the end of its socket");
    ok(raw_open(&s, path), "the first hostd goes on");
    raw_close(&s);
    raw_close(&r);
}

static void test_quota(const char *hostd)
{
    static const char *const extra[] = { "--memory", "1024", "--quota", "192", NULL };
    struct vgpu_cmd_grant grant = { .size = 128 * VGPU_MIB };
    struct vgpu_reply_grant extent;
    char other[128];
    struct raw r, s;
    pid_t pid;

    snprintf(other, sizeof(other), "%s.3", path);
    pid = raw_start_hostd(hostd, other, extra);
    raw_open(&r, other);
    raw_open(&s, other);
    is_u64(raw_call(&r, VGPU_CMD_GRANT, &grant, sizeof(grant), NULL, 0, &extent, sizeof(extent)), 0, "128 MiB of a quota of 192");
    is_u64(raw_call(&s, VGPU_CMD_GRANT, &grant, sizeof(grant), NULL, 0, &extent, sizeof(extent)), 2, "another 128 are out of memory");
    is_u64(raw_sync(&s), 0, "which does not lose the context");
    raw_close(&r);
    ok(raw_wait_register(&s, VGPU_REG_MEM_GRANTED_MIB, 0), "the first client's end frees its 128");
    is_u64(raw_call(&s, VGPU_CMD_GRANT, &grant, sizeof(grant), NULL, 0, &extent, sizeof(extent)), 0, "then the second gets them");
    raw_close(&s);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
    pid_t hostd;

    if (argc < 2)
        return 2;
    hostd = raw_begin(argv[1], path);
    test_honest_client();
#ifndef __SANITIZE_ADDRESS__
    test_confinement(hostd);
#endif
    test_lies();
    test_misaligned();
    test_placing();
    test_broken_rings();
    test_random_rings();
    test_random_messages();
    test_deaths(argv[1]);
    test_quota(argv[1]);
    ok(raw_end(hostd, path), "hostd ends when asked, and removes its socket");
    return tap_done();
}
