/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target: takes any bytes, must not crash, leak or hang. Linked with libFuzzer (clang), or with driver.c, which feeds
 * it changed seeds and speaks TAP. */
#ifndef VGPU_TESTS_FUZZ_H
#define VGPU_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif
