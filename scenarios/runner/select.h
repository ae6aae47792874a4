/* SPDX-License-Identifier: Apache-2.0 */
/* Paths into a JSON value: names joined by '.', an array's element [N], every element [*], some element [?], its length [#].
 * For example devices[0].pci_id, runs[*].sentence, libraries[?], devices[#]. */
#ifndef VGPU_RUNNER_SELECT_H
#define VGPU_RUNNER_SELECT_H

#include <stdbool.h>

#include "json.h"

/* NULL, or where the path stops to be one. */
const char *select_check(const char *path);

/* The scalars that a checked path leads to, as text (owned by the array); NULL where it leads to nothing, to null, an array
 * or an object. Where [*] or [?] meets several elements there are several. *some: one that satisfies is enough ([?]); else all
 * must. */
GPtrArray *select_values(const struct json *root, const char *path, bool *some);

#endif
