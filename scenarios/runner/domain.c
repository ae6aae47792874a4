/* SPDX-License-Identifier: Apache-2.0 */
#include "domain.h"

#include <glib/gstdio.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "json.h"

struct domain_host {
    virConnectPtr connection;
    GThread *loop;
    gint stop;
    int timer;
};

struct domain {
    virDomainPtr handle;
};

static const char qemu_conf[] =
    "user = \"root\"\n"
    "group = \"root\"\n"
    "dynamic_ownership = 0\n"
    "remember_owner = 0\n"
    "security_driver = \"none\"\n"
    "security_default_confined = 0\n"
    "namespaces = [ ]\n"
    "cgroup_controllers = [ ]\n"
    "stdio_handler = \"file\"\n";

static void set_error(GError **error, const char *what)
{
    virErrorPtr last = virGetLastError();

    g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "%s: %s", what, last && last->message ? last->message : "libvirt says not why");
}

/* Errors travel in return values; libvirt would print them too. */
static void be_silent(void *data, virErrorPtr error)
{
}

static void wake(int timer, void *data)
{
}

/* The embedded driver works in its caller's event loop. The timer lets it notice 'stop'. */
static gpointer run_loop(gpointer data)
{
    struct domain_host *host = data;

    while (!g_atomic_int_get(&host->stop))
        virEventRunDefaultImpl();
    return NULL;
}

/* The driver looks this account up even where it runs QEMU as root. Debian's libvirt-daemon-system brings it. */
static bool have_account(GError **error)
{
    const char *const argv[] = { "useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "libvirt-qemu", NULL };

    return geteuid() || getpwnam("libvirt-qemu") || bench_run(argv, NULL, error);
}

struct domain_host *domain_host_open(const char *root, const char *log, GError **error)
{
    struct domain_host *host = g_new0(struct domain_host, 1);
    g_autofree char *etc = g_build_filename(root, "etc", NULL), *conf = g_build_filename(etc, "qemu.conf", NULL);
    g_autofree char *uri = g_strdup_printf("qemu:///embed?root=%s", root);
    g_autofree char *outputs = g_strdup_printf("3:file:%s", log);

    g_mkdir_with_parents(etc, 0700);
    g_setenv("LIBVIRT_LOG_OUTPUTS", outputs, FALSE);
    if (!have_account(error) || !g_file_set_contents(conf, geteuid() ? "" : qemu_conf, -1, error))
        goto bad;
    virSetErrorFunc(NULL, be_silent);
    if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0) {
        set_error(error, "libvirt");
        goto bad;
    }
    host->timer = virEventAddTimeout(200, wake, NULL, NULL);
    host->loop = g_thread_new("libvirt", run_loop, host);
    host->connection = virConnectOpen(uri);
    if (host->connection)
        return host;
    set_error(error, "libvirt's embedded driver");
bad:
    domain_host_close(host);
    return NULL;
}

void domain_host_close(struct domain_host *host)
{
    if (!host)
        return;
    if (host->connection)
        virConnectClose(host->connection);
    if (host->loop) {
        g_atomic_int_set(&host->stop, 1);
        g_thread_join(host->loop);
        virEventRemoveTimeout(host->timer);
    }
    g_free(host);
}

static struct domain *domain_new(virDomainPtr handle, const char *what, GError **error)
{
    struct domain *domain;

    if (!handle) {
        set_error(error, what);
        return NULL;
    }
    domain = g_new0(struct domain, 1);
    domain->handle = handle;
    return domain;
}

struct domain *domain_create(struct domain_host *host, const char *xml, GError **error)
{
    return domain_new(virDomainCreateXML(host->connection, xml, 0), "starting the VM", error);
}

struct domain *domain_restore(struct domain_host *host, const char *state, const char *name, const char *xml, GError **error)
{
    if (virDomainRestoreFlags(host->connection, state, xml, VIR_DOMAIN_SAVE_RUNNING) < 0) {
        set_error(error, "restoring the VM");
        return NULL;
    }
    return domain_new(virDomainLookupByName(host->connection, name), "the restored VM", error);
}

bool domain_save(struct domain *domain, const char *state, GError **error)
{
    if (!virDomainSaveFlags(domain->handle, state, NULL, VIR_DOMAIN_SAVE_RUNNING))
        return true;
    set_error(error, "saving the VM");
    return false;
}

bool domain_running(struct domain *domain)
{
    return virDomainIsActive(domain->handle) == 1;
}

void domain_free(struct domain *domain)
{
    if (!domain)
        return;
    virDomainDestroy(domain->handle);
    virDomainFree(domain->handle);
    g_free(domain);
}

bool domain_agent(struct domain *domain, const char *command, int seconds, struct json **reply, GError **error)
{
    char *text = virDomainQemuAgentCommand(domain->handle, command, seconds, 0);
    g_autoptr(Json) answer = NULL;
    g_autoptr(GError) why = NULL;
    const struct json *value;

    if (!text) {
        set_error(error, "the guest agent");
        return false;
    }
    answer = json_parse(text, strlen(text), &why);
    free(text);
    value = json_member(answer, "return");
    if (!value) {
        g_set_error(error, BENCH_ERROR, BENCH_ERROR_INFRA, "the guest agent's answer makes no sense%s%s", why ? ": " : "",
                    why ? why->message : "");
        return false;
    }
    if (reply)
        *reply = g_steal_pointer(&answer);
    return true;
}
