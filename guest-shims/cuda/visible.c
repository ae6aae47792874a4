/* SPDX-License-Identifier: Apache-2.0 */
/* CUDA_VISIBLE_DEVICES: indices, or UUIDs ("GPU-" and as many digits as tell devices apart). The list ends at the first entry
 * that names no device; one device named twice leaves none. */
#include "cuda/visible.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool names_uuid(const char *entry, size_t length, const uint8_t uuid[16])
{
    char text[41] = "GPU-", *at = text + 4;

    for (int i = 0; i < 16; i++)
        at += snprintf(at, 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
    return length > 4 && length <= strlen(text) && !strncasecmp(entry, text, length);
}

static bool names_index(const char *entry, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (entry[i] != '0')
            return false;
    return length > 0;
}

bool vgpu_visible(const char *text, const uint8_t uuid[16])
{
    int named = 0;

    for (;;) {
        text += strspn(text, " ");
        size_t length = strcspn(text, ","), trimmed = length;
        while (trimmed && text[trimmed - 1] == ' ')
            trimmed--;
        if (!names_index(text, trimmed) && !names_uuid(text, trimmed, uuid))
            break;
        named++;
        if (!text[length])
            break;
        text += length + 1;
    }
    return named == 1;
}
