/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. */
#include "apigen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Tables live until the program ends, so nothing is freed; a sanitizer build must not call that a leak. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

enum mode_kind { M_TABLE, M_OUTPUT, M_TABLES, M_RING };

static const struct mode {
    const char *name;
    enum mode_kind kind;
    const char *what;
    void (*table)(FILE *, const struct table *);
    void (*output)(FILE *, const struct table *, const struct output *);
    void (*tables)(FILE *, struct table *const *, int);
    void (*ring)(FILE *, const struct ring *);
} modes[] = {
    {"types", M_TABLE, "C header: the types of its calls", .table = emit_types},
    {"impl", M_TABLE, "C header: the functions to be written by hand", .table = emit_impl},
    {"api", M_OUTPUT, "C header: what the library exports", .output = emit_api},
    {"stubs", M_OUTPUT, "C source: the exported wrappers", .output = emit_stubs},
    {"map", M_OUTPUT, "version script for the linker", .output = emit_map},
    {"coverage", M_TABLES, "the coverage page", .tables = emit_coverage},
    {"numbers", M_TABLES, "each call's number", .tables = emit_numbers},
    {"ring-commands", M_RING, "C header: the structs of commands and replies", .ring = emit_ring_commands},
    {"ring-encode", M_RING, "C header: encoders", .ring = emit_ring_encode},
    {"ring-decode-h", M_RING, "C header: the executor's handlers", .ring = emit_ring_decode_h},
    {"ring-decode-c", M_RING, "C source: the decoder's table", .ring = emit_ring_decode_c},
};

_Noreturn static void usage(void)
{
    static const char *const inputs[] = {
        [M_TABLE] = "TABLE", [M_OUTPUT] = "TABLE SONAME", [M_TABLES] = "TABLE...", [M_RING] = "RING-TABLE"};

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        fprintf(stderr, "%s apigen %-13s %-12s -o FILE   # %s\n", i ? "      " : "usage:", modes[i].name,
                inputs[modes[i].kind], modes[i].what);
    exit(2);
}

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(modes[i].name, name))
            return &modes[i];
    usage();
}

static FILE *create(const char *path)
{
    FILE *out = strcmp(path, "-") ? fopen(path, "w") : stdout;

    if (!out)
        die("%s: %s", path, strerror(errno));
    return out;
}

int main(int argc, char **argv)
{
    if (argc < 5 || strcmp(argv[argc - 2], "-o"))
        usage();
    const struct mode *mode = find_mode(argv[1]);
    const char *path = argv[argc - 1];
    int inputs = argc - 4;
    FILE *out;

    if (mode->kind != M_TABLES && inputs != (mode->kind == M_OUTPUT ? 2 : 1))
        usage();
    if (mode->kind == M_RING) {
        struct ring *ring = read_ring(argv[2]);
        mode->ring(out = create(path), ring);
    } else if (mode->kind == M_TABLES) {
        struct table **tables = zalloc((size_t)inputs * sizeof *tables);
        for (int i = 0; i < inputs; i++)
            tables[i] = read_table(argv[2 + i]);
        mode->tables(out = create(path), tables, inputs);
    } else {
        struct table *table = read_table(argv[2]);
        if (mode->kind == M_TABLE) {
            mode->table(out = create(path), table);
        } else {
            const struct output *output = find_output(table, argv[3]);
            if (!output)
                die("%s declares no output '%s'", argv[2], argv[3]);
            mode->output(out = create(path), table, output);
        }
    }
    if (fflush(out) || ferror(out) || fclose(out))
        die("%s: %s", path, strerror(errno));
    return 0;
}
