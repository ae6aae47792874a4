/* SPDX-License-Identifier: Apache-2.0 */
/* What people and tests read: the coverage page and the list of numbers. */
#include "apigen.h"

#include <string.h>

void emit_numbers(FILE *out, struct table *const *tables, int count)
{
    for (int t = 0; t < count; t++) {
        for (int i = 0; i < tables[t]->call_count; i++) {
            const struct call *call = &tables[t]->calls[i];
            fprintf(out, "%s %u %s", tables[t]->name, call->number, call->name);
            if (!call->shared && strcmp(call->name, call->impl))
                fprintf(out, " %s", call->impl);
            fputc('\n', out);
        }
    }
}

static void count_calls(const struct table *table, const struct output *output, int counts[2])
{
    counts[C_GUEST] = counts[C_NONE] = 0;
    for (int i = 0; i < table->call_count; i++)
        if (in_output(&table->calls[i], output))
            counts[table->calls[i].class]++;
}

/* One name of a list, wrapped; entry points of some CUDA versions only say which. */
static void print_name(FILE *out, const struct call *call, int *column)
{
    char versions[48] = "";

    if (call->until && call->until == call->since)
        snprintf(versions, sizeof versions, " (%d.%d)", call->since / 100, call->since % 100);
    else if (call->until)
        snprintf(versions, sizeof versions, " (%d.%d to %d.%d)", call->since / 100, call->since % 100,
                 call->until / 100, call->until % 100);
    else if (call->since != 1209)
        snprintf(versions, sizeof versions, " (from %d.%d)", call->since / 100, call->since % 100);
    int length = (int)(strlen(call->name) + strlen(versions)) + 4;
    if (*column && *column + length > 116) {
        fputs(",\n", out);
        *column = 0;
    }
    fprintf(out, "%s`%s`%s", *column ? ", " : "", call->name, versions);
    *column += length;
}

static bool same_reason(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* The calls of a class (and, where not supported, of a reason). */
static void print_group(FILE *out, const struct table *table, enum call_class class, const char *reason)
{
    int column = 0;

    for (int i = 0; i < table->call_count; i++)
        if (table->calls[i].class == class && same_reason(table->calls[i].reason, reason))
            print_name(out, &table->calls[i], &column);
    fputs(column ? ".\n" : "None.\n", out);
}

static bool is_first_of_reason(const struct table *table, int index)
{
    for (int i = 0; i < index; i++)
        if (table->calls[i].class == C_NONE && same_reason(table->calls[i].reason, table->calls[index].reason))
            return false;
    return true;
}

static void print_table(FILE *out, const struct table *table)
{
    fprintf(out, "\n## %s\n\nImplemented:\n\n", table->name);
    print_group(out, table, C_GUEST, NULL);
    for (int i = 0; i < table->call_count; i++) {
        const struct call *call = &table->calls[i];
        if (call->class != C_NONE || !is_first_of_reason(table, i))
            continue;
        if (call->reason)
            fprintf(out, "\nNot supported (status %u), %s:\n\n", table->unsupported, call->reason);
        else
            fprintf(out, "\nNot supported (status %u):\n\n", table->unsupported);
        print_group(out, table, C_NONE, call->reason);
    }
}

void emit_coverage(FILE *out, struct table *const *tables, int count)
{
    fputs("<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
          "<!-- Written by apigen from the tables in host-device/protocol/api (ninja api-docs); not edited by hand. -->\n"
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
