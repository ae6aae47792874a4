/* SPDX-License-Identifier: Apache-2.0 */
/* libvgpu-static.so, preloaded: puts vgpu's libcudart in the place of a CUDA runtime that is part of a program.
 *
 * nvcc links NVIDIA's runtime statically unless told otherwise, and that runtime works with NVIDIA's driver alone. A program
 * that was not stripped names the runtime's functions in its symbol table; before any of the program's own code runs, the
 * first instruction of each becomes a jump to the function of that name in libcudart.so.12 or .13 beside this file. So
 * nothing of the built-in runtime is ever run. Libraries that are loaded with the program are treated alike, and so is
 * NVIDIA's own libcudart where a path built into the program finds it before ours.
 *
 * What cannot be done is left alone: the built-in runtime then runs, finds no driver of NVIDIA's and fails.
 *
 * The constructor here is the first of all (initfirst), before those that register a library's kernels, and before the C
 * library has its environment: it maps files and writes code, and leaves dlopen to the first call that goes through a jump. */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel/hooks.h"
#include "static/symbols.h"

const char *const vgpu_log_name = "vgpu-static";

/* Which libcudart speaks the built-in runtime's dialect: a function that it has and the older ones lack. Newest first. */
static struct runtime {
    const char *mark, *soname;
    char path[4096];
} runtimes[] = {
    {.mark = "cudaDeviceGetHostAtomicCapabilities", .soname = "libcudart.so.13"},
    {.mark = "cudaGetDeviceProperties_v2", .soname = "libcudart.so.12"},
};
#define END(array) ((array) + sizeof(array) / sizeof *(array))
#define ENTRY "__cudaRegisterFatBinary" /* every version of the runtime has it */

/* ---- from a jump to its target ---- */

/* A function that was taken over. Its code jumps to its stub, which names it to vgpu_static_enter in r11. */
struct taken {
    struct runtime *runtime;
    char name[96];
    _Atomic(void *) target;
};
struct __attribute__((packed)) jump {
    unsigned char jmp[6]; /* jmp *0(%rip) */
    const void *target;
};
struct __attribute__((packed)) stub {
    unsigned char mov[2]; /* movabs $taken, %r11 */
    struct taken *taken;
    struct jump jump;
    unsigned char padding[8];
};

/* Keeps the arguments of whatever was called, asks for the function's address and goes there. */
void vgpu_static_enter(void);
__asm__(".pushsection .text\n"
        ".type vgpu_static_enter, @function\n"
        "vgpu_static_enter:\n"
        "    .cfi_startproc\n"
        "    push %rdi\n    push %rsi\n    push %rdx\n    push %rcx\n    push %r8\n    push %r9\n    push %rax\n"
        "    .cfi_adjust_cfa_offset 56\n"
        "    sub $128, %rsp\n"
        "    .cfi_adjust_cfa_offset 128\n"
        "    movups %xmm0, (%rsp)\n    movups %xmm1, 16(%rsp)\n    movups %xmm2, 32(%rsp)\n    movups %xmm3, 48(%rsp)\n"
        "    movups %xmm4, 64(%rsp)\n    movups %xmm5, 80(%rsp)\n    movups %xmm6, 96(%rsp)\n    movups %xmm7, 112(%rsp)\n"
        "    mov %r11, %rdi\n"
        "    call vgpu_static_target\n"
        "    mov %rax, %r11\n"
        "    movups (%rsp), %xmm0\n    movups 16(%rsp), %xmm1\n    movups 32(%rsp), %xmm2\n    movups 48(%rsp), %xmm3\n"
        "    movups 64(%rsp), %xmm4\n    movups 80(%rsp), %xmm5\n    movups 96(%rsp), %xmm6\n    movups 112(%rsp), %xmm7\n"
        "    add $128, %rsp\n"
        "    .cfi_adjust_cfa_offset -128\n"
        "    pop %rax\n    pop %r9\n    pop %r8\n    pop %rcx\n    pop %rdx\n    pop %rsi\n    pop %rdi\n"
        "    .cfi_adjust_cfa_offset -56\n"
        "    jmp *%r11\n"
        "    .cfi_endproc\n"
        ".size vgpu_static_enter, . - vgpu_static_enter\n"
        ".popsection\n");

/* cudaErrorInitializationError, for calls that found no libcudart. */
static int fail(void)
{
    return 3;
}

void *vgpu_static_target(struct taken *taken);
__attribute__((used)) void *vgpu_static_target(struct taken *taken)
{
    void *target = atomic_load_explicit(&taken->target, memory_order_acquire);

    if (!target) {
        void *shim = dlopen(taken->runtime->path, RTLD_NOW | RTLD_LOCAL);

        target = shim ? dlsym(shim, taken->name) : NULL;
        if (!target) {
            vgpu_log(VGPU_LOG_ERROR, "%s: %s", taken->name, dlerror());
            target = (void *)fail;
        }
        vgpu_log(VGPU_LOG_DEBUG, "%s of the built-in CUDA runtime is that of %s", taken->name, taken->runtime->path);
        atomic_store_explicit(&taken->target, target, memory_order_release);
    }
    return target;
}

/* ---- placing jumps ---- */

struct object {
    const struct dl_phdr_info *loaded;
    struct vgpu_symbols symbols;
};

/* Where a function's code lies, if there is room for a jump and the code is what the file holds. */
static unsigned char *code_of(const struct object *o, const Elf64_Sym *s)
{
    /* Compilers start functions at multiples of 16, so that padding follows a short one. */
    uint64_t room = s->st_size >= sizeof(struct jump) || s->st_value % 16 ? s->st_size : 16;

    for (int i = 0; i < o->loaded->dlpi_phnum && room >= sizeof(struct jump); i++) {
        const Elf64_Phdr *p = &o->loaded->dlpi_phdr[i];
        uint64_t at = s->st_value - p->p_vaddr;

        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || s->st_value < p->p_vaddr || at >= p->p_filesz)
            continue;
        unsigned char *code = (unsigned char *)o->loaded->dlpi_addr + s->st_value;
        const void *in_file = vgpu_symbols_part(&o->symbols, p->p_offset + at, sizeof(struct jump));
        return p->p_filesz - at >= sizeof(struct jump) && in_file && !memcmp(in_file, code, sizeof(struct jump)) ? code : NULL;
    }
    return NULL;
}

/* Code is never writable and executable at once; nothing of the object runs meanwhile. */
static bool protect(const struct object *o, int protection)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    for (int i = 0; i < o->loaded->dlpi_phnum; i++) {
        const Elf64_Phdr *p = &o->loaded->dlpi_phdr[i];
        uintptr_t start = (o->loaded->dlpi_addr + p->p_vaddr) & -page;
        uintptr_t end = (o->loaded->dlpi_addr + p->p_vaddr + p->p_memsz + page - 1) & -page;

        if (p->p_type == PT_LOAD && p->p_flags & PF_X && mprotect((void *)start, end - start, protection))
            return false;
    }
    return true;
}

static void *pages(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void place_jumps(const struct object *o, struct runtime *runtime, const struct vgpu_symbols *shim)
{
    size_t most = 0;

    for (size_t i = 0; i < o->symbols.count; i++)
        most += !!vgpu_symbols_runtime(&o->symbols, i);

    struct taken *taken = pages(most * sizeof *taken);
    struct stub *stubs = pages(most * sizeof *stubs);
    size_t n = 0;

    if (!taken || !stubs)
        return;
    bool writable = protect(o, PROT_READ | PROT_WRITE);
    for (size_t i = 0; writable && i < o->symbols.count; i++) {
        const char *name = vgpu_symbols_runtime(&o->symbols, i);
        unsigned char *code = name && vgpu_symbols_find(shim, name) ? code_of(o, &o->symbols.table[i]) : NULL;

        if (!code || strlen(name) >= sizeof taken->name)
            continue;
        taken[n].runtime = runtime;
        strcpy(taken[n].name, name);
        stubs[n] = (struct stub){{0x49, 0xbb}, &taken[n], {{0xff, 0x25}, (const void *)vgpu_static_enter}, {0}};
        struct jump jump = {{0xff, 0x25}, &stubs[n++]};
        memcpy(code, &jump, sizeof jump);
    }
    if (!protect(o, PROT_READ | PROT_EXEC) || mprotect(stubs, most * sizeof *stubs, PROT_READ | PROT_EXEC)) {
        vgpu_log(VGPU_LOG_ERROR, "this system does not let a program's code be changed");
        _exit(127);
    }
}

/* ---- the objects ---- */

static bool open_symbols(struct vgpu_symbols *symbols, const char *path, struct stat *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && !fstat(fd, st) && st->st_size > 0 && vgpu_symbols_open(symbols, fd, (size_t)st->st_size);

    if (fd >= 0)
        close(fd);
    return ok;
}

static void take_over(struct object *o, const struct stat *file)
{
    struct runtime *runtime = runtimes;
    struct vgpu_symbols shim;
    struct stat shim_file;

    if (!vgpu_symbols_find(&o->symbols, ENTRY))
        return;
    while (runtime < END(runtimes) && !vgpu_symbols_find(&o->symbols, runtime->mark))
        runtime++;
    if (runtime == END(runtimes)) {
        vgpu_log(VGPU_LOG_WARN, "this program's built-in CUDA runtime is older than CUDA 12: it stays and will find no driver");
        return;
    }
    if (!open_symbols(&shim, runtime->path, &shim_file)) {
        vgpu_log(VGPU_LOG_WARN, "this program's built-in CUDA runtime stays and will find no driver: %s cannot be read",
                 runtime->path);
        return;
    }
    if (shim_file.st_dev != file->st_dev || shim_file.st_ino != file->st_ino)
        place_jumps(o, runtime, &shim);
    vgpu_symbols_close(&shim);
}

static int visit(struct dl_phdr_info *loaded, size_t size, void *unused)
{
    const char *path = *loaded->dlpi_name ? loaded->dlpi_name : "/proc/self/exe";
    struct object o = {.loaded = loaded};
    struct stat file;

    if (*path == '/' && open_symbols(&o.symbols, path, &file)) { /* or it is the kernel's own */
        take_over(&o, &file);
        vgpu_symbols_close(&o.symbols);
    }
    return 0;
}

__attribute__((constructor)) static void start(void)
{
    Dl_info self;
    const char *slash = dladdr(runtimes, &self) ? strrchr(self.dli_fname, '/') : NULL;

    for (struct runtime *r = runtimes; slash && r < END(runtimes); r++)
        if (snprintf(r->path, sizeof r->path, "%.*s%s", (int)(slash + 1 - self.dli_fname), self.dli_fname, r->soname) >=
            (int)sizeof r->path)
            slash = NULL;
    if (slash)
        dl_iterate_phdr(visit, NULL);
}
