/* SPDX-License-Identifier: Apache-2.0 */
#include "select.h"

#include <string.h>

static gsize name_length(const char *at)
{
    gsize n = 0;

    while (g_ascii_isalnum(at[n]) || at[n] == '_' || at[n] == '-')
        n++;
    return n;
}

/* The index in brackets at 'at': its length with the brackets, or 0. */
static gsize index_length(const char *at)
{
    gsize n = 1;

    if (*at != '[')
        return 0;
    if (strchr("*?#", at[1]) && at[1])
        n = 2;
    else
        while (g_ascii_isdigit(at[n]) && n < 10)
            n++;
    return n > 1 && at[n] == ']' ? n + 1 : 0;
}

const char *select_check(const char *path)
{
    const char *at = path;

    for (;;) {
        gsize n = name_length(at);

        if (!n && !(at == path && *at == '['))
            return at;
        at += n;
        while ((n = index_length(at))) {
            bool count = at[1] == '#';

            at += n;
            if (count && *at)
                return at;
        }
        if (!*at)
            return NULL;
        if (*at != '.')
            return at;
        at++;
    }
}

/* A dead end is NULL among the found, and so is null. */
static void descend(const struct json *value, const char *at, GPtrArray *into, bool *some)
{
    gsize n;

    if (*at == '.')
        at++;
    if (!value || !*at) {
        g_ptr_array_add(into, value && value->type != JSON_NULL ? g_strdup(value->text) : NULL);
        return;
    }
    if (*at != '[') {
        g_autofree char *name = g_strndup(at, name_length(at));

        descend(json_member(value, name), at + strlen(name), into, some);
        return;
    }
    n = index_length(at);
    if (value->type != JSON_ARRAY) {
        g_ptr_array_add(into, NULL);
    } else if (at[1] == '#') {
        g_ptr_array_add(into, g_strdup_printf("%u", value->values->len));
    } else if (at[1] == '*' || at[1] == '?') {
        *some |= at[1] == '?';
        for (guint i = 0; i < value->values->len; i++)
            descend(value->values->pdata[i], at + n, into, some);
    } else {
        guint64 i = g_ascii_strtoull(at + 1, NULL, 10);

        descend(i < value->values->len ? value->values->pdata[i] : NULL, at + n, into, some);
    }
}

GPtrArray *select_values(const struct json *root, const char *path, bool *some)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);

    *some = false;
    descend(root, path, found, some);
    return found;
}
