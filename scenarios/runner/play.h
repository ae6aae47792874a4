/* SPDX-License-Identifier: Apache-2.0 */
/* Playing a scenario once, and judging what was seen. */
#ifndef VGPU_RUNNER_PLAY_H
#define VGPU_RUNNER_PLAY_H

#include "bench.h"
#include "json.h"
#include "scenario.h"

struct run {
    const struct step *step;
    struct output output;
    struct json *report; /* stdout as JSON or as KEY=VALUE lines; NULL when it is neither */
};

struct verdict {
    const struct expectation *expectation;
    bool held;
    char *why; /* when it did not: what was seen instead */
};

struct played {
    const struct scenario *scenario;
    const char *profile;
    bool local, without_fault;
    char *dir;            /* console.log, hostd.log, NAME.out, NAME.err */
    GError *error;        /* nothing could be judged */
    gint64 begin, end;
    gint64 clock_ahead;   /* the machine's clock minus ours, microseconds */
    GPtrArray *facts;     /* char *, from the machine */
    GStrv variables;
    GPtrArray *runs;      /* struct run * */
    GPtrArray *verdicts;  /* struct verdict * */
    char *hostd, *console; /* the logs */
    char *trace;          /* the loader's, from the machine */
};

/* Plays and judges; always returns something to report. */
struct played *play(struct bench *bench, const struct scenario *s, const char *profile, bool local, bool without_fault,
                    const char *dir);
bool played_well(const struct played *p);
void played_free(struct played *p);

/* judge.c: fills p->verdicts from the rest. */
void judge(struct played *p);
/* report.c: the whole run as one HTML page. */
bool report_write(const char *path, GPtrArray *played, GError **error);

#endif
