/* SPDX-License-Identifier: Apache-2.0 */
/* A program's report as JSON on stdout, and which libraries it has mapped. Everything that is not ASCII, or would need an escape,
 * becomes \u00NN, so that whatever a broken library puts into a string the report stays readable. */
#ifndef VGPU_PAYLOAD_REPORT_H
#define VGPU_PAYLOAD_REPORT_H

#include <stdio.h>

/* Members and elements; commas are seen to. Nested to REPORT_DEPTH at most. */
#define REPORT_DEPTH 8
void report_open(const char *name, char bracket); /* '{' or '['; name NULL in an array and at the top */
void report_close(void);
void report_text(const char *name, const char *text); /* NULL becomes null */
__attribute__((format(printf, 2, 3))) void report_number(const char *name, const char *format, ...);
/* "libraries": the files that this process has mapped to execute, each once, in the order of their addresses. */
void report_libraries(void);

#endif
