/* SPDX-License-Identifier: Apache-2.0 */
/* Library tables: parsing and checking. */
#include "apigen.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct type builtin_types[] = {
    {"i8", "int8_t", F_SCALAR, true, V_I32},     {"u8", "uint8_t", F_SCALAR, true, V_U32},
    {"i16", "int16_t", F_SCALAR, true, V_I32},   {"u16", "uint16_t", F_SCALAR, true, V_U32},
    {"i32", "int32_t", F_SCALAR, true, V_I32},   {"u32", "uint32_t", F_SCALAR, true, V_U32},
    {"i64", "int64_t", F_SCALAR, true, V_I64},   {"u64", "uint64_t", F_SCALAR, true, V_U64},
    {"hex64", "uint64_t", F_SCALAR, true, V_HEX}, {"size", "size_t", F_SCALAR, true, V_U64},
    {"f32", "float", F_SCALAR, true, V_F64},     {"f64", "double", F_SCALAR, true, V_F64},
    {"char", "char", F_SCALAR, true, V_I32},    {"str", "const char *", F_SCALAR, true, V_STR},
    {"ptr", "void *", F_SCALAR, true, V_PTR},    {"void", "void", F_SCALAR, true, V_VOID},
};

static const struct type *find_type(const struct table *table, const char *name)
{
    for (size_t i = 0; i < sizeof builtin_types / sizeof *builtin_types; i++)
        if (!strcmp(builtin_types[i].name, name))
            return &builtin_types[i];
    for (int i = 0; i < table->type_count; i++)
        if (!strcmp(table->types[i]->name, name))
            return table->types[i];
    return NULL;
}

static const struct type *expect_type(const struct table *table, struct line *line)
{
    struct token *token = expect_name(line, "a type");
    const struct type *type = find_type(table, token->text);

    if (!type)
        fail_at(line, token, "no type '%s' is declared above", token->text);
    return type;
}

static int parse_version(const struct line *line, const struct token *token, const char **text)
{
    char *end;
    unsigned long major = 0, minor = 0;

    if (isdigit((unsigned char)**text)) {
        major = strtoul(*text, &end, 10);
        if (*end == '.' && isdigit((unsigned char)end[1])) {
            minor = strtoul(end + 1, &end, 10);
            if (major && major < 100 && minor < 100) {
                *text = end;
                return (int)(major * 100 + minor);
            }
        }
    }
    fail_at(line, token, "a CUDA version such as 12.9 expected in '%s'", token->text);
}

/* FROM- (still there) or FROM-UNTIL (both included). */
static void parse_range(struct line *line, int *since, int *until)
{
    struct token *token = next(line);
    const char *text = token->text;

    if (token->kind != T_WORD)
        fail_at(line, token, "a range of CUDA versions (12.9- or 12.9-12.9) expected here");
    *since = parse_version(line, token, &text);
    *until = 0;
    if (*text++ != '-')
        fail_at(line, token, "a range of CUDA versions is written 12.9- or 12.9-12.9");
    if (*text)
        *until = parse_version(line, token, &text);
    if (*text || (*until && *until < *since))
        fail_at(line, token, "not a range of CUDA versions");
}

static void parse_args(const struct table *table, struct line *line, struct arg **args, int *count)
{
    static const char *const words[] = {[D_IN] = "in", [D_OUT] = "out", [D_INOUT] = "inout"};

    expect(line, "(");
    if (accept(line, ")"))
        return;
    do {
        struct arg arg = {.direction = D_VALUE};
        for (int d = D_IN; d <= D_INOUT; d++)
            if (accept(line, words[d]))
                arg.direction = (enum direction)d;
        struct token *where = peek(line);
        arg.type = expect_type(table, line);
        if (arg.direction == D_VALUE && (arg.type->form == F_STRUCT || !strcmp(arg.type->name, "void")))
            fail_at(line, where, "'%s' cannot be passed by value", arg.type->name);
        struct token *name = expect_name(line, "the argument's name");
        arg.name = name->text;
        if (arg.name[strlen(arg.name) - 1] == '_')
            fail_at(line, name, "names that end in '_' belong to the generated code");
        for (int i = 0; i < *count; i++)
            if (!strcmp((*args)[i].name, arg.name))
                fail_at(line, name, "two arguments are called '%s'", arg.name);
        *args = grow(*args, *count, sizeof **args);
        (*args)[(*count)++] = arg;
    } while (accept(line, ","));
    expect(line, ")");
}

static void parse_type(struct table *table, struct line *line)
{
    struct token *name = expect_name(line, "the type's name");
    struct type *type = zalloc(sizeof *type);

    if (find_type(table, name->text))
        fail_at(line, name, "type '%s' is declared twice", name->text);
    type->name = type->c = name->text;
    expect(line, "=");
    if (accept(line, "handle") || accept(line, "stream")) {
        type->form = line->tokens[line->at - 1].text[0] == 'h' ? F_HANDLE : F_STREAM;
        type->value = V_PTR;
        type->tag = expect_name(line, "the handle's struct tag")->text;
    } else if (accept(line, "enum")) {
        type->form = F_ENUM;
        type->value = V_I32;
    } else if (accept(line, "struct")) {
        type->form = F_STRUCT;
        type->value = V_VOID;
    } else if (accept(line, "value")) {
        type->form = F_VALUE;
        type->value = V_STRUCT;
    } else if (accept(line, "callback")) {
        type->form = F_CALLBACK;
        type->value = V_PTR;
        type->result = expect_type(table, line);
        parse_args(table, line, &type->args, &type->arg_count);
    } else {
        const struct type *base = expect_type(table, line);
        if (!base->builtin || base->value == V_VOID)
            fail_at(line, &line->tokens[line->at - 1], "a type is named after a builtin scalar type");
        type->form = F_SCALAR;
        type->value = base->value;
        type->tag = base->c;
    }
    expect_end(line);
    table->types = grow(table->types, table->type_count, sizeof *table->types);
    table->types[table->type_count++] = type;
}

static void parse_output(struct table *table, struct line *line)
{
    struct output output = {0};
    struct token *soname = next(line);

    if (soname->kind != T_WORD)
        fail_at(line, soname, "the library's SONAME expected here");
    output.soname = soname->text;
    if (find_output(table, output.soname))
        fail_at(line, soname, "output '%s' is declared twice", output.soname);
    parse_range(line, &output.since, &output.until);
    if (accept(line, "node")) {
        struct token *node = next(line);
        if (node->kind != T_WORD)
            fail_at(line, node, "the version node's name expected here");
        output.node = node->text;
    }
    expect_end(line);
    table->outputs = grow(table->outputs, table->output_count, sizeof *table->outputs);
    table->outputs[table->output_count++] = output;
}

static const struct call *find_number(const struct table *table, uint32_t number)
{
    for (int i = 0; i < table->call_count; i++)
        if (table->calls[i].number == number)
            return &table->calls[i];
    return NULL;
}

static bool overlap(const struct call *a, const struct call *b)
{
    return (!a->until || b->since <= a->until) && (!b->until || a->since <= b->until);
}

static void add_call(struct table *table, const struct call *call)
{
    const struct call *other = find_number(table, call->number);

    if (other)
        fail_at(call->line, call->where, "number %u is taken by %s in line %d", call->number, other->name,
                other->line->number);
    for (int i = 0; i < table->call_count; i++) {
        other = &table->calls[i];
        if (!strcmp(other->name, call->name) && overlap(other, call))
            fail_at(call->line, call->where, "%s is declared for the same CUDA version in line %d", call->name,
                    other->line->number);
        if (!call->shared && !other->shared && !strcmp(other->impl, call->impl))
            fail_at(call->line, call->where, "impl_%s belongs to line %d; give this one its own with 'impl NAME'",
                    call->impl, other->line->number);
    }
    table->calls = grow(table->calls, table->call_count, sizeof *table->calls);
    table->calls[table->call_count++] = *call;
}

static void start_call(struct table *table, struct line *line, struct call *call)
{
    if (!table->status)
        fail_at(line, NULL, "the 'status' line must come before the first call");
    call->line = line;
    call->number = expect_number(line, "the call's number", 0xffff);
    call->where = expect_name(line, "the call's name");
    call->name = call->impl = call->where->text;
}

/* call NUMBER NAME guest|none RANGE (ARGS) [returns TYPE] [impl NAME] ["reason"] */
static void parse_call(struct table *table, struct line *line)
{
    struct call call = {0};

    start_call(table, line, &call);
    if (accept(line, "guest"))
        call.class = C_GUEST;
    else if (accept(line, "none"))
        call.class = C_NONE;
    else
        fail_at(line, peek(line), "the call's class, 'guest' or 'none', expected here");
    parse_range(line, &call.since, &call.until);
    parse_args(table, line, &call.args, &call.arg_count);
    call.result = table->status;
    if (accept(line, "returns")) {
        struct token *where = peek(line);
        call.result = expect_type(table, line);
        if (call.result->form == F_STRUCT)
            fail_at(line, where, "'%s' cannot be returned by value", call.result->name);
    }
    if (accept(line, "impl"))
        call.impl = expect_name(line, "the implementation's name")->text;
    if (peek(line)->kind == T_STRING) {
        if (call.class != C_NONE)
            fail_at(line, peek(line), "only a call of class 'none' carries a reason");
        call.reason = next(line)->text;
    }
    expect_end(line);
    add_call(table, &call);
}

/* alias NUMBER NAME of NUMBER RANGE, variant NUMBER NAME of NUMBER RANGE */
static void parse_shared(struct table *table, struct line *line, bool per_thread)
{
    struct call call = {.per_thread = per_thread};

    start_call(table, line, &call);
    expect(line, "of");
    struct token *where = peek(line);
    const struct call *of = find_number(table, expect_number(line, "the number of the call it shares", 0xffff));
    if (!of)
        fail_at(line, where, "no call above has number %s", where->text);
    if (of->shared)
        fail_at(line, where, "%s is itself an alias or variant", of->name);
    parse_range(line, &call.since, &call.until);
    expect_end(line);
    call.shared = true;
    call.impl = of->impl;
    call.class = of->class;
    call.reason = of->reason;
    call.result = of->result;
    call.args = of->args;
    call.arg_count = of->arg_count;
    add_call(table, &call);
}

struct table *read_table(const char *path)
{
    struct source source = read_source(path);
    struct table *table = zalloc(sizeof *table);

    if (!source.count)
        die("%s: the table is empty", path);
    for (int i = 0; i < source.count; i++) {
        struct line *line = &source.lines[i];
        if (i == 0) {
            expect(line, "library");
            table->name = expect_name(line, "the library's name")->text;
            expect_end(line);
        } else if (accept(line, "status")) {
            if (table->status)
                fail_at(line, NULL, "the library has a status type already");
            table->status = expect_type(table, line);
            table->unsupported = expect_number(line, "the status of a call that is not supported", 0x7fffffff);
            expect_end(line);
        } else if (accept(line, "output")) {
            parse_output(table, line);
        } else if (accept(line, "type")) {
            parse_type(table, line);
        } else if (accept(line, "call")) {
            parse_call(table, line);
        } else if (accept(line, "alias")) {
            parse_shared(table, line, false);
        } else if (accept(line, "variant")) {
            parse_shared(table, line, true);
        } else {
            fail_at(line, peek(line), "a line starts with status, output, type, call, alias or variant");
        }
    }
    if (!table->output_count || !table->status)
        die("%s: the table needs an 'output' and a 'status' line", path);
    return table;
}

const struct output *find_output(const struct table *table, const char *soname)
{
    for (int i = 0; i < table->output_count; i++)
        if (!strcmp(table->outputs[i].soname, soname))
            return &table->outputs[i];
    return NULL;
}

bool in_output(const struct call *call, const struct output *output)
{
    return (!call->until || output->since <= call->until) && (!output->until || call->since <= output->until);
}
