/* SPDX-License-Identifier: Apache-2.0 */
/* Included before everything in guest code: binds functions that newer C libraries have moved or renewed
 * to the versions that glibc 2.28 has, so that one build serves every guest. */
#ifndef VGPU_CHANNEL_GLIBC_COMPAT_H
#define VGPU_CHANNEL_GLIBC_COMPAT_H

#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <sys/stat.h>

#define VGPU_BIND(name, version) __asm__(".symver " #name "," #name "@GLIBC_" #version)
/* From libpthread and libdl into libc in 2.34. Guests older than that get both libraries by DT_NEEDED. */
VGPU_BIND(pthread_create, 2.2.5);
VGPU_BIND(pthread_join, 2.2.5);
VGPU_BIND(pthread_detach, 2.2.5);
VGPU_BIND(pthread_kill, 2.2.5);
VGPU_BIND(pthread_once, 2.2.5);
VGPU_BIND(pthread_key_create, 2.2.5);
VGPU_BIND(pthread_key_delete, 2.2.5);
VGPU_BIND(pthread_getspecific, 2.2.5);
VGPU_BIND(pthread_setspecific, 2.2.5);
VGPU_BIND(pthread_attr_setstacksize, 2.2.5);
VGPU_BIND(pthread_mutex_trylock, 2.2.5);
VGPU_BIND(pthread_mutexattr_init, 2.2.5);
VGPU_BIND(pthread_mutexattr_destroy, 2.2.5);
VGPU_BIND(pthread_mutexattr_settype, 2.2.5);
VGPU_BIND(pthread_condattr_setclock, 2.3.3);
VGPU_BIND(pthread_rwlock_init, 2.2.5);
VGPU_BIND(pthread_rwlock_destroy, 2.2.5);
VGPU_BIND(pthread_rwlock_rdlock, 2.2.5);
VGPU_BIND(pthread_rwlock_wrlock, 2.2.5);
VGPU_BIND(pthread_rwlock_unlock, 2.2.5);
VGPU_BIND(pthread_setname_np, 2.12);
VGPU_BIND(pthread_getattr_np, 2.2.5);
VGPU_BIND(pthread_sigmask, 2.2.5);
VGPU_BIND(sem_init, 2.2.5);
VGPU_BIND(sem_destroy, 2.2.5);
VGPU_BIND(sem_post, 2.2.5);
VGPU_BIND(sem_wait, 2.2.5);
VGPU_BIND(sem_timedwait, 2.2.5);
VGPU_BIND(dlopen, 2.2.5);
VGPU_BIND(dlsym, 2.2.5);
VGPU_BIND(dlclose, 2.2.5);
VGPU_BIND(dlerror, 2.2.5);
VGPU_BIND(dladdr, 2.2.5);
#undef VGPU_BIND

/* Until 2.33 these were inline functions around versioned calls; 1 is x86-64's version of struct stat. */
int __xstat(int version, const char *path, struct stat *buffer);
int __lxstat(int version, const char *path, struct stat *buffer);
int __fxstat(int version, int fd, struct stat *buffer);
#define stat(path, buffer) __xstat(1, path, buffer)
#define lstat(path, buffer) __lxstat(1, path, buffer)
#define fstat(fd, buffer) __fxstat(1, fd, buffer)
#endif

#endif
