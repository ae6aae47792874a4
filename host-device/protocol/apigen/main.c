/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: apigen MODE TABLE... [SONAME] -o FILE. */
#include "apigen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum mode_kind { M_TABLE, M_OUTPUT, M_TABLES, M_RING };

static const struct mode {
    const char *name;
    enum mode_kind kind;
    void (*table)(FILE *, const struct table *);
    void (*output)(FILE *, const struct table *, const struct output *);
    void (*ring)(FILE *, const struct ring *);
    const char *what;
} modes[] = {
    {"types", M_TABLE, .table = emit_types, .what = "TABLE         C header: the types of its calls"},
    {"impl", M_TABLE, .table = emit_impl, .what = "TABLE          C header: the functions to be written by hand"},
    {"numbers", M_TABLE, .table = emit_numbers, .what = "TABLE       each call's number"},
    {"api", M_OUTPUT, .output = emit_api, .what = "TABLE SONAME    C header: what the library exports"},
    {"stubs", M_OUTPUT, .output = emit_stubs, .what = "TABLE SONAME  C source: the exported wrappers"},
    {"map", M_OUTPUT, .output = emit_map, .what = "TABLE SONAME    linker version script"},
    {"coverage", M_TABLES, .what = "TABLE...   the coverage page"},
    {"ring-commands", M_RING, .ring = emit_ring_commands, .what = "RING  C header: command and reply structs"},
    {"ring-encode", M_RING, .ring = emit_ring_encode, .what = "RING    C header: encoders"},
    {"ring-decode-h", M_RING, .ring = emit_ring_decode_h, .what = "RING  C header: the executor's handlers"},
    {"ring-decode-c", M_RING, .ring = emit_ring_decode_c, .what = "RING  C source: the decoder's table"},
};

_Noreturn static void usage(void)
{
    fputs("usage: apigen MODE TABLE... [SONAME] -o FILE\n", stderr);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        fprintf(stderr, "  %s %s\n", modes[i].name, modes[i].what);
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
        emit_coverage(out = create(path), tables, inputs);
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
