/* SPDX-License-Identifier: Apache-2.0 */
/* What people and tests read: the coverage page and the list of numbers. */
#include "apigen.h"

#include <string.h>

void emit_numbers(FILE *out, const struct table *table)
{
    for (int i = 0; i < table->call_count; i++) {
        const struct call *call = &table->calls[i];
        fprintf(out, "%s %u %s", table->name, call->number, call->name);
        if (!call->shared && strcmp(call->name, call->impl))
            fprintf(out, " %s", call->impl);
        fputc('\n', out);
    }
}

static void count_calls(const struct table *table, const struct output *output, int counts[2])
{
    counts[C_GUEST] = counts[C_NONE] = 0;
    for (int i = 0; i < table->call_count; i++)
        if (in_output(&table->calls[i], output))
            counts[table->calls[i].class]++;
}

static void print_versions(FILE *out, const struct call *call)
{
    fprintf(out, "%d.%d", call->since / 100, call->since % 100);
    if (call->until == call->since)
        fputs(" only", out);
    else if (call->until)
        fprintf(out, " to %d.%d", call->until / 100, call->until % 100);
    else
        fputs(" on", out);
}

static void print_table(FILE *out, const struct table *table)
{
    int none = 0;

    fprintf(out, "\n## %s\n", table->name);
    fputs("\nImplemented:\n", out);
    int column = 0;
    for (int i = 0; i < table->call_count; i++) {
        const struct call *call = &table->calls[i];
        if (call->class != C_GUEST) {
            none++;
            continue;
        }
        int length = (int)strlen(call->name) + 3;
        if (column && column + length > 110) {
            fputs(",\n", out);
            column = 0;
        }
        fprintf(out, "%s`%s`", column ? ", " : "", call->name);
        column += length;
    }
    fputs(column ? "\n" : "none.\n", out);
    if (!none)
        return;
    fprintf(out, "\nNot supported (the call returns status %u):\n\n", table->unsupported);
    fputs("| call | number | CUDA | why |\n| --- | --- | --- | --- |\n", out);
    for (int i = 0; i < table->call_count; i++) {
        const struct call *call = &table->calls[i];
        if (call->class != C_NONE)
            continue;
        fprintf(out, "| `%s` | %u | ", call->name, call->number);
        print_versions(out, call);
        fprintf(out, " | %s |\n", call->reason ? call->reason : "");
    }
}

void emit_coverage(FILE *out, struct table *const *tables, int count)
{
    fputs("<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
          "<!-- Written by apigen from the tables in host-device/protocol/api (ninja coverage); not edited by hand. -->\n"
          "# What the guest libraries support\n\n"
          "Every public entry point is exported; one that is not supported fails with the library's own\n"
          "NOT_SUPPORTED status and is named once in the log.\n\n"
          "| library | entry points | implemented | not supported |\n| --- | --- | --- | --- |\n", out);
    for (int t = 0; t < count; t++) {
        for (int o = 0; o < tables[t]->output_count; o++) {
            int counts[2];
            count_calls(tables[t], &tables[t]->outputs[o], counts);
            fprintf(out, "| %s | %d | %d | %d |\n", tables[t]->outputs[o].soname, counts[C_GUEST] + counts[C_NONE],
                    counts[C_GUEST], counts[C_NONE]);
        }
    }
    for (int t = 0; t < count; t++)
        print_table(out, tables[t]);
}
