/* SPDX-License-Identifier: Apache-2.0 */
/* Ring tables: parsing and checking. Layouts are refused unless every field is naturally aligned
 * and the whole is a multiple of 8, so that the structs need no packing on either side. */
#include "apigen.h"

#include <stdlib.h>
#include <string.h>

static const struct { const char *name; uint32_t size; } field_types[] = {
    {"u8", 1}, {"u16", 2}, {"u32", 4}, {"u64", 8}, {"i32", 4}, {"i64", 8}, {"f32", 4}, {"f64", 8},
};

enum { LAYOUT_MAX = 1 << 16 };

static void parse_field(struct line *line, struct layout *layout)
{
    struct token *type = next(line);
    struct field field = {.type = type->text, .count = 1};

    for (size_t i = 0; i < sizeof field_types / sizeof *field_types; i++)
        if (type->kind == T_WORD && !strcmp(type->text, field_types[i].name))
            field.size = field_types[i].size;
    if (!field.size)
        fail_at(line, type, "a field's type (u8 u16 u32 u64 i32 i64 f32 f64), 'tail' or 'reply' expected here");
    struct token *name = expect_name(line, "the field's name");
    field.name = name->text;
    if (field.name[strlen(field.name) - 1] == '_')
        fail_at(line, name, "names that end in '_' belong to the generated code");
    field.pad = !strncmp(field.name, "pad", 3);
    for (int i = 0; i < layout->count; i++)
        if (!strcmp(layout->fields[i].name, field.name))
            fail_at(line, name, "two fields are called '%s'", field.name);
    if (accept(line, "[")) {
        struct token *where = peek(line);
        field.array = true;
        field.count = expect_number(line, "the array's length", LAYOUT_MAX / 8);
        if (!field.count)
            fail_at(line, where, "an array holds at least one element");
        expect(line, "]");
    }
    field.hex = accept(line, "hex");
    expect_end(line);
    field.offset = layout->size;
    if (field.offset % field.size)
        fail_at(line, name, "'%s' would lie at offset %u, which is no multiple of its size, %u", field.name,
                field.offset, field.size);
    if (field.size * field.count > LAYOUT_MAX - layout->size)
        fail_at(line, name, "the struct grows beyond %u bytes", (unsigned)LAYOUT_MAX);
    layout->size += field.size * field.count;
    layout->fields = grow(layout->fields, layout->count, sizeof *layout->fields);
    layout->fields[layout->count++] = field;
}

static void parse_command(struct ring *ring, struct line *line)
{
    struct command command = {.line = line};
    struct token *where = peek(line);

    command.number = expect_number(line, "the command's number", 0xffff);
    if (!command.number)
        fail_at(line, where, "number 0 is the ring's filler");
    struct token *name = expect_name(line, "the command's name");
    command.name = name->text;
    for (int i = 0; i < ring->count; i++) {
        const struct command *other = &ring->commands[i];
        if (other->number == command.number)
            fail_at(line, where, "number %u is taken by %s in line %d", command.number, other->name,
                    other->line->number);
        if (!strcmp(other->name, command.name))
            fail_at(line, name, "command '%s' is declared in line %d already", command.name, other->line->number);
    }
    if (accept(line, "sync"))
        command.sync = true;
    else
        expect(line, "queued");
    expect_end(line);
    ring->commands = grow(ring->commands, ring->count, sizeof *ring->commands);
    ring->commands[ring->count++] = command;
}

static void check_sizes(const struct command *command)
{
    if (command->fixed.size % 8)
        fail_at(command->line, NULL, "the fields of %s take %u bytes; pad them to a multiple of 8", command->name,
                command->fixed.size);
    if (command->reply.size % 8)
        fail_at(command->line, NULL, "the reply of %s takes %u bytes; pad it to a multiple of 8", command->name,
                command->reply.size);
}

struct ring *read_ring(const char *path)
{
    struct source source = read_source(path);
    struct ring *ring = zalloc(sizeof *ring);

    for (int i = 0; i < source.count; i++) {
        struct line *line = &source.lines[i];
        struct command *command = ring->count ? &ring->commands[ring->count - 1] : NULL;
        if (accept(line, "command")) {
            parse_command(ring, line);
        } else if (!command) {
            fail_at(line, peek(line), "'command' expected here");
        } else if (accept(line, "tail")) {
            if (command->tail)
                fail_at(line, NULL, "%s has a tail already", command->name);
            command->tail = true;
            expect_end(line);
        } else if (accept(line, "reply")) {
            if (!command->sync)
                fail_at(line, NULL, "%s is queued, nobody waits for its reply", command->name);
            if (command->reply_tail)
                fail_at(line, NULL, "the reply's fields come before its tail");
            if (accept(line, "tail")) {
                command->reply_tail = true;
                expect_end(line);
            } else {
                parse_field(line, &command->reply);
            }
        } else {
            if (command->tail || command->reply.count || command->reply_tail)
                fail_at(line, NULL, "the fields of a command come before its tail and reply");
            parse_field(line, &command->fixed);
        }
    }
    if (!ring->count)
        die("%s: the table holds no command", path);
    for (int i = 0; i < ring->count; i++)
        check_sizes(&ring->commands[i]);
    ring->hash = source_hash(&source);
    return ring;
}
