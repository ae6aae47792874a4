/* SPDX-License-Identifier: Apache-2.0 */
/* A scenario file: what GPU, what is broken, what is run, what must be seen. The language is described in ../README.md.
 * Parsing is pure: it opens nothing and runs nothing. */
#ifndef VGPU_RUNNER_SCENARIO_H
#define VGPU_RUNNER_SCENARIO_H

#include <glib.h>
#include <stdbool.h>

#define SCENARIO_ERROR scenario_error_quark()
GQuark scenario_error_quark(void);

#define SCENARIO_DEFAULT_TIMEOUT 120 /* seconds a step may take */
#define SCENARIO_MAX_SIZE (1 << 20)

/* Where expectations look beside the named runs. */
#define RUN_HOSTD "hostd"     /* vgpu-hostd's log: launches, refusals */
#define RUN_CONSOLE "console" /* the guest's serial console */

enum step_kind { STEP_SETUP, STEP_FAULT, STEP_FAULT_KILL, STEP_RUN };

struct step {
    enum step_kind kind;
    int line;
    char *name;  /* of a run */
    char *shell; /* of a STEP_FAULT_KILL: what is killed, "hostd" */
};

struct setting { /* of the environment of every step */
    char *name, *value;
    bool fault;
};

enum expect_kind { EXPECT_EXIT, EXPECT_LINE, EXPECT_NO_LINE, EXPECT_VALUE };
enum expect_op { OP_EQUAL, OP_DIFFERS, OP_MATCHES, OP_MATCHES_NOT, OP_AT_LEAST, OP_AT_MOST, OP_ABSENT };

struct expectation {
    int line;
    char *text; /* as it is written, without "expect" */
    char *run;
    enum expect_kind kind;
    char *path;        /* EXPECT_VALUE */
    enum expect_op op;
    char *value;       /* what is compared with; a line's or a match's pattern */
};

struct scenario {
    char *file, *name, *story, *guest;
    bool in_vm, in_local;
    bool has_fault;
    GPtrArray *profiles; /* char *, at least one */
    GPtrArray *needs;    /* char *: payload, models */
    GPtrArray *steps, *settings, *expectations;
    int timeout;
};

/* NULL with an error whose message is "file:line:column: what", the line, and a caret under the column. */
struct scenario *scenario_parse(const char *file, const char *text, gsize length, GError **error);
void scenario_free(struct scenario *s);
typedef struct scenario Scenario; /* for g_autoptr */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scenario, scenario_free)

bool scenario_needs(const struct scenario *s, const char *what);

#endif
