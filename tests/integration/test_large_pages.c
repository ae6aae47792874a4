/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that a client is about to fill becomes large pages, where the host has them, and keeps what is in it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Some bytes are there already. Of the last granule too little is to be written to be worth it. */
static void test_expect(bool has)
{
    struct vgpu_cmd_grant grant = { .size = VGPU_EXTENT };
    struct vgpu_reply_grant extent = { 0 };
    struct vgpu_cmd_mem_map map = { .va = VA, .size = VGPU_EXTENT };
    struct vgpu_cmd_mem_expect expect = { VA + VGPU_GRANULE / 2, SIZE - VGPU_GRANULE / 2 - VGPU_GRANULE + 4096 };
    struct vgpu_cmd_fill fill = { .dst = VA, .count = VGPU_GRANULE / 4, .height = 1, .value = 0x01020304, .width = 4 };
    bool right = true;
    uint8_t *p;
    struct raw r;

    if (!ok(raw_open(&r, path) && raw_wait(&r, raw_send(&r, VGPU_CMD_GRANT, &grant, sizeof(grant), NULL, 0)) &&
            !raw_reply(&r, &extent, sizeof(extent)), "a client with memory"))
        return;
    map.offset = extent.offset;
    raw_send(&r, VGPU_CMD_MEM_MAP, &map, sizeof(map), NULL, 0);
    p = map_file(r.bar2_fd, extent.offset);
    if (!ok(raw_wait(&r, raw_send(&r, VGPU_CMD_SYNC, NULL, 0, NULL, 0)) && p, "which it sees, too"))
        return;
    for (uint32_t at = 0; at < SIZE; at += 70000)
        p[at] = (uint8_t)(at % 251);
    raw_send(&r, VGPU_CMD_MEM_EXPECT, &expect, sizeof(expect), NULL, 0);
    ok(raw_wait(&r, raw_send(&r, VGPU_CMD_SYNC, NULL, 0, NULL, 0)) && !raw_reply(&r, NULL, 0), "it is about to write most of 6 MiB");
    for (uint32_t at = 0; at < SIZE; at++)
        right = right && p[at] == (at % 70000 ? 0 : (uint8_t)(at % 251));
    ok(right, "what was there is there still");
    if (has)
        is_u64(large() * 1024, SIZE - VGPU_GRANULE, "all but the granule of which it only writes a page is in large pages");
    else
        skip(1, "this host makes no large pages of shared memory");
    raw_send(&r, VGPU_CMD_FILL, &fill, sizeof(fill), NULL, 0);
    ok(raw_wait(&r, raw_send(&r, VGPU_CMD_SYNC, NULL, 0, NULL, 0)) && !raw_reply(&r, NULL, 0), "a granule is filled");
    right = true;
    for (uint32_t at = 0; at < VGPU_GRANULE; at++)
        right = right && p[at] == 4 - at % 4;
    ok(right, "and seen so");
    munmap(p, SIZE);
    raw_close(&r);
}

int main(int argc, char **argv)
{
    pid_t hostd;

    if (argc < 2)
        return 2;
    hostd = raw_begin(argv[1], path);
    test_expect(host_has_large_pages());
    ok(raw_end(hostd, path), "hostd ends when asked, and removes its socket");
    return tap_done();
}
