/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: their names and texts, and each thread's last one. */
#include <stdlib.h>

#include "cudart/runtime.h"

static const struct error_text {
    int error;
    const char *name, *text;
} errors[] = {
#define E(number, name, text) {number, "cuda" #name, text},
#include "cudart/errors_table.h"
#undef E
};

static _Thread_local cudaError_t last_error;

/* An error that ended the context stays until the device is reset. */
static bool sticky(cudaError_t error)
{
    return error == 700 || error == 702 || error == 710 || (error >= 714 && error <= 719);
}

cudaError_t report(cudaError_t error)
{
    if (error && !sticky(last_error))
        last_error = error;
    return error;
}

void forget_error(void)
{
    last_error = 0;
}

cudaError_t impl_cudaGetLastError(void)
{
    cudaError_t error = last_error;

    if (!sticky(error))
        last_error = 0;
    return error;
}

cudaError_t impl_cudaPeekAtLastError(void)
{
    return last_error;
}

static int compare(const void *key, const void *entry)
{
    return *(const int *)key - ((const struct error_text *)entry)->error;
}

static const struct error_text *find(int error)
{
    return bsearch(&error, errors, sizeof errors / sizeof *errors, sizeof *errors, compare);
}

const char *impl_cudaGetErrorName(cudaError_t error)
{
    const struct error_text *entry = find(error);

    return entry ? entry->name : "unrecognized error code";
}

const char *impl_cudaGetErrorString(cudaError_t error)
{
    const struct error_text *entry = find(error);

    return entry ? entry->text : "unrecognized error code";
}
