/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <string.h>

struct reader {
    const char *begin, *at, *end;
    int depth;
    GError **error;
};

G_DEFINE_QUARK(vgpu-json-error, json_error)

static struct json *wrong(struct reader *r, const char *what)
{
    if (r->error && !*r->error)
        g_set_error(r->error, JSON_ERROR, 0, "byte %zu: %s", (gsize)(r->at - r->begin), what);
    return NULL;
}

static struct json *json_new(enum json_type type)
{
    struct json *value = g_new0(struct json, 1);

    value->type = type;
    if (type == JSON_OBJECT)
        value->names = g_ptr_array_new_with_free_func(g_free);
    if (type >= JSON_ARRAY)
        value->values = g_ptr_array_new_with_free_func((GDestroyNotify)json_free);
    return value;
}

void json_free(struct json *value)
{
    if (!value)
        return;
    g_free(value->text);
    g_clear_pointer(&value->names, g_ptr_array_unref);
    g_clear_pointer(&value->values, g_ptr_array_unref);
    g_free(value);
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
        r->at++;
}

static gboolean take(struct reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return FALSE;
    r->at++;
    return TRUE;
}

/* Four hexadecimal digits, or -1. */
static int read_unit(struct reader *r)
{
    int unit = 0;

    if (r->end - r->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(r->at[i]);

        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    r->at += 4;
    return unit;
}

/* What follows \u, as UTF-8. */
static gboolean read_escape(struct reader *r, GString *into)
{
    int unit = read_unit(r);

    if (unit >= 0xd800 && unit < 0xdc00) {
        int low;

        if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
            return FALSE;
        r->at += 2;
        low = read_unit(r);
        if (low < 0xdc00 || low > 0xdfff)
            return FALSE;
        unit = 0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00);
    } else if (unit >= 0xdc00 && unit <= 0xdfff) {
        return FALSE;
    }
    if (unit <= 0)
        return FALSE;
    g_string_append_unichar(into, (gunichar)unit);
    return TRUE;
}

/* After the opening quote. */
static char *read_string(struct reader *r)
{
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    g_autoptr(GString) text = g_string_new(NULL);

    while (r->at < r->end && *r->at != '"') {
        const char *escape;

        if ((unsigned char)*r->at < ' ') {
            wrong(r, "a control character in a string");
            return NULL;
        }
        if (*r->at != '\\') {
            g_string_append_c(text, *r->at++);
            continue;
        }
        if (++r->at == r->end)
            break;
        escape = memchr(escapes, *r->at, sizeof(escapes) - 1);
        if (escape) {
            g_string_append_c(text, meant[escape - escapes]);
            r->at++;
        } else if (*r->at++ != 'u' || !read_escape(r, text)) {
            wrong(r, "an escape that is none");
            return NULL;
        }
    }
    if (r->at == r->end) {
        wrong(r, "a string without end");
        return NULL;
    }
    r->at++;
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static gsize read_digits(struct reader *r)
{
    const char *begin = r->at;

    while (r->at < r->end && g_ascii_isdigit(*r->at))
        r->at++;
    return (gsize)(r->at - begin);
}

static struct json *read_number(struct reader *r)
{
    const char *begin = r->at, *digits;
    struct json *value;
    gboolean good;

    if (*r->at == '-')
        r->at++;
    digits = r->at;
    good = read_digits(r) && (*digits != '0' || r->at - digits == 1);
    if (good && r->at < r->end && *r->at == '.') {
        r->at++;
        good = read_digits(r) > 0;
    }
    if (good && r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
            r->at++;
        good = read_digits(r) > 0;
    }
    if (!good)
        return wrong(r, "a number that is none");
    value = json_new(JSON_NUMBER);
    value->text = g_strndup(begin, (gsize)(r->at - begin));
    return value;
}

static struct json *read_value(struct reader *r);

/* Elements up to 'close', named in an object. */
static struct json *read_elements(struct reader *r, enum json_type type, char close)
{
    struct json *all = json_new(type);

    if (take(r, close))
        return all;
    do {
        struct json *value;

        if (type == JSON_OBJECT) {
            char *name = take(r, '"') ? read_string(r) : NULL;

            if (!name || !take(r, ':')) {
                g_free(name);
                wrong(r, "a member is \"NAME\": VALUE");
                goto bad;
            }
            g_ptr_array_add(all->names, name);
        }
        value = read_value(r);
        if (!value)
            goto bad;
        g_ptr_array_add(all->values, value);
    } while (take(r, ','));
    if (take(r, close))
        return all;
    wrong(r, type == JSON_OBJECT ? "',' or '}' is missing" : "',' or ']' is missing");
bad:
    json_free(all);
    return NULL;
}

static struct json *read_word(struct reader *r)
{
    static const struct {
        const char *word;
        enum json_type type;
    } words[] = { { "null", JSON_NULL }, { "true", JSON_BOOL }, { "false", JSON_BOOL } };

    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        gsize n = strlen(words[i].word);

        if ((gsize)(r->end - r->at) >= n && !memcmp(r->at, words[i].word, n)) {
            struct json *value = json_new(words[i].type);

            value->text = g_strdup(words[i].word);
            r->at += n;
            return value;
        }
    }
    return wrong(r, "no value");
}

static struct json *read_value(struct reader *r)
{
    struct json *value = NULL;

    if (++r->depth > JSON_MAX_DEPTH)
        return wrong(r, "nested too deeply");
    skip_space(r);
    if (r->at == r->end) {
        wrong(r, "a value is missing");
    } else if (*r->at == '"') {
        char *text;

        r->at++;
        text = read_string(r);
        if (text) {
            value = json_new(JSON_STRING);
            value->text = text;
        }
    } else if (*r->at == '{') {
        r->at++;
        value = read_elements(r, JSON_OBJECT, '}');
    } else if (*r->at == '[') {
        r->at++;
        value = read_elements(r, JSON_ARRAY, ']');
    } else if (*r->at == '-' || g_ascii_isdigit(*r->at)) {
        value = read_number(r);
    } else {
        value = read_word(r);
    }
    r->depth--;
    return value;
}

struct json *json_parse(const char *text, gsize length, GError **error)
{
    struct reader r = { text, text, text + length, 0, error };
    struct json *value = read_value(&r);

    skip_space(&r);
    if (value && r.at != r.end) {
        wrong(&r, "more than one value");
        json_free(value);
        return NULL;
    }
    return value;
}

struct json *json_from_keys(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    struct json *all = json_new(JSON_OBJECT);

    for (char **line = lines; *line; line++) {
        const char *equals = strchr(*line, '=');
        struct json *value;

        if (!**line)
            continue;
        if (!equals || equals == *line) {
            json_free(all);
            return NULL;
        }
        value = json_new(JSON_STRING);
        value->text = g_strdup(equals + 1);
        g_ptr_array_add(all->names, g_strndup(*line, (gsize)(equals - *line)));
        g_ptr_array_add(all->values, value);
    }
    return all;
}

const struct json *json_member(const struct json *value, const char *name)
{
    if (!value || value->type != JSON_OBJECT)
        return NULL;
    for (guint i = 0; i < value->names->len; i++)
        if (!strcmp(value->names->pdata[i], name))
            return value->values->pdata[i];
    return NULL;
}

const char *json_text(const struct json *value, const char *name)
{
    const struct json *member = json_member(value, name);

    return member ? member->text : NULL;
}

char *json_quote(const char *text)
{
    GString *quoted = g_string_new("\"");

    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            g_string_append_c(quoted, '\\');
        if ((unsigned char)*text < ' ')
            g_string_append_printf(quoted, "\\u%04x", (unsigned char)*text);
        else
            g_string_append_c(quoted, *text);
    }
    return g_string_free(g_string_append_c(quoted, '"'), FALSE);
}
