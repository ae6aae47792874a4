/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that a client or its kernels are about to fill becomes large pages, where the host has them, and keeps what is in it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw_client.h"
#include "tap.h"

#define VA (VGPU_HEAP_BASE + 16 * VGPU_MIB)
#define SIZE (8 * VGPU_MIB)

static char path[108];

/* At a whole granule. */
static uint8_t *map_file(int fd, uint64_t offset)
{
    char *room = mmap(NULL, SIZE + VGPU_GRANULE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (room == MAP_FAILED)
        return NULL;
    room += -(uintptr_t)room % VGPU_GRANULE;
    room = mmap(room, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)offset);
    return room == MAP_FAILED ? NULL : (uint8_t *)room;
}

/* KiB of shared memory that this process sees as large pages. */
static unsigned long large(void)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    unsigned long sum = 0, n;
    char line[512];

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "ShmemPmdMapped: %lu", &n) == 1)
            sum += n;
    if (f)
        fclose(f);
    return sum;
}

/* What device memory is made of, without the device. */
static bool host_has_large_pages(void)
{
    int fd = memfd_create("large-pages", 0);
    uint8_t *p = fd >= 0 && !ftruncate(fd, SIZE) ? map_file(fd, 0) : NULL;
    bool has;

    if (!p)
        return false;
    for (uint64_t at = 0; at < SIZE; at += VGPU_GRANULE) {
        *(volatile uint8_t *)(p + at) = 1;
        if (madvise(p + at, VGPU_GRANULE, 25 /* MADV_COLLAPSE */))
            break;
    }
    madvise(p, SIZE, MADV_DONTNEED);
    for (uint64_t at = 0; at < SIZE; at += VGPU_GRANULE)
        (void)*(volatile uint8_t *)(p + at);
    has = large() * 1024 == SIZE;
    munmap(p, SIZE);
    close(fd);
    return has;
}

/* A client with an extent at VA, and the first SIZE bytes of that as this process sees them; NULL when there is none. */
static uint8_t *open_memory(struct raw *r, struct vgpu_cmd_mem_map *map)
{
    struct vgpu_cmd_grant grant = { .size = VGPU_EXTENT };
    struct vgpu_reply_grant extent = { 0 };

    if (!raw_open(r, path) || raw_call(r, VGPU_CMD_GRANT, &grant, sizeof(grant), NULL, 0, &extent, sizeof(extent)))
        return NULL;
    *map = (struct vgpu_cmd_mem_map){ .va = VA, .size = VGPU_EXTENT, .offset = extent.offset };
    raw_send(r, VGPU_CMD_MEM_MAP, map, sizeof(*map), NULL, 0);
    return raw_sync(r) ? NULL : map_file(r->bar2_fd, extent.offset);
}

static void is_large(bool has, unsigned granules, const char *which)
{
    if (has)
        is_u64(large() / 1024 * VGPU_MIB, granules * VGPU_GRANULE, "in large pages: %s", which);
    else
        skip(1, "this host makes no large pages of shared memory");
}

/* Some bytes are there already. Of the last granule too little is to be written to be worth it. */
static void test_expect(bool has)
{
    struct vgpu_cmd_mem_expect expect = { VA + VGPU_GRANULE / 2, SIZE - VGPU_GRANULE / 2 - VGPU_GRANULE + 4096 };
    struct vgpu_cmd_fill fill = { .dst = VA, .count = VGPU_GRANULE / 4, .height = 1, .value = 0x01020304, .width = 4 };
    struct vgpu_cmd_mem_map map;
    struct raw r;
    uint8_t *p = open_memory(&r, &map);
    bool right = true;

    if (!ok(p, "a client with memory, which it sees, too"))
        return;
    for (uint32_t at = 0; at < SIZE; at += 70000)
        p[at] = (uint8_t)(at % 251);
    raw_send(&r, VGPU_CMD_MEM_EXPECT, &expect, sizeof(expect), NULL, 0);
    is_u64(raw_sync(&r), 0, "it is about to write most of 6 MiB");
    for (uint32_t at = 0; at < SIZE; at++)
        right = right && p[at] == (at % 70000 ? 0 : (uint8_t)(at % 251));
    ok(right, "what was there is there still");
    is_large(has, 3, "all but the granule of which it only writes a page");
    raw_send(&r, VGPU_CMD_FILL, &fill, sizeof(fill), NULL, 0);
    is_u64(raw_sync(&r), 0, "a granule is filled");
    right = true;
    for (uint32_t at = 0; at < VGPU_GRANULE; at++)
        right = right && p[at] == 4 - at % 4;
    ok(right, "and seen so");
    munmap(p, SIZE);
    raw_close(&r);
}

/* Every thread stores its number, 16 bytes from the next one's. */
static const char kernel[] =
    ".version 8.0\n.target sm_50\n.address_size 64\n"
    ".visible .entry number(.param .u32 small, .param .u64 out, .param .u64 unused)\n{\n"
    ".reg .u64 %p; .reg .u32 %i, %n, %t;\n"
    "ld.param.u64 %p, [out]; mov.u32 %i, %ctaid.x; mov.u32 %n, %ntid.x; mov.u32 %t, %tid.x;\n"
    "mad.lo.u32 %i, %i, %n, %t; mad.wide.u32 %p, %i, 16, %p; st.global.u32 [%p], %i; ret;\n}\n";

struct params {
    uint32_t small, pad;
    uint64_t out, unused;
};

static uint32_t launch(struct raw *r, uint32_t threads, uint64_t out, uint64_t unused)
{
    struct vgpu_cmd_launch launch = { .function = 2, .grid = { threads / 256, 1, 1 }, .block = { 256, 1, 1 }, .cluster = { 1, 1, 1 } };
    struct params params = { 7, 0, out, unused };

    raw_send(r, VGPU_CMD_LAUNCH, &launch, sizeof(launch), &params, sizeof(params));
    return raw_sync(r);
}

static bool numbered(const uint8_t *p, uint32_t threads)
{
    for (uint32_t i = 0; i < threads; i++)
        for (uint32_t at = 0, word; at < 16; at += 4) {
            memcpy(&word, p + (uint64_t)i * 16 + at, 4);
            if (word != (at ? 0 : i))
                return false;
        }
    return true;
}

static void test_launch(bool has)
{
    struct vgpu_cmd_module_data data = { .module = 1, .total = sizeof(kernel), .size = sizeof(kernel) };
    struct vgpu_cmd_module_load load = { .module = 1, .cc = 90 };
    struct vgpu_cmd_function_get get = { .module = 1, .function = 2 };
    enum { THREADS = 2 * VGPU_GRANULE / 16 };
    struct vgpu_cmd_mem_map map;
    struct raw r;
    uint8_t *p = open_memory(&r, &map);

    if (!ok(p, "a client with memory and a kernel"))
        return;
    memcpy(r.base + VGPU_STAGING_OFFSET, kernel, sizeof(kernel));
    raw_send(&r, VGPU_CMD_MODULE_DATA, &data, sizeof(data), NULL, 0);
    is_u64(raw_call(&r, VGPU_CMD_MODULE_LOAD, &load, sizeof(load), NULL, 0, NULL, 0), 0, "which is loaded");
    raw_send(&r, VGPU_CMD_FUNCTION_GET, &get, sizeof(get), "number", 6);
    is_u64(launch(&r, THREADS, VA, 0), 0, "the kernel fills two granules");
    ok(numbered(p, THREADS), "with its numbers");
    is_large(has, 2, "these");
    is_u64(launch(&r, 256, VA + 2 * VGPU_GRANULE, 0), 0, "few threads");
    ok(numbered(p + 2 * VGPU_GRANULE, 256), "write their numbers");
    is_large(has, 2, "not what so few threads write to");

    is_u64(launch(&r, THREADS, VA, VA + VGPU_EXTENT - VGPU_GRANULE), 0, "an address that most threads cannot use");
    is_u64(launch(&r, THREADS, VA, VA + 4 * VGPU_EXTENT), 0, "one that nobody can");
    is_u64(launch(&r, THREADS, VA, VGPU_SCRATCH_BASE - 1), 0, "and the heap's last");
    ok(numbered(p, THREADS), "are not looked at");

    munmap(p, SIZE);
    raw_send(&r, VGPU_CMD_MEM_UNMAP, &(struct vgpu_cmd_mem_unmap){ VA, VGPU_EXTENT }, sizeof(struct vgpu_cmd_mem_unmap), NULL, 0);
    raw_send(&r, VGPU_CMD_MEM_DISCARD, &(struct vgpu_cmd_mem_discard){ map.offset, VGPU_EXTENT }, sizeof(struct vgpu_cmd_mem_discard),
             NULL, 0);
    raw_send(&r, VGPU_CMD_MEM_MAP, &map, sizeof(map), NULL, 0);
    is_u64(launch(&r, THREADS, VA, 0), 0, "the same in memory given back and taken again");
    p = map_file(r.bar2_fd, map.offset);
    ok(p && numbered(p, THREADS), "has its numbers");
    is_large(has, 2, "it, too");
    munmap(p, SIZE);
    raw_close(&r);
}

int main(int argc, char **argv)
{
    pid_t hostd;
    bool has;

    if (argc < 2)
        return 2;
    hostd = raw_begin(argv[1], path);
    has = host_has_large_pages();
    test_expect(has);
    test_launch(has);
    ok(raw_end(hostd, path), "hostd ends when asked, and removes its socket");
    return tap_done();
}
