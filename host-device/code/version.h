/* SPDX-License-Identifier: Apache-2.0 */
/* Which compiler this is: a hash of the sources that decide on code and on the structures it works on, and LLVM's version. Code of
 * another one is never run. */
#ifndef VGPU_CODE_VERSION_H
#define VGPU_CODE_VERSION_H

extern const char code_version[];

#endif
