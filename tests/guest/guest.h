/* SPDX-License-Identifier: Apache-2.0 */
/* What programs that test the device inside a VM share: the driver API by dlopen, as an application finds it, and the device's
 * registers, as nobody but a test looks at them. */
#ifndef VGPU_TESTS_GUEST_H
#define VGPU_TESTS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vgpu_protocol.h"

typedef unsigned long long device_ptr;

/* Each is the public entry point of its name; the results are CUresults. */
extern struct cuda {
    int (*cuInit)(unsigned flags);
    int (*cuDeviceGetCount)(int *count);
    int (*cuDeviceGetName)(char *name, int length, int device);
    int (*cuDevicePrimaryCtxRetain)(void **context, int device);
    int (*cuDevicePrimaryCtxReset_v2)(int device);
    int (*cuCtxSetCurrent)(void *context);
    int (*cuCtxSynchronize)(void);
    int (*cuModuleLoadData)(void **module, const void *image);
    int (*cuModuleGetFunction)(void **function, void *module, const char *name);
    int (*cuMemAlloc_v2)(device_ptr *memory, size_t bytes);
    int (*cuMemFree_v2)(device_ptr memory);
    int (*cuMemGetInfo_v2)(size_t *free_bytes, size_t *total);
    int (*cuMemcpyHtoD_v2)(device_ptr to, const void *from, size_t bytes);
    int (*cuMemcpyDtoH_v2)(void *to, device_ptr from, size_t bytes);
    int (*cuLaunchKernel)(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                          unsigned shared, void *stream, void **parameters, void **extra);
    int (*cuGetErrorName)(int error, const char **name);
    void *module; /* cuda_open()'s */
} cu;

/* Loads a driver library, "libcuda.so.1" or a path; ends the program with status 2 when there is none. Initialises nothing. */
void cuda_load(const char *library);
/* cuInit, the primary context, and the module of test kernels:
 *   spin(u64 p)         never ends
 *   slow(u64 p, u32 n)  counts to n, then stores n at p
 *   fill(u64 p, u32 k)  thread t of one block stores k + t at p + 4 t
 * Returns the first error. */
int cuda_open(void);
/* One block of THREADS of kernel NAME. */
int cuda_launch(const char *name, unsigned threads, device_ptr p, uint32_t n);
/* Runs fill on 256 words at P and reads them back: 0, an error, or -1 for wrong words. */
int cuda_works(device_ptr p, uint32_t k);

/* ---- the device, looked at from the side; never by a process that owns a channel ---- */

/* Maps the registers of the PCI function. The descriptor is kept for lock_owner(). */
void registers_map(void);
uint32_t reg(uint32_t offset);
uint32_t channel_state(uint32_t n);
/* Channels that are not free. */
unsigned channels_busy(void);
/* The process that holds the lock of channel N, or 0. */
pid_t lock_owner(uint32_t n);
/* The channel whose lock PID holds, or -1. */
int channel_of(pid_t pid);

/* ---- processes ---- */

void nap_ms(unsigned ms);
double now_s(void);

struct child {
    pid_t pid;
    int in, out; /* its words come in, ours go out */
};
/* Forks RUN(ARGUMENT), which talks by say() and hear(); its result is the exit status. */
struct child child_start(int (*run)(int argument), int argument);
/* In the child. */
void say(int word);
int hear(void);
/* In the parent: the next word; -1 when the child is gone. */
int child_hear(struct child *c);
void child_tell(struct child *c, int word);
/* Waits; the status of waitpid(). */
int child_end(struct child *c);
int child_kill(struct child *c);

#endif
