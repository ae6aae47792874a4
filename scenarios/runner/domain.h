/* SPDX-License-Identifier: Apache-2.0 */
/* Domains by libvirt's embedded QEMU driver: no daemon, nothing outside its root directory. Errors are BENCH_ERROR_INFRA. */
#ifndef VGPU_RUNNER_DOMAIN_H
#define VGPU_RUNNER_DOMAIN_H

#include <glib.h>
#include <stdbool.h>

struct domain_host;
struct domain;
struct json;

/* One a process. 'root' must be short: sockets lie below it. 'log': where libvirt complains. */
struct domain_host *domain_host_open(const char *root, const char *log, GError **error);
void domain_host_close(struct domain_host *host);

/* Domains are transient: they are gone when they stop. */
struct domain *domain_create(struct domain_host *host, const char *xml, GError **error);
struct domain *domain_restore(struct domain_host *host, const char *state, const char *name, const char *xml, GError **error);
/* Saves to 'state' and ends; the domain is still to be freed. */
bool domain_save(struct domain *domain, const char *state, GError **error);
bool domain_running(struct domain *domain);
/* Destroys what still runs. */
void domain_free(struct domain *domain);

/* One command of the guest agent; its reply, which has a member "return", in *reply (may be NULL). 'seconds' is the agent's time to answer. */
bool domain_agent(struct domain *domain, const char *command, int seconds, struct json **reply, GError **error);

#endif
