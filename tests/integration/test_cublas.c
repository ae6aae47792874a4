/* SPDX-License-Identifier: Apache-2.0 */
/* cuBLAS against loops in C. Elements are small integers, so that every product is exact in each type. */
#include "cudart_program.h"

#include "cublas_api.h"

static void *blas_library;
#define BLAS(name) ((__typeof__(&name))blas_need(#name))

static void *blas_need(const char *name)
{
    void *symbol = dlsym(blas_library, name);

    if (!symbol) {
        printf("Bail out! %s is not exported\n", name);
        exit(1);
    }
    return symbol;
}

enum { R_32F = 0, R_64F = 1, R_16F = 2, R_8I = 3, R_32I = 10, R_16BF = 14 };
enum { AS_16F = 64, AS_32F = 68, AS_64F = 70, AS_32I = 72 };
enum { ROOM = 4096 };

/* ---- numbers of CUDA's types ---- */

static size_t size_of(int type)
{
    return type == R_64F ? 8 : type == R_16F || type == R_16BF ? 2 : type == R_8I ? 1 : 4;
}

static void put(void *at, int type, double value)
{
    union {
        float f;
        uint32_t u;
    } bits = {(float)value};
    _Float16 half = (_Float16)value;
    uint16_t bf16 = (uint16_t)(bits.u >> 16);

    switch (type) {
    case R_32F: memcpy(at, &bits.f, 4); break;
    case R_64F: memcpy(at, &value, 8); break;
    case R_16F: memcpy(at, &half, 2); break;
    case R_16BF: memcpy(at, &bf16, 2); break;
    case R_8I: *(int8_t *)at = (int8_t)value; break;
    case R_32I: *(int32_t *)at = (int32_t)value; break;
    }
}

/* bf16 keeps 8 bits: larger sums are rounded to even. */
static double as_bf16(double value)
{
    union {
        float f;
        uint32_t u;
    } bits = {(float)value};

    bits.u = (bits.u + 0x7fff + (bits.u >> 16 & 1)) & 0xffff0000;
    return (double)bits.f;
}

static double get(const void *at, int type)
{
    union {
        float f;
        uint32_t u;
    } bits;
    _Float16 half;
    double d;
    uint16_t bf16;

    switch (type) {
    case R_32F: memcpy(&bits.f, at, 4); return (double)bits.f;
    case R_64F: memcpy(&d, at, 8); return d;
    case R_16F: memcpy(&half, at, 2); return (double)half;
    case R_16BF:
        memcpy(&bf16, at, 2);
        bits.u = (uint32_t)bf16 << 16;
        return (double)bits.f;
    case R_8I: return *(const int8_t *)at;
    default: return *(const int32_t *)at;
    }
}

/* ---- matrices: a copy as doubles, and one on the device in its type ---- */

struct matrix {
    int type;
    double host[ROOM];
    void *device;
};

static unsigned seed = 1;
static int small(void)
{
    seed = seed * 1103515245 + 12345;
    return (int)(seed >> 16) % 7 - 3;
}

static void upload(struct matrix *m)
{
    char packed[ROOM * 8];

    for (int i = 0; i < ROOM; i++)
        put(packed + (size_t)i * size_of(m->type), m->type, m->host[i]);
    RT(cudaMemcpy)(m->device, packed, ROOM * size_of(m->type), COPY_HOST_TO_DEVICE);
}

static void make(struct matrix *m, int type)
{
    m->type = type;
    if (!m->device)
        RT(cudaMalloc)(&m->device, ROOM * 8);
    for (int i = 0; i < ROOM; i++)
        m->host[i] = small();
    upload(m);
}

/* Elements that differ from what the device has, also between and behind the matrix's columns. */
static int differs(const struct matrix *m)
{
    char packed[ROOM * 8];
    int wrong = 0;

    if (RT(cudaMemcpy)(packed, m->device, ROOM * size_of(m->type), COPY_DEVICE_TO_HOST))
        return ROOM;
    for (int i = 0; i < ROOM; i++)
        wrong += get(packed + (size_t)i * size_of(m->type), m->type) != m->host[i];
    return wrong;
}

static double element(const struct matrix *m, int base, int op, int ld, int row, int column)
{
    return m->host[base + (op ? row * ld + column : column * ld + row)];
}

struct shape {
    int op_a, op_b, m, n, k, lda, ldb, ldc;
};

static void reference(const struct shape *s, double alpha, const struct matrix *a, int at_a, const struct matrix *b, int at_b,
                      double beta, struct matrix *c, int at_c)
{
    for (int j = 0; j < s->n; j++)
        for (int i = 0; i < s->m; i++) {
            double sum = 0, *to = &c->host[at_c + j * s->ldc + i];
            for (int p = 0; p < s->k; p++)
                sum += element(a, at_a, s->op_a, s->lda, i, p) * element(b, at_b, s->op_b, s->ldb, p, j);
            *to = alpha * sum + (beta != 0 ? beta * *to : 0);
        }
}

static struct matrix A, B, C;
static cublasHandle_t handle;

static const struct shape shapes[] = {
    {0, 0, 5, 7, 9, 5, 9, 5},     {1, 0, 5, 7, 9, 11, 9, 6},    {0, 1, 16, 8, 4, 16, 8, 17},
    {1, 1, 3, 2, 30, 30, 3, 3},   {2, 0, 1, 31, 8, 8, 8, 1},    {0, 0, 4, 4, 0, 4, 1, 4},
};

static void test_single(void)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct shape *s = &shapes[i];
        const float alpha = 2, beta = i % 2 ? -1 : 0;
        make(&A, R_32F);
        make(&B, R_32F);
        make(&C, R_32F);
        is_u64(BLAS(cublasSgemm_v2)(handle, s->op_a, s->op_b, s->m, s->n, s->k, &alpha, A.device, s->lda, B.device, s->ldb,
                                    &beta, C.device, s->ldc),
               0, "sgemm %d%d %dx%dx%d", s->op_a, s->op_b, s->m, s->n, s->k);
        reference(s, alpha, &A, 0, &B, 0, beta, &C, 0);
        is_u64(differs(&C), 0, "is the product, and touches nothing else");
    }
    const double two = 2, one = 1;
    make(&A, R_64F);
    make(&B, R_64F);
    make(&C, R_64F);
    is_u64(BLAS(cublasDgemm_v2)(handle, 0, 1, 9, 8, 7, &two, A.device, 9, B.device, 8, &one, C.device, 10), 0, "dgemm");
    reference(&(struct shape){0, 1, 9, 8, 7, 9, 8, 10}, 2, &A, 0, &B, 0, 1, &C, 0);
    is_u64(differs(&C), 0, "is the product");
}

/* Shapes nobody would think of. */
static void test_random(void)
{
    int wrong = 0, failed = 0;

    for (int round = 0; round < 200; round++) {
        struct shape s = {(small() + 3) % 3, (small() + 3) % 3, 0, 0, 0, 0, 0, 0};
        float alpha = (float)small(), beta = (float)small();
        s.m = 1 + (small() + 3) * 3 + (small() + 3);
        s.n = 1 + (small() + 3) * 3 + (small() + 3);
        s.k = (small() + 3) * 4;
        s.lda = (s.op_a ? s.k : s.m) + (small() + 3) + (s.k ? 0 : 1);
        s.ldb = (s.op_b ? s.n : s.k) + (small() + 3) + (s.k ? 0 : 1);
        s.ldc = s.m + (small() + 3);
        make(&A, R_32F);
        make(&B, R_32F);
        make(&C, R_32F);
        failed += BLAS(cublasSgemm_v2)(handle, s.op_a, s.op_b, s.m, s.n, s.k, &alpha, A.device, s.lda, B.device, s.ldb, &beta,
                                       C.device, s.ldc) != 0;
        reference(&s, (double)alpha, &A, 0, &B, 0, (double)beta, &C, 0);
        wrong += differs(&C) != 0;
    }
    ok(!failed && !wrong, "200 random shapes: %d failed, %d wrong", failed, wrong);
}

static void test_types(void)
{
    static const struct {
        int type_ab, type_c, compute, scale;
        const char *name;
    } types[] = {
        {R_16F, R_16F, AS_16F, R_16F, "f16"},         {R_16F, R_16F, AS_32F, R_32F, "f16 in f32"},
        {R_16F, R_32F, AS_32F, R_32F, "f16 to f32"},  {R_16BF, R_16BF, AS_32F, R_32F, "bf16"},
        {R_16BF, R_32F, AS_32F, R_32F, "bf16 to f32"}, {R_8I, R_32I, AS_32I, R_32I, "int8 to int32"},
        {R_8I, R_32F, AS_32F, R_32F, "int8 to f32"},  {R_32F, R_32F, 77, R_32F, "f32, fast TF32"},  {R_64F, R_64F, AS_64F, R_64F, "f64"},
    };
    const struct shape s = {1, 0, 12, 8, 16, 16, 16, 12};
    uint64_t alpha, beta;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        put(&alpha, types[i].scale, 2);
        put(&beta, types[i].scale, 1);
        make(&A, types[i].type_ab);
        make(&B, types[i].type_ab);
        make(&C, types[i].type_c);
        is_u64(BLAS(cublasGemmEx)(handle, 1, 0, s.m, s.n, s.k, &alpha, A.device, A.type, s.lda, B.device, B.type, s.ldb, &beta,
                                  C.device, C.type, s.ldc, types[i].compute, -1),
               0, "GemmEx of %s", types[i].name);
        reference(&s, 2, &A, 0, &B, 0, 1, &C, 0);
        for (int e = 0; e < s.ldc * s.n && C.type == R_16BF; e++)
            C.host[e] = as_bf16(C.host[e]);
        is_u64(differs(&C), 0, "is the product");
    }
    put(&alpha, R_32F, 1);
    is_u64(BLAS(cublasGemmEx)(handle, 0, 0, 4, 4, 4, &alpha, A.device, R_32F, 4, B.device, R_16F, 4, &alpha, C.device, R_32F, 4,
                              AS_32F, -1),
           15, "mixed types are not supported");
    is_u64(BLAS(cublasGemmEx)(handle, 0, 0, 4, 4, 4, &alpha, A.device, 28, 4, B.device, 28, 4, &alpha, C.device, R_32F, 4, AS_32F,
                              -1),
           15, "nor is fp8");
}

static void test_batches(void)
{
    const struct shape s = {1, 0, 6, 5, 4, 4, 4, 6};
    enum { BATCH = 9, STEP = 50 };
    const float alpha = 1, beta = 0;
    void *pointers[3][BATCH], *device = NULL;

    make(&A, R_16F);
    make(&B, R_16F);
    make(&C, R_32F);
    is_u64(BLAS(cublasGemmStridedBatchedEx)(handle, 1, 0, 6, 5, 4, &alpha, A.device, R_16F, 4, STEP, B.device, R_16F, 4, 0,
                                            &beta, C.device, R_32F, 6, STEP, BATCH, AS_32F, -1),
           0, "a batch by strides, B the same in each");
    for (int i = 0; i < BATCH; i++)
        reference(&s, 1, &A, i * STEP, &B, 0, 0, &C, i * STEP);
    is_u64(differs(&C), 0, "is all products");

    make(&C, R_32F);
    for (int i = 0; i < BATCH; i++) {
        pointers[0][i] = (char *)A.device + 2 * (BATCH - 1 - i) * STEP;
        pointers[1][i] = (char *)B.device + 2 * i * STEP;
        pointers[2][i] = (char *)C.device + 4 * i * STEP;
    }
    RT(cudaMalloc)(&device, sizeof pointers);
    RT(cudaMemcpy)(device, pointers, sizeof pointers, COPY_HOST_TO_DEVICE);
    void **on_device = device;
    is_u64(BLAS(cublasGemmBatchedEx)(handle, 1, 0, 6, 5, 4, &alpha, on_device, R_16F, 4, on_device + BATCH, R_16F, 4, &beta,
                                     on_device + 2 * BATCH, R_32F, 6, BATCH, AS_32F, -1),
           0, "a batch by pointers");
    for (int i = 0; i < BATCH; i++)
        reference(&s, 1, &A, (BATCH - 1 - i) * STEP, &B, i * STEP, 0, &C, i * STEP);
    is_u64(differs(&C), 0, "is all products");
    RT(cudaFree)(device);
}

static void test_solve(void)
{
    enum { M = 6, COLUMNS = 3, BATCH = 4, STEP = 64 };
    const float alpha = 1;
    void *pointers[2][BATCH], *device = NULL;
    struct matrix X = {0};

    /* B = A X for a unit upper triangular A, so that X comes back exactly. */
    make(&A, R_32F);
    make(&X, R_32F);
    make(&B, R_32F);
    for (int i = 0; i < BATCH; i++)
        for (int c = 0; c < COLUMNS; c++)
            for (int r = 0; r < M; r++) {
                double sum = X.host[i * STEP + c * M + r];
                for (int p = r + 1; p < M; p++)
                    sum += A.host[i * STEP + p * M + r] * X.host[i * STEP + c * M + p];
                B.host[i * STEP + c * M + r] = sum;
            }
    upload(&B);
    for (int i = 0; i < BATCH; i++) {
        pointers[0][i] = (char *)A.device + 4 * i * STEP;
        pointers[1][i] = (char *)B.device + 4 * i * STEP;
        for (int e = 0; e < M * COLUMNS; e++)
            B.host[i * STEP + e] = X.host[i * STEP + e];
    }
    RT(cudaMalloc)(&device, sizeof pointers);
    RT(cudaMemcpy)(device, pointers, sizeof pointers, COPY_HOST_TO_DEVICE);
    void **on_device = device;
    is_u64(BLAS(cublasStrsmBatched)(handle, 0, 1, 0, 1, M, COLUMNS, &alpha, on_device, M, on_device + BATCH, M, BATCH), 0,
           "a batch of triangular solves");
    is_u64(differs(&B), 0, "gives what was multiplied");
    RT(cudaFree)(device);
    RT(cudaFree)(X.device);
}

static void test_vectors(void)
{
    const float alpha = 2, beta = -1;
    float dot = 0;
    double sum = 0;

    make(&A, R_32F);
    make(&B, R_32F);
    make(&C, R_32F);
    is_u64(BLAS(cublasSgemv_v2)(handle, 0, 7, 5, &alpha, A.device, 8, B.device, 3, &beta, C.device, 2), 0, "gemv");
    for (int i = 0; i < 7; i++) {
        sum = 0;
        for (int j = 0; j < 5; j++)
            sum += A.host[j * 8 + i] * B.host[j * 3];
        C.host[2 * i] = 2 * sum - C.host[2 * i];
    }
    is_u64(differs(&C), 0, "is the product");
    is_u64(BLAS(cublasSgemv_v2)(handle, 1, 7, 5, &alpha, A.device, 8, B.device, 3, &beta, C.device, 2), 0, "gemv, transposed");
    for (int i = 0; i < 5; i++) {
        sum = 0;
        for (int j = 0; j < 7; j++)
            sum += A.host[i * 8 + j] * B.host[j * 3];
        C.host[2 * i] = 2 * sum - C.host[2 * i];
    }
    is_u64(differs(&C), 0, "is the product");
    make(&C, R_32F);
    is_u64(BLAS(cublasSaxpy_v2)(handle, 100, &alpha, B.device, 2, C.device, 3), 0, "axpy");
    for (int i = 0; i < 100; i++)
        C.host[3 * i] += 2 * B.host[2 * i];
    is_u64(differs(&C), 0, "is the sum");
    is_u64(BLAS(cublasSscal_v2)(handle, 100, &alpha, C.device, 3), 0, "scal");
    for (int i = 0; i < 100; i++)
        C.host[3 * i] *= 2;
    is_u64(differs(&C), 0, "is twice as much");
    make(&C, R_32F);
    is_u64(BLAS(cublasSger_v2)(handle, 6, 4, &alpha, A.device, 2, B.device, 3, C.device, 7), 0, "ger");
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 6; i++)
            C.host[j * 7 + i] += 2 * A.host[2 * i] * B.host[3 * j];
    is_u64(differs(&C), 0, "is the outer product");
    sum = 0;
    for (int i = 0; i < 50; i++)
        sum += A.host[i] * B.host[2 * i];
    ok(!BLAS(cublasSdot_v2)(handle, 50, A.device, 1, B.device, 2, &dot) && (double)dot == sum, "dot");
    is_u64(BLAS(cublasSdot_v2)(handle, 50, A.device, -1, B.device, 2, &dot), 15, "backwards is not supported");
}

static void test_streams(void)
{
    const struct shape s = {0, 0, 8, 8, 8, 8, 8, 8};
    cudaStream_t stream = NULL, back = NULL;
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    float alpha = 1, beta = 0, *scalars = NULL;

    make(&A, R_32F);
    make(&B, R_32F);
    make(&C, R_32F);
    RT(cudaStreamCreateWithFlags)(&stream, 1);
    ok(!BLAS(cublasSetStream_v2)(handle, stream) && !BLAS(cublasGetStream_v2)(handle, &back) && back == stream, "a stream");
    RT(cudaStreamBeginCapture)(stream, 2);
    is_u64(BLAS(cublasSgemm_v2)(handle, 0, 0, 8, 8, 8, &alpha, A.device, 8, B.device, 8, &beta, C.device, 8), 0,
           "a product is captured");
    ok(!RT(cudaStreamEndCapture)(stream, &graph) && !differs(&C), "and not computed");
    ok(!RT(cudaGraphInstantiate)(&exec, graph, 0) && !RT(cudaGraphLaunch)(exec, stream) && !RT(cudaStreamSynchronize)(stream),
       "before the graph runs");
    reference(&s, 1, &A, 0, &B, 0, 0, &C, 0);
    is_u64(differs(&C), 0, "it is the product");
    RT(cudaGraphExecDestroy)(exec);
    RT(cudaGraphDestroy)(graph);

    RT(cudaMalloc)((void **)&scalars, 8);
    RT(cudaMemcpy)(scalars, (float[]){3, 1}, 8, COPY_HOST_TO_DEVICE);
    ok(!BLAS(cublasSetPointerMode_v2)(handle, 1), "scalars on the device");
    is_u64(BLAS(cublasSgemm_v2)(handle, 0, 0, 8, 8, 8, scalars, A.device, 8, B.device, 8, scalars + 1, C.device, 8), 0, "sgemm");
    RT(cudaStreamSynchronize)(stream);
    reference(&s, 3, &A, 0, &B, 0, 1, &C, 0);
    is_u64(differs(&C), 0, "is the product");
    BLAS(cublasSetPointerMode_v2)(handle, 0);
    BLAS(cublasSetStream_v2)(handle, NULL);
    RT(cudaStreamDestroy)(stream);
    RT(cudaFree)(scalars);
}

static void test_handles(void)
{
    const float one = 1;
    int version = 0, mode = -1;
    cublasHandle_t other = NULL;

    ok(!BLAS(cublasGetVersion_v2)(handle, &version) && version / 10000 == VGPU_CUDA_MAJOR, "its version");
    ok(!BLAS(cublasSetMathMode)(handle, 3) && !BLAS(cublasGetMathMode)(handle, &mode) && mode == 3, "the math mode is kept");
    is_u64(BLAS(cublasSetPointerMode_v2)(handle, 5), 7, "no such pointer mode");
    is_str(BLAS(cublasGetStatusName)(15), "CUBLAS_STATUS_NOT_SUPPORTED", "a status by name");
    ok(BLAS(cublasGetStatusString)(7)[0], "and as text");
    is_u64(BLAS(cublasSgemm_v2)(NULL, 0, 0, 1, 1, 1, &one, A.device, 1, B.device, 1, &one, C.device, 1), 1, "no handle");
    is_u64(BLAS(cublasSgemm_v2)(handle, 0, 0, -1, 1, 1, &one, A.device, 1, B.device, 1, &one, C.device, 1), 7, "a negative size");
    is_u64(BLAS(cublasSgemm_v2)(handle, 0, 0, 8, 1, 1, &one, A.device, 4, B.device, 1, &one, C.device, 8), 7,
           "columns that overlap");
    is_u64(BLAS(cublasSgemm_v2)(handle, 0, 0, 0, 1, 1, &one, NULL, 1, NULL, 1, &one, NULL, 1), 0, "nothing to do");
    is_u64(BLAS(cublasSgemm_v2)(handle, 0, 0, 8, 8, 8, NULL, A.device, 8, B.device, 8, &one, C.device, 8), 7, "no alpha");
    is_u64(BLAS(cublasSetWorkspace_v2)(handle, (char *)A.device + 1, 4096), 7, "a workspace that is not aligned");
    is_u64(BLAS(cublasSetWorkspace_v2)(handle, A.device, 4096), 0, "a workspace");
    ok(!BLAS(cublasCreate_v2)(&other) && other != handle && !BLAS(cublasDestroy_v2)(other), "another handle");
}

static void test_lt(void)
{
    void *lt = dlopen(VGPU_CUDA_MAJOR == 12 ? "libcublasLt.so.12" : "libcublasLt.so.13", RTLD_NOW);
    void *made = NULL;

    if (!ok(lt, "libcublasLt"))
        return;
    int (*create)(void **) = dlsym(lt, "cublasLtCreate"), (*destroy)(void *) = dlsym(lt, "cublasLtDestroy");
    size_t (*version)(void) = dlsym(lt, "cublasLtGetVersion");
    int (*preference)(void **) = dlsym(lt, "cublasLtMatmulPreferenceCreate");
    ok(create && destroy && version && preference && version() / 10000 == VGPU_CUDA_MAJOR, "its version");
    ok(!create(&made) && made && !destroy(made) && destroy(NULL) == 1, "a handle of it");
    is_u64(preference(&made), 15, "it offers no products");
}

static void test_faults(void)
{
    const float one = 1;

    is_u64(BLAS(cublasSgemm_v2)(handle, 0, 0, 64, 64, 64, &one, (float *)16, 64, B.device, 64, &one, C.device, 64), 0,
           "a wild pointer is not looked at by the call");
    is_u64(RT(cudaDeviceSynchronize)(), 700, "but ends the context when it is used");
    is_u64(BLAS(cublasSgemm_v2)(handle, 0, 0, 4, 4, 4, &one, A.device, 4, B.device, 4, &one, C.device, 4), 13,
           "calls fail from then on");
}

int main(void)
{
    const char *name = VGPU_CUDA_MAJOR == 12 ? "libcublas.so.12" : "libcublas.so.13";

    open_library(VGPU_CUDA_MAJOR == 12 ? "libcudart.so.12" : "libcudart.so.13");
    register_program();
    blas_library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!blas_library) {
        printf("Bail out! %s\n", dlerror());
        return 1;
    }
    ok(!BLAS(cublasCreate_v2)(&handle), "a handle, before anything else");
    test_single();
    test_random();
    test_types();
    test_batches();
    test_solve();
    test_vectors();
    test_streams();
    test_handles();
    test_lt();
    test_faults();
    return tap_done();
}
