/* SPDX-License-Identifier: Apache-2.0 */
#include "profiles/profile.h"

#include <stdio.h>
#include <string.h>

#include "profiles/attributes.h"
#include "profiles_resource.h"

#define RESOURCE_PREFIX "/vgpu/profiles/"
#define MAX_INHERIT 8

/* The board's keys: where each goes in struct vgpu_profile, and how its number is scaled. */
enum key_kind { KEY_TEXT, KEY_U32 };
struct board_key {
    const char *name;
    enum key_kind kind;
    size_t offset, size; /* size: of a text's array */
    uint32_t scale;
};
#define TEXT(key, field) \
    { key, KEY_TEXT, offsetof(struct vgpu_profile, field), sizeof(((struct vgpu_profile *)0)->field), 0 }
#define U32(key, field, scale) { key, KEY_U32, offsetof(struct vgpu_profile, field), 4, scale }
static const struct board_key board_keys[] = {
    TEXT("name", name),
    TEXT("brand", brand),
    TEXT("architecture", architecture),
    TEXT("vbios", vbios),
    TEXT("part-number", part_number),
    U32("sm-count", sm_count, 1),
    U32("cores-per-sm", cores_per_sm, 1),
    U32("fb-reserved-mib", fb_reserved_mib, 1),
    U32("vendor", pci_vendor_id, 1),
    U32("device", pci_device_id, 1),
    U32("subsystem-vendor", pci_subsystem_vendor, 1),
    U32("subsystem", pci_subsystem, 1),
    U32("revision", pci_revision, 1),
    U32("class", pci_class, 1),
    U32("clock-sm-mhz", clock_sm_khz, 1000),
    U32("clock-mem-mhz", clock_mem_khz, 1000),
    U32("bus-width", bus_width_bits, 1),
    U32("l2-kib", l2_bytes, 1024),
    U32("bar1-mib", bar1_mib, 1),
    U32("power-limit-w", power_limit_mw, 1000),
    U32("idle-power-w", idle_power_mw, 1000),
    U32("pcie-gen", pcie_gen, 1),
    U32("pcie-width", pcie_width, 1),
};

enum attribute_kind { PROFILE, DERIVED, ABSENT };
struct attribute {
    const char *name;
    int number;
    enum attribute_kind kind;
};
static const struct attribute attributes[] = {
#define X(number, name, kind) { #name, number, kind },
    VGPU_ATTRIBUTE_LIST(X)
#undef X
};

static GQuark profile_quark(void)
{
    return g_quark_from_static_string("vgpu-profile");
}

#define fail(error, ...) (g_set_error(error, profile_quark(), 0, __VA_ARGS__), FALSE)

static gboolean parse_number(const char *file, const char *key, const char *text, gint64 min, gint64 max, gint64 *out,
                             GError **error)
{
    char *end;

    *out = g_ascii_strtoll(text, &end, 0);
    if (end == text || *end || *out < min || *out > max)
        return fail(error, "profile %s: '%s' is not a number that %s can have", file, text, key);
    return TRUE;
}

static gboolean apply_board(const char *file, const char *key, const char *value, struct vgpu_profile *p, GError **error)
{
    gint64 number;

    if (!strcmp(key, "inherit"))
        return TRUE;
    if (!strcmp(key, "compute-capability")) {
        int used = 0;
        if (sscanf(value, "%u.%u%n", &p->cc_major, &p->cc_minor, &used) != 2 || value[used] || p->cc_major > 99 ||
            p->cc_minor > 9)
            return fail(error, "profile %s: compute-capability '%s' is not MAJOR.MINOR", file, value);
        return TRUE;
    }
    if (!strcmp(key, "memory-mib")) {
        if (!parse_number(file, key, value, 1, 1 << 22, &number, error))
            return FALSE;
        p->memory = (uint64_t)number * VGPU_MIB;
        return TRUE;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(board_keys); i++) {
        const struct board_key *k = &board_keys[i];
        void *field = (char *)p + k->offset;

        if (strcmp(key, k->name))
            continue;
        if (k->kind == KEY_TEXT) {
            if (strlen(value) >= k->size)
                return fail(error, "profile %s: %s is longer than %zu bytes", file, key, k->size - 1);
            memset(field, 0, k->size);
            memcpy(field, value, strlen(value));
            return TRUE;
        }
        if (!parse_number(file, key, value, 0, G_MAXUINT32 / k->scale, &number, error))
            return FALSE;
        *(uint32_t *)field = (uint32_t)number * k->scale;
        return TRUE;
    }
    return fail(error, "profile %s: no such key in [board]: %s", file, key);
}

static void set_attribute(struct vgpu_profile *p, int number, int32_t value)
{
    p->attributes[number] = value;
    p->attribute_known[number / 64] |= UINT64_C(1) << (number % 64);
}

static gboolean apply_attribute(const char *file, const char *key, const char *value, struct vgpu_profile *p, GError **error)
{
    gint64 number;

    for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++) {
        if (strcmp(key, attributes[i].name))
            continue;
        if (attributes[i].kind != PROFILE)
            return fail(error, "profile %s: attribute %s is not a profile's to say (profiles/attributes.h)", file, key);
        if (!parse_number(file, key, value, G_MININT32, G_MAXINT32, &number, error))
            return FALSE;
        set_attribute(p, attributes[i].number, (int32_t)number);
        return TRUE;
    }
    return fail(error, "profile %s: no such attribute: %s", file, key);
}

static gboolean apply_group(GKeyFile *ini, const char *file, const char *group,
                            gboolean (*apply)(const char *, const char *, const char *, struct vgpu_profile *, GError **),
                            struct vgpu_profile *p, GError **error)
{
    g_auto(GStrv) keys = g_key_file_get_keys(ini, group, NULL, NULL);

    for (char **k = keys; k && *k; k++) {
        g_autofree char *value = g_key_file_get_string(ini, group, *k, error);
        if (!value || !apply(file, *k, value, p, error))
            return FALSE;
    }
    return TRUE;
}

/* Load 'name' over what p holds, after what it inherits from. */
static gboolean load_one(const char *name, struct vgpu_profile *p, int depth, GError **error)
{
    g_autoptr(GKeyFile) ini = g_key_file_new();
    g_autofree char *parent = NULL;

    if (depth > MAX_INHERIT)
        return fail(error, "profile %s: inherits from itself, or more than %d deep", name, MAX_INHERIT);
    if (strchr(name, '/')) {
        if (!g_key_file_load_from_file(ini, name, G_KEY_FILE_NONE, error))
            return g_prefix_error(error, "profile %s: ", name), FALSE;
    } else {
        g_autofree char *path = g_strconcat(RESOURCE_PREFIX, name, ".ini", NULL);
        g_autoptr(GBytes) bytes = g_resource_lookup_data(profiles_get_resource(), path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);

        if (!bytes)
            return fail(error, "there is no profile '%s'", name);
        if (!g_key_file_load_from_bytes(ini, bytes, G_KEY_FILE_NONE, error))
            return g_prefix_error(error, "profile %s: ", name), FALSE;
    }
    parent = g_key_file_get_string(ini, "board", "inherit", NULL);
    if (parent && !load_one(parent, p, depth + 1, error))
        return FALSE;
    return apply_group(ini, name, "board", apply_board, p, error) &&
           apply_group(ini, name, "attributes", apply_attribute, p, error);
}

static void derive_attributes(struct vgpu_profile *p)
{
    set_attribute(p, 13, (int32_t)p->clock_sm_khz);
    set_attribute(p, 16, (int32_t)p->sm_count);
    set_attribute(p, 33, (int32_t)p->pci_bus);
    set_attribute(p, 34, (int32_t)p->pci_device);
    set_attribute(p, 36, (int32_t)p->clock_mem_khz);
    set_attribute(p, 37, (int32_t)p->bus_width_bits);
    set_attribute(p, 38, (int32_t)p->l2_bytes);
    set_attribute(p, 50, (int32_t)p->pci_domain);
    set_attribute(p, 75, (int32_t)p->cc_major);
    set_attribute(p, 76, (int32_t)p->cc_minor);
    set_attribute(p, 139, (int32_t)(p->pci_device_id << 16 | p->pci_vendor_id));
    set_attribute(p, 140, (int32_t)(p->pci_subsystem << 16 | p->pci_subsystem_vendor));
    for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (attributes[i].kind == ABSENT)
            set_attribute(p, attributes[i].number, 0);
}

static void machine_id(uint8_t out[16])
{
    g_autofree char *text = NULL;

    memset(out, 0, 16);
    if (!g_file_get_contents("/etc/machine-id", &text, NULL, NULL) || strlen(text) < 32)
        return;
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)(g_ascii_xdigit_value(text[2 * i]) << 4 | (g_ascii_xdigit_value(text[2 * i + 1]) & 15));
}

void profile_uuid(const uint8_t machine[16], uint32_t device_index, uint8_t uuid[16])
{
    g_autoptr(GChecksum) sha1 = g_checksum_new(G_CHECKSUM_SHA1);
    g_autofree char *name = g_strdup_printf("vgpu-stub/%u", device_index);
    uint8_t digest[20];
    gsize n = sizeof(digest);

    g_checksum_update(sha1, machine, 16);
    g_checksum_update(sha1, (const guchar *)name, -1);
    g_checksum_get_digest(sha1, digest, &n);
    memcpy(uuid, digest, 16);
    uuid[6] = (uuid[6] & 0x0f) | 0x50; /* version 5 */
    uuid[8] = (uuid[8] & 0x3f) | 0x80; /* the RFC's variant */
}

gboolean profile_load(const char *name, const struct profile_place *place, struct vgpu_profile *p, GError **error)
{
    static const uint8_t none[16];
    uint8_t machine[16];
    g_autofree char *base = g_path_get_basename(name);

    memset(p, 0, sizeof(*p));
    if (!load_one(name, p, 0, error))
        return FALSE;
    if (!p->name[0] || !p->cc_major || !p->memory || !p->sm_count)
        return fail(error, "profile %s: name, compute-capability, memory-mib and sm-count must be given", name);

    p->version = VGPU_PROFILE_VERSION;
    p->size = sizeof(*p);
    if (g_str_has_suffix(base, ".ini"))
        base[strlen(base) - 4] = 0;
    g_strlcpy(p->profile, base, sizeof(p->profile));
    p->driver_version = 13010;
    g_strlcpy(p->nvml_driver, "590.44.01", sizeof(p->nvml_driver));
    p->temperature_c = 38;
    p->pci_domain = place->pci_domain;
    p->pci_bus = place->pci_bus;
    p->pci_device = place->pci_device;
    p->pci_function = place->pci_function;
    if (place->memory)
        p->memory = place->memory;
    if (memcmp(place->machine, none, 16))
        memcpy(machine, place->machine, 16);
    else
        machine_id(machine);
    profile_uuid(machine, place->device_index, p->uuid);
    g_snprintf(p->serial, sizeof(p->serial), "%012" G_GINT64_MODIFIER "u",
               (guint64)(GUINT64_FROM_BE(*(uint64_t *)p->uuid) % G_GUINT64_CONSTANT(1000000000000)));
    g_snprintf(p->board_id, sizeof(p->board_id), "0x%x", p->pci_bus << 8 | p->pci_device << 3);
    derive_attributes(p);
    return TRUE;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **profile_names(void)
{
    char **names = g_resource_enumerate_children(profiles_get_resource(), RESOURCE_PREFIX, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);

    for (char **n = names; n && *n; n++)
        if (g_str_has_suffix(*n, ".ini"))
            (*n)[strlen(*n) - 4] = 0;
    if (names)
        qsort(names, g_strv_length(names), sizeof(*names), compare_names);
    return names;
}
