/* SPDX-License-Identifier: Apache-2.0 */
/* The generator: golden output of two tiny tables, the place of every kind of mistake, hostile tables, and the
 * files that are made from the real tables and checked in. With VGPU_UPDATE_GOLDEN=1 the golden files are
 * written instead of compared.
 *
 *   test_apigen APIGEN GOLDEN-DIR SOURCE-ROOT */
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

extern char **environ;

static const char *apigen, *golden_dir, *root;
static char dir[] = "/tmp/vgpu-apigen-XXXXXX";

static char *slurp(const char *path)
{
    FILE *in = fopen(path, "r");
    size_t size = 0, room = 1 << 16;
    char *text = malloc(room);

    if (!in) {
        free(text);
        return NULL;
    }
    while ((size += fread(text + size, 1, room - size - 1, in)) == room - 1)
        text = realloc(text, room *= 2);
    text[size] = 0;
    fclose(in);
    return text;
}

static void spill(const char *path, const char *text, size_t size)
{
    FILE *out = fopen(path, "w");

    if (!out || fwrite(text, 1, size, out) != size || fclose(out))
        abort();
}

/* Runs apigen with up to 9 arguments; its exit status, or 128 + signal. stderr goes to DIR/errors. */
static int generate(const char *const *args)
{
    posix_spawn_file_actions_t actions;
    char *argv[12] = {(char *)apigen}, errors[64];
    pid_t child;
    int status;

    for (int i = 0; i < 10 && args[i]; i++)
        argv[i + 1] = (char *)args[i];
    snprintf(errors, sizeof errors, "%s/errors", dir);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    status = posix_spawn(&child, apigen, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (status || waitpid(child, &status, 0) != child)
        return 127;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static char *in_dir(const char *name)
{
    static char paths[4][128];
    static int turn;
    char *path = paths[turn++ & 3];

    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static void test_golden(const char *mode, const char *table, const char *soname, const char *name)
{
    char table_path[4096], golden_path[4096];
    const char *out = in_dir("out");

    snprintf(table_path, sizeof table_path, "%s/%s", golden_dir, table);
    snprintf(golden_path, sizeof golden_path, "%s/%s", golden_dir, name);
    const char *with[] = {mode, table_path, soname, "-o", out, NULL};
    const char *without[] = {mode, table_path, "-o", out, NULL};
    if (!is_u64(generate(soname ? with : without), 0, "%s of %s", mode, table))
        return;
    char *got = slurp(out);
    if (getenv("VGPU_UPDATE_GOLDEN")) {
        spill(golden_path, got, strlen(got));
    } else {
        char *want = slurp(golden_path);
        if (!ok(want && !strcmp(got, want), "%s is as recorded", name)) {
            char command[9000];
            snprintf(command, sizeof command, "diff '%s' '%s' | sed 's/^/# /'", golden_path, out);
            fflush(stdout);
            if (system(command))
                diag("diff failed");
        }
        free(want);
    }
    free(got);
}

/* ---- mistakes: the table's text, the place, a part of the message ---- */

#define HEAD "library t\ntype S = enum\nstatus S 801\noutput libt.so.1 12.9-\n" /* 4 lines */
#define CALL HEAD "call 1 a guest 12.9- (u32 x)\n"

static const struct mistake {
    const char *text, *place, *message;
} mistakes[] = {
    {"", "", "empty"},
    {"call 1 a guest 12.9- ()\n", ":1:1:", "'library' expected"},
    {"library 1\n", ":1:9:", "the library's name expected"},
    {"library t\ncall 1 a guest 12.9- ()\n", ":2:1:", "'status' line must come before"},
    {"library t\nstatus S 1\n", ":2:8:", "no type 'S'"},
    {"library t\nwhat\n", ":2:1:", "a line starts with"},
    {"library t\ntype S = enum\nstatus S 801\n", "", "needs an 'output'"},
    {HEAD "output libt.so.1 12.9-\n", ":5:8:", "declared twice"},
    {HEAD "output libu.so.1 12\n", ":5:18:", "a CUDA version"},
    {HEAD "output libu.so.1 13.0-12.9\n", ":5:18:", "not a range"},
    {HEAD "output libu.so.1 12.9-99999999999999999999.1\n", ":5:18:", "a CUDA version"},
    {HEAD "type u32 = enum\n", ":5:6:", "declared twice"},
    {HEAD "type T = banana\n", ":5:10:", "no type 'banana'"},
    {HEAD "type T = void\n", ":5:10:", "builtin scalar"},
    {CALL "call 1 b guest 12.9- ()\n", ":6:8:", "number 1 is taken by a in line 5"},
    {CALL "call 2 a guest 13.0- ()\n", ":6:8:", "same CUDA version in line 5"},
    {HEAD "call 1 a guest 12.9-12.9 ()\ncall 2 a guest 13.0- ()\n", ":6:8:", "impl_a belongs to line 5"},
    {HEAD "call 70000 a guest 12.9- ()\n", ":5:6:", "up to 65535"},
    {HEAD "call -1 a guest 12.9- ()\n", ":5:6:", "a number"},
    {HEAD "call 1x a guest 12.9- ()\n", ":5:6:", "a number"},
    {HEAD "call 1 a-b guest 12.9- ()\n", ":5:8:", "the call's name"},
    {HEAD "call 1 a done 12.9- ()\n", ":5:10:", "'guest' or 'none'"},
    {HEAD "call 1 a guest 12.9- (banana x)\n", ":5:23:", "no type 'banana'"},
    {HEAD "call 1 a guest 12.9- (void x)\n", ":5:23:", "by value"},
    {HEAD "type D = struct\ncall 1 a guest 12.9- (D x)\n", ":6:23:", "by value"},
    {HEAD "type D = struct\ncall 1 a guest 12.9- () returns D\n", ":6:33:", "by value"},
    {HEAD "call 1 a guest 12.9- (u32 x, u32 x)\n", ":5:34:", "two arguments"},
    {HEAD "call 1 a guest 12.9- (u32 x_)\n", ":5:27:", "names that end in '_'"},
    {HEAD "call 1 a guest 12.9- (u32 x\n", ":5:28:", "')' expected"},
    {HEAD "call 1 a guest 12.9- (u32)\n", ":5:26:", "argument's name"},
    {HEAD "call 1 a guest 12.9- () \"why\"\n", ":5:25:", "only a call of class 'none'"},
    {HEAD "call 1 a none 12.9- () \"why\n", ":5:24:", "does not end"},
    {HEAD "call 1 a none 12.9- () more\n", ":5:24:", "should end here"},
    {HEAD "call 1 a none 12.9- ($)\n", ":5:22:", "no table uses"},
    {CALL "alias 2 b of 3 12.9-\n", ":6:14:", "no call above"},
    {CALL "alias 2 b of 1 12.9-\nvariant 3 c of 2 12.9-\n", ":7:16:", "itself an alias"},
};

static const struct mistake ring_mistakes[] = {
    {"", "", "no command"},
    {"u32 a\n", ":1:1:", "'command' expected"},
    {"command 0 a queued\n", ":1:9:", "filler"},
    {"command 1 a later\n", ":1:13:", "'queued' expected"},
    {"command 1 a queued\ncommand 1 b queued\n", ":2:9:", "taken by a in line 1"},
    {"command 1 a queued\ncommand 2 a queued\n", ":2:11:", "in line 1 already"},
    {"command 1 a queued\n u32 x\n", ":1:1:", "take 4 bytes"},
    {"command 1 a queued\n u32 x\n u64 y\n", ":3:6:", "no multiple of its size"},
    {"command 1 a queued\n u33 x\n", ":2:2:", "a field's type"},
    {"command 1 a queued\n u64 x\n u64 x\n", ":3:6:", "two fields"},
    {"command 1 a queued\n u64 x_\n", ":2:6:", "names that end in '_'"},
    {"command 1 a queued\n u64 x[0]\n", ":2:8:", "at least one"},
    {"command 1 a queued\n u64 x[8192]\n u64 y\n", ":3:6:", "grows beyond"},
    {"command 1 a queued\n u64 x[8193]\n", ":2:8:", "up to 8192"},
    {"command 1 a queued\n u64 x[2\n", ":2:9:", "']' expected"},
    {"command 1 a queued\n u64 x decimal\n", ":2:8:", "should end here"},
    {"command 1 a queued\n reply u64 x\n", ":2:1:", "nobody waits"},
    {"command 1 a sync\n reply u32 x\n", ":1:1:", "reply of a takes 4 bytes"},
    {"command 1 a sync\n tail\n u64 x\n", ":3:1:", "before its tail"},
    {"command 1 a sync\n tail\n tail\n", ":3:1:", "a tail already"},
    {"command 1 a sync\n reply tail\n reply u64 x\n", ":3:1:", "before its tail"},
};

static void test_mistake(const char *mode, const struct mistake *mistake)
{
    const char *table = in_dir("table"), *out = in_dir("made");
    char place[256];

    spill(table, mistake->text, strlen(mistake->text));
    unlink(out);
    const char *args[] = {mode, table, "-o", out, NULL};
    int status = generate(args);
    char *errors = slurp(in_dir("errors"));
    snprintf(place, sizeof place, "%s%s", table, mistake->place);
    if (!ok(status == 1 && strstr(errors, place) && strstr(errors, mistake->message), "refused: %s", mistake->message))
        diag("status %d, wanted %s, got: %s", status, mistake->place, errors);
    ok(access(out, F_OK) != 0, "and nothing is written");
    free(errors);
}

/* Tables with bytes changed, cut and doubled: refused or accepted, but never a crash. */
static void test_hostile(const char *mode, const char *file)
{
    char path[4096];
    uint32_t seed = 42;
    int died = 0, refused = 0;
    const int rounds = 200;

    snprintf(path, sizeof path, "%s/%s", golden_dir, file);
    char *text = slurp(path);
    size_t size = strlen(text);
    for (int round = 0; round < rounds; round++) {
        char *copy = malloc(2 * size);
        size_t length = size;
        memcpy(copy, text, size);
        for (int change = 0; change <= round % 5; change++) {
            seed = seed * 1664525u + 1013904223u;
            size_t at = (seed >> 8) % length;
            seed = seed * 1664525u + 1013904223u;
            if (round % 7 == 3 && length < 2 * size - 100) { /* a piece twice */
                size_t piece = length - at < 80 ? length - at : 80;
                memmove(copy + at + piece, copy + at, length - at);
                length += piece;
            } else if (round % 7 == 5 && at > 10) {
                length = at;
            } else {
                copy[at] = (char)(seed >> 16);
            }
        }
        spill(in_dir("table"), copy, length);
        free(copy);
        const char *args[] = {mode, in_dir("table"), "-o", in_dir("made"), NULL};
        int status = generate(args);
        died += status > 1;
        refused += status == 1;
    }
    free(text);
    is_u64(died, 0, "%d damaged copies of %s harm nothing", rounds, file);
    ok(refused > rounds / 4, "and are refused where damaged (%d)", refused);
}

static void test_checked_in(const char *mode, const char *file)
{
    static const char *const names[] = {"cuda", "cudart", "cublas", "cublaslt", "nvml"};
    char tables[5][4096], path[4096];
    const char *args[10] = {mode};

    for (int i = 0; i < 5; i++) {
        snprintf(tables[i], sizeof tables[i], "%s/host-device/protocol/api/%s.api", root, names[i]);
        args[i + 1] = tables[i];
    }
    args[6] = "-o";
    args[7] = in_dir("out");
    is_u64(generate(args), 0, "%s of the real tables", mode);
    snprintf(path, sizeof path, "%s/%s", root, file);
    char *want = slurp(path), *got = slurp(in_dir("out"));
    ok(want && got && !strcmp(want, got), "%s is up to date (ninja api-docs)", file);
    free(want);
    free(got);
}

/* Numbers are for ever: what the record says must still hold, whatever was added since. */
static void test_numbers_kept(void)
{
    char path[4096], line[512];
    int moved = 0;

    snprintf(path, sizeof path, "%s/host-device/protocol/api/numbers", root);
    char *now = slurp(in_dir("out"));
    FILE *in = fopen(path, "r");
    while (in && fgets(line, sizeof line, in)) {
        if (!strstr(now, line) && ++moved)
            diag("gone or moved: %s", line);
    }
    ok(in && !moved, "no call has changed its number");
    if (in)
        fclose(in);
    free(now);
}

int main(int argc, char **argv)
{
    if (argc != 4 || !mkdtemp(dir))
        return 2;
    apigen = argv[1];
    golden_dir = argv[2];
    root = argv[3];
    test_golden("types", "tiny.api", NULL, "tiny_types.h");
    test_golden("impl", "tiny.api", NULL, "tiny_impl.h");
    test_golden("api", "tiny.api", "libtiny.so.1", "tiny_api.h");
    test_golden("stubs", "tiny.api", "libtiny.so.1", "tiny_stubs.1.c");
    test_golden("stubs", "tiny.api", "libtiny.so.2", "tiny_stubs.2.c");
    test_golden("map", "tiny.api", "libtiny.so.1", "tiny.1.map");
    test_golden("map", "tiny.api", "libtiny.so.2", "tiny.2.map");
    test_golden("coverage", "tiny.api", NULL, "tiny_coverage.md");
    test_golden("numbers", "tiny.api", NULL, "tiny_numbers");
    test_golden("ring-commands", "tiny.ring", NULL, "ring_commands.h");
    test_golden("ring-encode", "tiny.ring", NULL, "ring_encode.h");
    test_golden("ring-decode-h", "tiny.ring", NULL, "ring_decode.h");
    test_golden("ring-decode-c", "tiny.ring", NULL, "ring_decode.c");
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        test_mistake("impl", &mistakes[i]);
    for (size_t i = 0; i < sizeof ring_mistakes / sizeof *ring_mistakes; i++)
        test_mistake("ring-commands", &ring_mistakes[i]);
    test_hostile("impl", "tiny.api");
    test_hostile("ring-decode-c", "tiny.ring");
    test_checked_in("coverage", "docs/COVERAGE.md");
    test_checked_in("numbers", "host-device/protocol/api/numbers");
    test_numbers_kept();
    char command[64];
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    return tap_done() | (system(command) != 0);
}
