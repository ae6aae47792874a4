/* SPDX-License-Identifier: Apache-2.0 */
/* Where data lives: constants, variables, arguments, shared and local memory, pointers that may be any of them; copies of
 * every alignment; printf. */
#include "cuda_mini.h"

/* ---- Shapes ---- */

KERNEL coordinates(u32 *out)
{
    u32 *to = out + global_thread() * 14;
    uint3 all[4] = {threadIdx, blockIdx, blockDim, gridDim};

    for (u32 i = 0; i < 4; i++) {
        to[i * 3] = all[i].x;
        to[i * 3 + 1] = all[i].y;
        to[i * 3 + 2] = all[i].z;
    }
    to[12] = lane();
    to[13] = warp_lanes();
}

/* ---- Variables of the module ---- */

struct record {
    u8 tag;
    i16 small;
    u32 *p;
    const char *text;
    double real;
};

__constant__ u32 constants[64];
__constant__ record constant_record;
__device__ u32 variables[4] = {10, 20, 30};
__device__ u8 odd_bytes[5] = {1, 2, 3, 4, 5};
__device__ i16 negative[3] = {-1, -2, -3};
__device__ double real = 1.5;
__device__ half small_real;
__device__ record records[3] = {{1, -5, &variables[1], "one", 0.5}, {2, -6, variables + 2, "two", 1e300}, {3, 7, nullptr, nullptr, -0.0}};
__device__ const u32 *to_constant = &constants[3];

/* Each lane another constant, then all lanes the same; written by the host between launches. */
KERNEL read_constants(u32 *out)
{
    u32 i = global_thread();

    out[i] = constants[i % 64] * 3 + constants[linear_block() % 64] + *to_constant + constant_record.tag + (u32)constant_record.small;
}

KERNEL read_variables(u32 *out)
{
    u32 i = global_thread(), sum = 0;
    const record &r = records[i % 3];

    sum = r.tag * 1000 + (u32)r.small + (u32)(r.real == 0.5);
    if (r.p)
        sum += *r.p;
    for (const char *c = r.text; c && *c; c++)
        sum = sum * 31 + (u8)*c;
    out[i] = sum + odd_bytes[i % 5] + (u32)negative[i % 3] + (u32)(real * 4) + (u32)((float)small_real * 2);
}

KERNEL write_variables(u32 by)
{
    u32 i = global_thread();

    if (i < 4)
        variables[i] += by * (i + 1);
    if (i == 4)
        small_real = (half)by + (half)1.5f;
}

/* ---- Arguments ---- */

struct mixed {
    u8 a;
    u64 b;
    i16 c;
    float d;
    double e;
    u8 bytes[7];
    struct {
        u32 x : 5, y : 11, z : 16;
    } fields;
};

struct big {
    u32 words[300];
};

struct pair {
    u64 first, second;
};

static __device__ __noinline__ pair swapped(pair p) { return {p.second, p.first}; }
static __device__ __noinline__ mixed changed(mixed m, u32 by)
{
    m.a += by;
    m.b ^= by;
    m.bytes[by % 7] = (u8)by;
    m.fields.y += by;
    return m;
}
static __device__ __noinline__ u32 sum_of(big b, u32 from)
{
    u32 sum = 0;

    for (u32 i = from; i < 300; i += 7)
        sum += b.words[i];
    b.words[0] = sum;
    return b.words[0];
}

KERNEL arguments(u8 byte, mixed m, u16 word, pair p, mixed *to, pair *to_pair, u32 *to_word)
{
    u32 i = global_thread();

    to[i] = changed(m, i);
    to_pair[i] = swapped({p.first + i, p.second});
    to_word[i] = byte * 1000 + word;
}

KERNEL big_argument(big b, u32 *out)
{
    u32 i = global_thread();

    out[i] = sum_of(b, i % 300) + b.words[i % 300];
}

/* ---- Copies ---- */

KERNEL copy_bytes(u8 *to, const u8 *from, u32 n)
{
    for (u32 i = global_thread(); i < n; i += blocks() * threads())
        to[i] = from[i];
}

/* Bytes until the destination is aligned, then words put together from bytes, then the rest. */
KERNEL copy_words(u8 *to, const u8 *from, u32 n)
{
    u32 head = (u32)(-(u64)to & 3), i = global_thread(), stride = blocks() * threads();

    if (head > n)
        head = n;
    u32 words = (n - head) / 4;

    for (u32 k = i; k < head; k += stride)
        to[k] = from[k];
    for (u32 w = i; w < words; w += stride) {
        u32 word;

        __builtin_memcpy(&word, from + head + w * 4, 4);
        *(u32 *)(to + head + w * 4) = word;
    }
    for (u32 k = head + words * 4 + i; k < n; k += stride)
        to[k] = from[k];
}

struct alignas(16) vec4 {
    u32 x, y, z, w;
};

KERNEL copy_vectors(vec4 *to, const vec4 *from, u32 n)
{
    for (u32 i = global_thread(); i < n; i += blocks() * threads()) {
        vec4 v = from[i];

        to[i] = {v.w, v.z, v.y, v.x};
    }
}

struct __attribute__((packed)) packed {
    u8 a;
    u32 b;
    u64 c;
    u16 d;
};

KERNEL copy_packed(packed *to, const packed *from)
{
    u32 i = global_thread();

    to[i].a = from[i].a + 1;
    to[i].b = from[i].b + 2;
    to[i].c = from[i].c + 3;
    to[i].d = from[i].d + 4;
}

/* ---- Shared and local memory, and pointers to anything ---- */

extern __shared__ u8 dynamic[];

/* All of the dynamic shared memory, in pieces of several types. */
KERNEL carve_shared(u32 *out, u32 bytes)
{
    __shared__ u32 fixed[16];
    u32 t = linear_thread(), size;
    u64 *longs = (u64 *)dynamic;

    asm("mov.u32 %0, %%dynamic_smem_size;" : "=r"(size));
    for (u32 i = t; i < 16; i += threads())
        fixed[i] = i;
    for (u32 i = t; i < bytes / 8; i += threads())
        longs[i] = i * 0x100000001ull;
    __syncthreads();
    u32 sum = size;

    for (u32 i = t; i < bytes; i += threads() * 5)
        sum = sum * 3 + dynamic[bytes - 1 - i] + fixed[i % 16];
    out[global_thread()] = sum;
}

static __device__ __noinline__ u32 sum_through(const u32 *p, u32 n)
{
    u32 sum = 0;

    for (u32 i = 0; i < n; i++)
        sum = sum * 5 + p[i];
    return sum;
}

/* A generic pointer that is of another space in each lane. */
KERNEL any_space(const u32 *global, u32 *out)
{
    __shared__ u32 shared[8];
    u32 local[8], i = global_thread();

    for (u32 k = linear_thread(); k < 8; k += threads())
        shared[k] = k * 100;
    for (u32 k = 0; k < 8; k++)
        local[(k + i) % 8] = k * i;
    __syncthreads();
    const u32 *p = i % 4 == 0 ? global : i % 4 == 1 ? shared : i % 4 == 2 ? local : constants;

    out[i] = sum_through(p, 8) + (u32)(__nvvm_isspacep_shared(p) * 1 + __nvvm_isspacep_local(p) * 2 + __nvvm_isspacep_global(p) * 4);
}

KERNEL local_arrays(u32 *out, u32 seed)
{
    u32 i = global_thread(), heap[256], n = 0;
    u8 bytes[64];
    u64 wide[16];

    for (u32 k = 0; k < 256; k++)
        heap[k] = 0;
    /* A heap: every index depends on data. */
    for (u32 k = 0; k < 40; k++) {
        u32 at = n++;

        heap[at] = (seed + i) * 2654435761u >> (k % 13) ^ k * 40503;
        while (at && heap[(at - 1) / 2] < heap[at]) {
            u32 parent = (at - 1) / 2, v = heap[at];

            heap[at] = heap[parent];
            heap[parent] = v;
            at = parent;
        }
    }
    for (u32 k = 0; k < 64; k++)
        bytes[k] = (u8)(heap[k % 40] >> (k % 24));
    for (u32 k = 0; k < 16; k++)
        wide[k] = heap[bytes[k] % 40] * (u64)bytes[63 - k];
    u64 sum = 0;

    for (u32 k = 0; k < 16; k++)
        sum = sum * 7 + wide[bytes[k] % 16];
    out[i] = (u32)(sum ^ sum >> 32);
}

/* Memory from the device's heap: a list a thread. */
struct node {
    node *next;
    u32 value;
};

KERNEL lists(u32 *out)
{
    u32 i = global_thread(), sum = 0;
    node *head = nullptr;

    for (u32 k = 0; k <= i % 5; k++) {
        node *n = (node *)malloc(sizeof *n);

        if (!n)
            return;
        *n = {head, i * 10 + k};
        head = n;
    }
    while (head) {
        node *next = head->next;

        sum = sum * 3 + head->value;
        free(head);
        head = next;
    }
    out[i] = sum;
}

#if __CUDA_ARCH__ >= 800
KERNEL copy_async(u32 *out, const u32 *from)
{
    alignas(16) __shared__ u32 tile[256 * 4];
    u32 t = linear_thread();

    __nvvm_cp_async_ca_shared_global_16((__attribute__((address_space(3))) void *)&tile[t * 4],
        (const __attribute__((address_space(1))) void *)(from + global_thread() * 4));
    __nvvm_cp_async_commit_group();
    __nvvm_cp_async_wait_all();
    __syncthreads();
    for (u32 k = 0; k < 4; k++)
        out[global_thread() * 4 + k] = tile[(threads() - 1 - t) * 4 + k];
}

/* A stack array whose size only the kernel knows. */
KERNEL stack_sized(u32 *out)
{
    u32 i = global_thread(), n = i % 17 + 1, sum = 0, *p;
    u64 bytes = n * 4;

    /* __builtin_alloca's alignment of 0 is no PTX. */
    asm volatile("{ .reg .b64 at; alloca.u64 at, %1, 16; cvta.local.u64 %0, at; }" : "=l"(p) : "l"(bytes));
    for (u32 k = 0; k < n; k++)
        p[k] = k * i;
    for (u32 k = n; k-- > 0;)
        sum = sum * 3 + p[k];
    out[i] = sum;
}
#endif

/* ---- printf ---- */

KERNEL say(int number)
{
    printf("plain\n");
    printf("%d %i %u %x %X %o %c|%5d|%-5d|%05d|%+d\n", -number, number, 3000000000u, 0xbeef, 0xbeef, 8, 'z', 42, 42, 42, 42);
    printf("%lld %llu %llx %ld\n", -1234567890123ll, 18446744073709551615ull, 0x123456789abcdefull, -5l);
    printf("%f %.2f %e %g %10.3f|%-10.1f|\n", 1.5, 3.14159, 12345.678, 0.0001, 2.71828, 9.99);
    printf("%s and %s, 100%%, %10s|%-10s|%.3s\n", "strings", "", "right", "left", "truncated");
    printf("%f as float, %hd short, %hhd byte\n", (double)0.25f, (i16)-7, (i8)-9);
}

KERNEL say_threads() { printf("block %u thread %u,%u,%u\n", linear_block(), threadIdx.x, threadIdx.y, threadIdx.z); }
