/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest library is built from: types, prototypes, exported wrappers, the version script. */
#include "apigen.h"

#include <string.h>

static void banner(FILE *out, const struct table *table)
{
    fprintf(out, "/* SPDX-License-Identifier: Apache-2.0 */\n/* Written by apigen from %s.api. */\n", table->name);
}

static bool ends_with_star(const char *text)
{
    return *text && text[strlen(text) - 1] == '*';
}

static void print_declarator(FILE *out, const char *type, const char *name)
{
    fprintf(out, "%s%s%s", type, ends_with_star(type) ? "" : " ", name);
}

static void print_arg(FILE *out, const struct arg *arg)
{
    const char *type = arg->type->c;

    if (arg->direction == D_VALUE) {
        print_declarator(out, type, arg->name);
    } else if (arg->direction != D_IN) {
        fprintf(out, "%s%s*%s", type, ends_with_star(type) ? "" : " ", arg->name);
    } else if (ends_with_star(type)) {
        fprintf(out, "%sconst *%s", type, arg->name);
    } else {
        fprintf(out, "const %s *%s", type, arg->name);
    }
}

static void print_args(FILE *out, const struct arg *args, int count)
{
    if (!count)
        fputs("(void", out);
    for (int i = 0; i < count; i++) {
        fputs(i ? ", " : "(", out);
        print_arg(out, &args[i]);
    }
    fputc(')', out);
}

static void print_prototype(FILE *out, const struct call *call, const char *prefix, const char *name)
{
    fprintf(out, "%s%s%s%s", call->result->c, ends_with_star(call->result->c) ? "" : " ", prefix, name);
    print_args(out, call->args, call->arg_count);
}

void emit_types(FILE *out, const struct table *table)
{
    banner(out, table);
    fprintf(out, "/* The types of %s's calls. Structs that calls take by pointer are only named here. */\n", table->name);
    fprintf(out, "#ifndef VGPU_%s_TYPES_H\n#define VGPU_%s_TYPES_H\n\n", table->name, table->name);
    fputs("#include <stddef.h>\n#include <stdint.h>\n\n#include \"channel/abi_types.h\"\n\n", out);
    for (int i = 0; i < table->type_count; i++) {
        const struct type *type = table->types[i];
        switch (type->form) {
        case F_SCALAR:
            fputs("typedef ", out);
            print_declarator(out, type->tag, type->name);
            fputs(";\n", out);
            break;
        case F_HANDLE:
        case F_STREAM:
            fprintf(out, "typedef struct %s *%s;\n", type->tag, type->name);
            break;
        case F_ENUM:
            fprintf(out, "typedef int %s;\n", type->name);
            break;
        case F_STRUCT:
            fprintf(out, "typedef struct %s %s;\n", type->name, type->name);
            break;
        case F_CALLBACK:
            fprintf(out, "typedef %s (*%s)", type->result->c, type->name);
            print_args(out, type->args, type->arg_count);
            fputs(";\n", out);
            break;
        case F_VALUE: /* abi_types.h defines it */
            break;
        }
    }
    fputs("\n#endif\n", out);
}

void emit_impl(FILE *out, const struct table *table)
{
    banner(out, table);
    fprintf(out, "/* What the hand-written part of %s defines. */\n", table->name);
    fprintf(out, "#ifndef VGPU_%s_IMPL_H\n#define VGPU_%s_IMPL_H\n\n", table->name, table->name);
    fprintf(out, "#include \"%s_types.h\"\n\n", table->name);
    for (int i = 0; i < table->call_count; i++) {
        const struct call *call = &table->calls[i];
        if (call->shared || call->class != C_GUEST)
            continue;
        print_prototype(out, call, "impl_", call->impl);
        fputs(";\n", out);
    }
    fputs("\n#endif\n", out);
}

void emit_api(FILE *out, const struct table *table, const struct output *output)
{
    banner(out, table);
    fprintf(out, "/* What %s exports. */\n", output->soname);
    fprintf(out, "#ifndef VGPU_%s_API_H\n#define VGPU_%s_API_H\n\n", table->name, table->name);
    fprintf(out, "#include \"%s_types.h\"\n\n", table->name);
    for (int i = 0; i < table->call_count; i++) {
        if (!in_output(&table->calls[i], output))
            continue;
        print_prototype(out, &table->calls[i], "", table->calls[i].name);
        fputs(";\n", out);
    }
    fputs("\n#endif\n", out);
}

static const char *const kind_names[] = {
    [V_I32] = "VGPU_ARG_I32", [V_U32] = "VGPU_ARG_U32", [V_I64] = "VGPU_ARG_I64", [V_U64] = "VGPU_ARG_U64",
    [V_HEX] = "VGPU_ARG_HEX", [V_F64] = "VGPU_ARG_F64", [V_STR] = "VGPU_ARG_STR", [V_PTR] = "VGPU_ARG_PTR",
    [V_STRUCT] = "VGPU_ARG_STRUCT", [V_VOID] = "VGPU_ARG_VOID",
};

/* How the tracer shows an argument, and, for one that the call writes, the value it points to: only kinds
 * that fill 4 or 8 bytes, and no texts, which may not end. */
static const char *arg_kind(const struct arg *arg, bool *written)
{
    static const char *const unread[] = {"char", "int8_t", "uint8_t", "int16_t", "uint16_t", "float", "double"};
    enum value_kind value = arg->type->value;

    *written = arg->direction == D_OUT && value != V_STRUCT && value != V_VOID && value != V_STR;
    for (size_t i = 0; i < sizeof unread / sizeof *unread; i++)
        if (!strcmp(arg->type->form == F_SCALAR && arg->type->tag ? arg->type->tag : arg->type->c, unread[i]))
            *written = false;
    if (arg->direction != D_VALUE && !*written)
        return "VGPU_ARG_PTR";
    return kind_names[value];
}

static void print_info(FILE *out, const struct table *table, const struct call *call)
{
    if (call->arg_count) {
        fprintf(out, "static const struct vgpu_arg args_%u[] = {", call->number);
        for (int i = 0; i < call->arg_count; i++) {
            bool written;
            const char *kind = arg_kind(&call->args[i], &written);
            fprintf(out, "%s{\"%s\", %s, %d}", i ? ", " : "", call->args[i].name, kind, written);
        }
        fputs("};\n", out);
    }
    fprintf(out, "static struct vgpu_call call_%u = {.name = \"%s\", .unsupported = %u, .result = %s, .status = %d",
            call->number, call->name, table->unsupported, kind_names[call->result->value], call->result == table->status);
    if (call->arg_count)
        fprintf(out, ", .args = args_%u, .arg_count = %d", call->number, call->arg_count);
    if (call->reason)
        fprintf(out, ", .reason = \"%s\"", call->reason);
    fputs("};\n", out);
}

/* The arguments as the tracer takes them: one 64-bit word each. Local names end in '_', which no argument's does. */
static void print_words(FILE *out, const struct call *call)
{
    if (!call->arg_count)
        return;
    fputs("    const uint64_t words_[] = {", out);
    for (int i = 0; i < call->arg_count; i++) {
        const struct arg *arg = &call->args[i];
        const char *name = arg->name;
        fputs(i ? ", " : "", out);
        if (arg->direction != D_VALUE || arg->type->value == V_PTR || arg->type->value == V_STR)
            fprintf(out, "(uint64_t)(uintptr_t)%s", name);
        else if (arg->type->value == V_STRUCT)
            fprintf(out, "(uint64_t)(uintptr_t)&%s", name);
        else if (arg->type->value == V_F64)
            fprintf(out, "vgpu_bits(%s)", name);
        else
            fprintf(out, "(uint64_t)%s", name);
    }
    fputs("};\n", out);
}

static const struct arg *stream_arg(const struct call *call)
{
    for (int i = 0; i < call->arg_count; i++)
        if (call->args[i].direction == D_VALUE && call->args[i].type->form == F_STREAM)
            return &call->args[i];
    return NULL;
}

static void print_impl_call(FILE *out, const struct call *call)
{
    fprintf(out, "impl_%s(", call->impl);
    for (int i = 0; i < call->arg_count; i++)
        fprintf(out, "%s%s", i ? ", " : "", call->args[i].name);
    fputs(")", out);
}

/* A value as vgpu_call_leave() takes it. */
static void print_word(FILE *out, const struct type *type, const char *name)
{
    if (type->form == F_VALUE)
        fputs("0", out);
    else if (type->value == V_F64)
        fprintf(out, "vgpu_bits(%s)", name);
    else if (type->value == V_STR || type->value == V_PTR)
        fprintf(out, "(uint64_t)(uintptr_t)%s", name);
    else
        fprintf(out, "(uint64_t)%s", name);
}

static void print_per_thread(FILE *out, const struct call *call)
{
    const struct arg *stream = stream_arg(call);

    if (stream)
        fprintf(out, "    %s = %s ? %s : (%s)VGPU_PER_THREAD_STREAM;\n", stream->name, stream->name, stream->name,
                stream->type->c);
    else
        fputs("    VGPU_PER_THREAD_SCOPE;\n", out);
}

static void print_guest_body(FILE *out, const struct table *table, const struct call *call)
{
    bool is_void = call->result->value == V_VOID, is_status = call->result == table->status;
    const char *words = call->arg_count ? "words_" : "NULL";

    if (call->per_thread)
        print_per_thread(out, call);
    if (!is_void) {
        fputs("    if (__builtin_expect(!vgpu_hooks_on, 1))\n        return ", out);
        print_impl_call(out, call);
        fputs(";\n", out);
    }
    print_words(out, call);
    if (is_status)
        fputs("    int fault_;\n", out);
    else
        fprintf(out, "    vgpu_call_enter(&call_%u, %s, NULL);\n", call->number, words);
    fputs("    ", out);
    if (!is_void) {
        print_declarator(out, call->result->c, "result_");
        fputs(" = ", out);
    }
    if (is_status)
        fprintf(out, "vgpu_call_enter(&call_%u, %s, &fault_) ? fault_ : ", call->number, words);
    print_impl_call(out, call);
    fprintf(out, ";\n    vgpu_call_leave(&call_%u, %s, ", call->number, words);
    if (is_void)
        fputs("0", out);
    else
        print_word(out, call->result, "result_");
    fputs(is_void ? ");\n" : ");\n    return result_;\n", out);
}

static void print_none_body(FILE *out, const struct table *table, const struct call *call)
{
    const char *words = call->arg_count ? "words_" : "NULL";

    print_words(out, call);
    if (call->result == table->status) {
        fprintf(out, "    return (%s)vgpu_call_unsupported(&call_%u, %s);\n", call->result->c, call->number, words);
        return;
    }
    fprintf(out, "    vgpu_call_unsupported(&call_%u, %s);\n", call->number, words);
    if (call->result->form == F_VALUE)
        fprintf(out, "    return (%s){0};\n", call->result->c);
    else if (call->result->value != V_VOID)
        fputs("    return 0;\n", out);
}

void emit_stubs(FILE *out, const struct table *table, const struct output *output)
{
    banner(out, table);
    fprintf(out, "/* The entry points of %s. */\n#include \"%s_impl.h\"\n\n", output->soname, table->name);
    fputs("#include <string.h>\n\n#include \"channel/hooks.h\"\n\n", out);
    fprintf(out, "const char *const vgpu_log_name = \"%s\";\n", output->soname);
    for (int i = 0; i < table->call_count; i++) {
        const struct call *call = &table->calls[i];
        if (!in_output(call, output))
            continue;
        fputc('\n', out);
        print_info(out, table, call);
        fputs("VGPU_EXPORT ", out);
        print_prototype(out, call, "", call->name);
        fputs(";\n", out);
        print_prototype(out, call, "", call->name);
        fputs("\n{\n", out);
        if (call->class == C_GUEST)
            print_guest_body(out, table, call);
        else
            print_none_body(out, table, call);
        fputs("}\n", out);
    }
}

void emit_map(FILE *out, const struct table *table, const struct output *output)
{
    fprintf(out, "/* Written by apigen from %s.api. */\n", table->name);
    fprintf(out, "%s%s{\n    global:\n", output->node ? output->node : "", output->node ? " " : "");
    for (int i = 0; i < table->call_count; i++)
        if (in_output(&table->calls[i], output))
            fprintf(out, "        %s;\n", table->calls[i].name);
    fputs("    local:\n        *;\n};\n", out);
}
