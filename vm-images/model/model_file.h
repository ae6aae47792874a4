/* SPDX-License-Identifier: Apache-2.0 */
/* A network and its vocabulary as a GGUF file that llama.cpp and Ollama load. */
#ifndef VGPU_MODEL_MODEL_FILE_H
#define VGPU_MODEL_MODEL_FILE_H

#include "net.h"
#include "words.h"

/* Weights in the given type, norms in f32. False with errno set when the file cannot be written. */
bool model_file_write(const char *path, const struct net *net, const struct vocabulary *v, const struct quant_type *type);

#endif
