/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles: all of them load and agree with themselves; bad files are refused by name; the UUID is a function of machine
 * and index alone. */
#include <glib.h>
#include <glib/gstdio.h>

#include "profiles/profile.h"
#include "tap.h"

static gboolean load_text(const char *text, struct vgpu_profile *p, char **message)
{
    g_autofree char *path = NULL;
    g_autoptr(GError) error = NULL;
    int fd = g_file_open_tmp("vgpu-profile-XXXXXX", &path, NULL);
    struct profile_place place = { 0 };
    gboolean loaded;

    g_close(fd, NULL);
    g_file_set_contents(path, text, -1, NULL);
    loaded = profile_load(path, &place, p, &error);
    g_unlink(path);
    *message = error ? g_strdup(error->message) : g_strdup("");
    return loaded;
}

int main(void)
{
    g_auto(GStrv) names = profile_names();
    struct profile_place place = { .pci_device = 5, .machine = { 1, 2, 3 } };
    struct vgpu_profile p, q;

    ok(g_strv_contains((const char *const *)names, VGPU_DEFAULT_PROFILE), "the default profile is built in");
    for (char **n = names; *n; n++) {
        g_autoptr(GError) error = NULL;
        gboolean loaded = profile_load(*n, &place, &p, &error);

        ok(loaded, "%s loads%s%s", *n, error ? ": " : "", error ? error->message : "");
        if (!loaded)
            continue;
        is_u64(p.attributes[75] * 10 + p.attributes[76], p.cc_major * 10 + p.cc_minor, "%s: attributes 75, 76 are its capability", *n);
        is_u64(p.attributes[16], p.sm_count, "%s: attribute 16 is its SM count", *n);
        is_u64(p.attributes[34], 5, "%s: attribute 34 is its PCI device", *n);
        is_u64(p.attributes[10], 32, "%s: a warp has 32 lanes", *n);
        is_u64(p.pci_vendor_id, 0x10de, "%s: the vendor is NVIDIA", *n);
        ok(p.attributes[97] >= p.attributes[8], "%s: opt-in shared memory is no less than the default", *n);
        ok(!strcmp(p.profile, *n), "%s: knows its name", *n);
    }

    profile_load("h100-pcie", &place, &p, NULL);
    is_u64(p.pci_device_id << 16 | p.pci_subsystem, 0x23311626, "h100-pcie is 2331:1626");
    is_u64(p.uuid[6] >> 4, 5, "the UUID is a version 5");
    profile_load("gtx1080", &place, &q, NULL);
    ok(!memcmp(p.uuid, q.uuid, 16), "the UUID does not depend on the model");
    place.device_index = 1;
    profile_load("h100-pcie", &place, &q, NULL);
    ok(memcmp(p.uuid, q.uuid, 16), "another index has another UUID");

    static const struct {
        const char *text, *why;
    } bad[] = {
        { "[board]\ninherit=nothing\n", "there is no profile 'nothing'" },
        { "[board]\nname=x\n", "must be given" },
        { "[board]\ninherit=t4\ncolour=green\n", "no such key in [board]: colour" },
        { "[board]\ninherit=t4\nsm-count=many\n", "'many' is not a number" },
        { "[board]\ninherit=t4\nsm-count=-1\n", "'-1' is not a number" },
        { "[board]\ninherit=t4\ncompute-capability=7\n", "not MAJOR.MINOR" },
        { "[board]\ninherit=t4\n[attributes]\nwarp_sise=32\n", "no such attribute: warp_sise" },
        { "[board]\ninherit=t4\n[attributes]\nmultiprocessor_count=3\n", "not a profile's to say" },
        { "nonsense", "profile " },
    };
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *message = NULL;

        gboolean loaded = load_text(bad[i].text, &q, &message);

        ok(!loaded && strstr(message, bad[i].why), "refused: %s", message);
    }
    return tap_done();
}
