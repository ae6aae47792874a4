/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-bench [--quick] [--only NAME]... [--list] BUILDDIR: runs the rows of rows.c.
 *
 * A row has one or two sides, each a program that stays while it is asked for numbers (side.h). The sides are asked alternately,
 * so that whatever else the machine does meets both; the row's figure is the median of at least five ratios of neighbours. All
 * runs on the same two CPUs. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rows.h"

enum { REPETITIONS = 7, REPETITIONS_QUICK = 1, REPLY_MS = 300000, NAMES_MAX = 32, CPUS = 2, PATIENCE = 300 };

struct running {
    pid_t pid;
    FILE *to;
    int from;
};

struct outcome {
    bool measured;
    double figure, a, b;
};

static bool quick;
static const char *only[NAMES_MAX];
static unsigned n_only;
static unsigned failures;

/* ---- Sides ---- */

/* In a process group of its own, so that all of it can be ended. */
static bool begin(struct running *r, const char *command)
{
    int in[2], out[2];

    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        return false;
    r->pid = fork();
    if (!r->pid) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    r->to = r->pid > 0 ? fdopen(in[1], "w") : NULL;
    r->from = out[0];
    return r->to;
}

/* Its next line, without the newline; false when there is none. */
static bool hear(struct running *r, char *line, size_t room)
{
    size_t n = 0;

    while (n + 1 < room) {
        struct pollfd wait = {.fd = r->from, .events = POLLIN};

        if (poll(&wait, 1, REPLY_MS) != 1) {
            snprintf(line, room, "no answer for %d s", REPLY_MS / 1000);
            return false;
        }
        if (read(r->from, line + n, 1) != 1) {
            snprintf(line, room, "ended without an answer");
            return false;
        }
        if (line[n] == '\n')
            break;
        n++;
    }
    line[n] = 0;
    return true;
}

/* The end of its input is its end; one that does not see it is told otherwise. */
static void finish(struct running *r)
{
    const struct timespec nap = {.tv_nsec = 10000000};
    bool ended = false;

    fclose(r->to);
    for (int i = 0; i < PATIENCE && !ended; i++) {
        ended = waitpid(r->pid, NULL, WNOHANG) == r->pid;
        if (!ended)
            nanosleep(&nap, NULL);
    }
    kill(-r->pid, ended ? SIGTERM : SIGKILL);
    if (!ended)
        waitpid(r->pid, NULL, 0);
    close(r->from);
    *r = (struct running){0};
}

/* Until it is ready; else WHY says what it lacks, and FAILED whether that is wrong. */
static bool ready(struct running *r, const char *command, char *why, size_t room, bool *failed)
{
    *failed = true;
    if (!begin(r, command)) {
        snprintf(why, room, "%s", strerror(errno));
        return false;
    }
    if (!hear(r, why, room))
        return false;
    if (!strcmp(why, "ready"))
        return true;
    *failed = strncmp(why, "absent ", 7);
    memmove(why, why + strcspn(why, " "), strlen(why) + 1 - strcspn(why, " "));
    return false;
}

static bool ask(struct running *r, double *value, char *why, size_t room)
{
    char *end;

    fputc('\n', r->to);
    if (fflush(r->to) || !hear(r, why, room))
        return false;
    *value = strtod(why, &end);
    return end != why && !*end && isfinite(*value);
}

/* ---- Rows ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, unsigned n)
{
    qsort(values, n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double figure(enum form form, double a, double b)
{
    return form == A_OVER_B ? a / b : form == A_MINUS_B ? a - b : a;
}

static void say_not(const struct row *row, const char *why)
{
    printf("%-22s not measured: %s\n", row->name, why + (*why == ' '));
    printf("bench %s absent\n", row->name);
}

static const char *judge(const struct row *row, double value)
{
    if (quick || !row->target)
        return "";
    return (row->at_most ? value <= row->target : value >= row->target) ? "  met" : "  NOT MET";
}

static void say(const struct row *row, const struct outcome *o)
{
    char target[32] = "", absolute[96] = "";

    if (row->target)
        snprintf(target, sizeof target, "%s %g", row->at_most ? "<=" : ">=", row->target);
    if (row->a && row->b)
        snprintf(absolute, sizeof absolute, "%.4g : %.4g %s", o->a, o->b, row->unit);
    printf("%-22s %8.3f%s %-8s%-9s %-28s %s\n", row->name, o->figure, row->unit && (!row->b || row->form != A_OVER_B) ? row->unit : "  ", target,
           judge(row, o->figure), absolute, row->what);
    printf("bench %s %.6g %s%g %.6g %.6g\n", row->name, o->figure, row->at_most ? "<=" : ">=", row->target, o->a, o->b);
    fflush(stdout);
}

static struct outcome run_row(const struct row *row)
{
    unsigned n = quick ? REPETITIONS_QUICK : REPETITIONS;
    double figures[REPETITIONS], as[REPETITIONS], bs[REPETITIONS], a = 0, b = 0;
    struct running side_a = {0}, side_b = {0};
    struct outcome o = {0};
    char why[512] = "";
    bool failed = false, good;

    good = ready(&side_a, row->a, why, sizeof why, &failed) && (!row->b || ready(&side_b, row->b, why, sizeof why, &failed));
    /* The first of each warms caches and is not counted. */
    for (unsigned i = 0; good && i <= n; i++) {
        failed = true;
        good = ask(&side_a, &a, why, sizeof why) && (!row->b || ask(&side_b, &b, why, sizeof why));
        if (i) {
            figures[i - 1] = figure(row->b ? row->form : A_ALONE, a, b);
            as[i - 1] = a;
            bs[i - 1] = b;
        }
    }
    if (side_a.to)
        finish(&side_a);
    if (side_b.to)
        finish(&side_b);
    if (!good) {
        failures += failed;
        say_not(row, why);
        return o;
    }
    o = (struct outcome){true, median(figures, n), median(as, n), median(bs, n)};
    say(row, &o);
    return o;
}

/* Of the ratios of all rows whose names begin so. */
static void say_mean(const struct row *row, const struct outcome *outcomes)
{
    struct outcome o = {.measured = true};
    double sum = 0;
    unsigned n = 0;

    for (unsigned i = 0; &rows[i] != row; i++)
        if (!strncmp(rows[i].name, row->mean_of, strlen(row->mean_of))) {
            if (!outcomes[i].measured) {
                say_not(row, "one of its rows was not");
                return;
            }
            sum += log(outcomes[i].figure);
            n++;
        }
    o.figure = exp(sum / n);
    say(row, &o);
}

static bool wanted(const struct row *row)
{
    for (unsigned i = 0; i < n_only; i++)
        if (!strncmp(row->name, only[i], strlen(only[i])))
            return true;
    return !n_only;
}

/* The first two CPUs that this process may use, for all that it starts; CPU in the environment is the first. */
static void confine(void)
{
    char first[16] = "0";
    cpu_set_t set;
    int kept = 0;

    if (sched_getaffinity(0, sizeof set, &set))
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set)) {
            if (!kept++)
                snprintf(first, sizeof first, "%d", cpu);
            if (kept > CPUS)
                CPU_CLR(cpu, &set);
        }
    setenv("CPU", first, 1);
    sched_setaffinity(0, sizeof set, &set);
    if (kept < CPUS)
        printf("# one CPU only: the targets are for two\n");
}

static int list(void)
{
    for (const struct row *row = rows; row->name; row++)
        printf("%-22s %s\n", row->name, row->what);
    return 0;
}

static int usage(void)
{
    fputs("usage: vgpu-bench [--quick] [--only NAME]... [--list] BUILDDIR\n"
          "  --quick      tiny sizes, once: does each row run?\n"
          "  --only NAME  rows whose names begin so\n"
          "  --list       their names\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    struct outcome outcomes[ROWS_MAX] = {0};
    const char *builddir = NULL;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--quick"))
            quick = true;
        else if (!strcmp(argv[i], "--list"))
            return list();
        else if (!strcmp(argv[i], "--only") && i + 1 < argc && n_only < NAMES_MAX)
            only[n_only++] = argv[++i];
        else if (*argv[i] != '-' && !builddir)
            builddir = argv[i];
        else
            return usage();
    }
    if (!builddir)
        return usage();
    setenv("B", builddir, 1);
    setenv("BENCH", VGPU_BENCH_SOURCE, 1);
    if (quick)
        setenv("BENCH_QUICK", "1", 1);
    signal(SIGPIPE, SIG_IGN);
    confine();
    for (unsigned i = 0; rows[i].name; i++) {
        if (!wanted(&rows[i]))
            continue;
        if (rows[i].mean_of)
            say_mean(&rows[i], outcomes);
        else
            outcomes[i] = run_row(&rows[i]);
    }
    return failures ? 1 : 0;
}
