/* SPDX-License-Identifier: Apache-2.0 */
/* What both sides of the command ring are built from: structs, encoders, the decoder. */
#include "apigen.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

static const char *c_type(const struct field *field)
{
    static const char *const names[][2] = {
        {"u8", "uint8_t"}, {"u16", "uint16_t"}, {"u32", "uint32_t"}, {"u64", "uint64_t"},
        {"i32", "int32_t"}, {"i64", "int64_t"}, {"f32", "float"}, {"f64", "double"},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i][0], field->type))
            return names[i][1];
    return "void";
}

static void print_upper(FILE *out, const char *text)
{
    for (; *text; text++)
        fputc(toupper((unsigned char)*text), out);
}

static void banner(FILE *out, const char *guard)
{
    fputs("/* SPDX-License-Identifier: Apache-2.0 */\n/* Written by apigen from ring.api. */\n", out);
    if (guard)
        fprintf(out, "#ifndef %s\n#define %s\n\n", guard, guard);
}

static void print_struct(FILE *out, const char *kind, const char *name, const struct layout *layout)
{
    if (!layout->count)
        return;
    fprintf(out, "\nstruct vgpu_%s_%s {\n", kind, name);
    for (int i = 0; i < layout->count; i++) {
        const struct field *field = &layout->fields[i];
        fprintf(out, "    %s %s", c_type(field), field->name);
        if (field->array)
            fprintf(out, "[%u]", field->count);
        fputs(";\n", out);
    }
    fputs("};\n", out);
    fprintf(out, "_Static_assert(sizeof(struct vgpu_%s_%s) == %u, \"%s\");\n", kind, name, layout->size, name);
    for (int i = 0; i < layout->count; i++)
        fprintf(out, "_Static_assert(offsetof(struct vgpu_%s_%s, %s) == %u, \"%s\");\n", kind, name,
                layout->fields[i].name, layout->fields[i].offset, layout->fields[i].name);
}

void emit_ring_commands(FILE *out, const struct ring *ring)
{
    banner(out, "VGPU_RING_COMMANDS_H");
    fputs("#include <stddef.h>\n#include <stdint.h>\n\n", out);
    fprintf(out, "/* Changes whenever the table says something else. */\n#define VGPU_API_HASH 0x%016" PRIx64 "u\n\n",
            ring->hash);
    fputs("enum vgpu_ring_command {\n", out);
    for (int i = 0; i < ring->count; i++) {
        fputs("    VGPU_CMD_", out);
        print_upper(out, ring->commands[i].name);
        fprintf(out, " = 0x%x,\n", ring->commands[i].number);
    }
    fputs("};\n", out);
    for (int i = 0; i < ring->count; i++) {
        print_struct(out, "cmd", ring->commands[i].name, &ring->commands[i].fixed);
        print_struct(out, "reply", ring->commands[i].name, &ring->commands[i].reply);
    }
    fputs("\n#endif\n", out);
}

void emit_ring_encode(FILE *out, const struct ring *ring)
{
    banner(out, "VGPU_RING_ENCODE_H");
    fputs("/* Fill a command's fixed part; pads are zeroed. Arrays are read whole. */\n"
          "#include <string.h>\n\n#include \"ring_commands.h\"\n", out);
    for (int i = 0; i < ring->count; i++) {
        const struct command *command = &ring->commands[i];
        if (!command->fixed.count)
            continue;
        fprintf(out, "\nstatic inline void vgpu_encode_%s(struct vgpu_cmd_%s *command_", command->name, command->name);
        for (int f = 0; f < command->fixed.count; f++) {
            const struct field *field = &command->fixed.fields[f];
            if (field->pad)
                continue;
            if (field->array)
                fprintf(out, ", const %s %s[%u]", c_type(field), field->name, field->count);
            else
                fprintf(out, ", %s %s", c_type(field), field->name);
        }
        fputs(")\n{\n", out);
        for (int f = 0; f < command->fixed.count; f++) {
            const struct field *field = &command->fixed.fields[f];
            if (field->pad)
                fprintf(out, "    memset(&command_->%s, 0, sizeof command_->%s);\n", field->name, field->name);
            else if (field->array)
                fprintf(out, "    memcpy(command_->%s, %s, sizeof command_->%s);\n", field->name, field->name,
                        field->name);
            else
                fprintf(out, "    command_->%s = %s;\n", field->name, field->name);
        }
        fputs("}\n", out);
    }
    fputs("\n#endif\n", out);
}

/* The handler's parameters follow what the command has. */
static void print_handler(FILE *out, const struct command *command)
{
    fprintf(out, "uint32_t vgx_cmd_%s(void *executor", command->name);
    if (command->fixed.count)
        fprintf(out, ", const struct vgpu_cmd_%s *cmd", command->name);
    if (command->tail)
        fputs(", const void *tail, size_t tail_size", out);
    if (command->reply.count)
        fprintf(out, ", struct vgpu_reply_%s *reply", command->name);
    if (command->reply_tail)
        fputs(", struct vgpu_reply_tail *reply_tail", out);
    fputs(")", out);
}

void emit_ring_decode_h(FILE *out, const struct ring *ring)
{
    uint32_t reply_max = 0;

    banner(out, "VGPU_RING_DECODE_H");
    fputs("/* The executor defines these. CMD and TAIL are the host's own copy, 8-aligned; a handler\n"
          " * checks values, sizes are checked already. It returns a status for the guest; a reply is zeroed\n"
          " * before and travels only with status 0, a reply's tail always. */\n"
          "#include \"decode.h\"\n#include \"ring_commands.h\"\n\n", out);
    for (int i = 0; i < ring->count; i++) {
        if (ring->commands[i].reply.size > reply_max)
            reply_max = ring->commands[i].reply.size;
        print_handler(out, &ring->commands[i]);
        fputs(";\n", out);
    }
    fprintf(out, "\n#define VGPU_REPLY_MAX %u /* bytes of the largest reply */\n\n#endif\n", reply_max);
}

static void print_fields(FILE *out, const char *kind, const struct command *command, const struct layout *layout)
{
    if (!layout->count)
        return;
    fprintf(out, "static const struct vgpu_ring_field %s_%s[] = {\n", kind, command->name);
    for (int i = 0; i < layout->count; i++) {
        const struct field *field = &layout->fields[i];
        fprintf(out, "    {\"%s\", '%c', %u, %u, %u, %d, %d},\n", field->name, field->type[0], field->size,
                field->offset, field->count, field->hex, field->pad);
    }
    fputs("};\n\n", out);
}

static int by_number(const struct ring *ring, uint32_t number)
{
    for (int i = 0; i < ring->count; i++)
        if (ring->commands[i].number == number)
            return i;
    return -1;
}

void emit_ring_decode_c(FILE *out, const struct ring *ring)
{
    uint32_t last = 0;

    banner(out, NULL);
    fputs("#include \"ring_decode.h\"\n\n", out);
    for (int i = 0; i < ring->count; i++) {
        const struct command *command = &ring->commands[i];
        if (command->number > last)
            last = command->number;
        fprintf(out,
                "static uint32_t call_%s(void *executor, const void *cmd, const void *tail, size_t tail_size, void *reply,\n"
                "    struct vgpu_reply_tail *reply_tail)\n{\n    return vgx_cmd_%s(executor%s%s%s%s);\n}\n\n",
                command->name, command->name, command->fixed.count ? ", cmd" : "",
                command->tail ? ", tail, tail_size" : "", command->reply.count ? ", reply" : "",
                command->reply_tail ? ", reply_tail" : "");
        print_fields(out, "fields", command, &command->fixed);
        print_fields(out, "reply", command, &command->reply);
    }
    fputs("static const struct vgpu_ring_info infos[] = {\n", out);
    for (uint32_t number = 0; number <= last; number++) {
        int i = by_number(ring, number);
        if (i < 0)
            continue;
        const struct command *command = &ring->commands[i];
        fprintf(out, "    [0x%x] = {.name = \"%s\", .sync = %d, .has_tail = %d, .has_reply_tail = %d, .fixed_size = %u, .reply_size = %u,\n"
                "        .call = call_%s", number, command->name, command->sync, command->tail,
                command->reply_tail, command->fixed.size, command->reply.size, command->name);
        if (command->fixed.count)
            fprintf(out, ", .fields = fields_%s, .field_count = %d", command->name, command->fixed.count);
        if (command->reply.count)
            fprintf(out, ", .reply_fields = reply_%s, .reply_field_count = %d", command->name, command->reply.count);
        fputs("},\n", out);
    }
    fputs("};\n\nconst struct vgpu_ring_info *vgpu_ring_info(unsigned command)\n{\n"
          "    if (command >= sizeof infos / sizeof *infos || !infos[command].name)\n        return NULL;\n"
          "    return &infos[command];\n}\n", out);
}
