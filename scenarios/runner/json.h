/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as a tree, for what guests answer: the agent's replies and the programs' reports. Input is hostile: depth and size are
 * bounded, and every error names the byte where it stands. */
#ifndef VGPU_RUNNER_JSON_H
#define VGPU_RUNNER_JSON_H

#include <glib.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

#define JSON_MAX_DEPTH 64
#define JSON_ERROR json_error_quark()
GQuark json_error_quark(void);

struct json {
    enum json_type type;
    char *text;        /* scalars: a string's characters, a number as it was written, "true", "false", "null" */
    GPtrArray *names;  /* an object's, in order; char * */
    GPtrArray *values; /* an array's or object's; struct json * */
};

void json_free(struct json *value);
typedef struct json Json; /* for g_autoptr */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Json, json_free)

/* The one value in 'text', or NULL. A string with a zero byte in it is refused. */
struct json *json_parse(const char *text, gsize length, GError **error);
/* KEY=VALUE lines as an object of strings; NULL when a line is none. */
struct json *json_from_keys(const char *text);

/* An object's first member of that name; NULL when there is none or 'value' is no object (NULL included). */
const struct json *json_member(const struct json *value, const char *name);
/* The same, as text of a scalar. */
const char *json_text(const struct json *value, const char *name);

/* 'text' as a JSON string literal, quotes included. */
char *json_quote(const char *text);

#endif
