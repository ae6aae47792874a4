/* SPDX-License-Identifier: Apache-2.0 */
/* Written by apigen from tiny.api. */
/* The types of tiny's calls. Structs that calls take by pointer are only named here. */
#ifndef VGPU_tiny_TYPES_H
#define VGPU_tiny_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "channel/abi_types.h"

typedef int tStatus;
typedef struct tStream_st *tStream;
typedef struct tContext_st *tContext;
typedef uint64_t tPointer;
typedef struct tDesc tDesc;
typedef void (*tHook)(tStream stream, void *data);

#endif
