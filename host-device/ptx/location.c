/* SPDX-License-Identifier: Apache-2.0 */
/* Where an instruction comes from (PTX ISA 11.5.1, .loc; 11.5.2, .file). Everything is looked up when somebody asks: parsing notes
 * numbers alone. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptx/ir.h"

static const char *file_name(const struct ptx_module *m, uint32_t file)
{
    const char *name = file < m->nfiles ? m->files[file] : NULL, *slash = name ? strrchr(name, '/') : NULL;

    return slash && slash[1] ? slash + 1 : name;
}

/* The string that a label of .section .debug_str stands for: "label:" and then .b8 with numbers. */
static size_t debug_string(const struct ptx_module *m, const struct ptx_loc *loc, char *text, size_t room)
{
    const char *label = m->text + loc->name, *end = m->text + m->text_size, *p = m->text;
    size_t n = 0;

    do {
        p = memmem(p, (size_t)(end - p), label, loc->name_size);
        if (!p)
            return 0;
        p += loc->name_size;
    } while (p == end || *p != ':');
    p++;
    for (uint32_t i = 0; n + 1 < room; i++) {
        char *behind;
        long byte;

        while (p < end && (isspace((unsigned char)*p) || *p == ',' || !strncmp(p, ".b8", 3)))
            p += *p == '.' ? 3 : 1;
        byte = strtol(p, &behind, 10);
        if (behind == p || byte <= 0)
            break;
        if (i >= loc->skip)
            text[n++] = isprint((int)byte & 0x7f) && byte < 128 ? (char)byte : '?';
        p = behind;
    }
    text[n] = 0;
    return n;
}

static bool has_insn(const struct ptx_function *f, const struct ptx_insn *insn)
{
    return (uintptr_t)insn - (uintptr_t)f->insns < f->ninsns * sizeof *insn;
}

/* The function that an instruction is of: the kernel, or one that it calls. */
static const struct ptx_function *function_of(const struct ptx_module *m, const struct ptx_function *kernel, const struct ptx_insn *insn)
{
    if (has_insn(kernel, insn))
        return kernel;
    for (uint32_t i = 0; i < m->nfunctions; i++)
        if (has_insn(&m->functions[i], insn))
            return &m->functions[i];
    return NULL;
}

size_t ptx_source_text(const struct ptx_module *m, const struct ptx_function *kernel, const struct ptx_insn *insn, char *text, size_t room)
{
    const struct ptx_function *f = function_of(m, kernel, insn);
    const struct ptx_loc *loc = f && insn->loc && insn->loc <= f->nlocs ? &f->locs[insn->loc - 1] : NULL;
    const char *file = loc ? file_name(m, loc->file) : NULL, *at;
    char name[64] = "";
    int n;

    if (!file || !loc->line)
        return 0;
    n = snprintf(text, room, "%s:%u:%u", file, loc->line, loc->column);
    at = loc->name ? file_name(m, loc->at_file) : NULL;
    if (at && n > 0 && (size_t)n < room) {
        debug_string(m, loc, name, sizeof name);
        n += snprintf(text + n, room - (size_t)n, " (inlined%s%s into %s:%u:%u)", *name ? " from " : "", name, at, loc->at_line,
                      loc->at_column);
    }
    return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

size_t ptx_line_text(const struct ptx_module *m, uint32_t line, char *text, size_t room)
{
    const char *p = m->text, *end = m->text + m->text_size;
    size_t n = 0;

    for (uint32_t i = 1; i < line && p; i++) {
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    while (p && p < end && (*p == ' ' || *p == '\t'))
        p++;
    for (; p && p < end && n + 1 < room && *p != '\n' && *p != '\r'; p++)
        text[n++] = isprint((unsigned char)*p) ? *p : ' ';
    while (n && text[n - 1] == ' ')
        n--;
    text[n] = 0;
    return n;
}
