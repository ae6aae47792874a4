/* SPDX-License-Identifier: Apache-2.0 */
/* CUDA_VISIBLE_DEVICES, in all the forms that programs set it to. */
#include "cuda/visible.h"
#include "tap.h"

int main(void)
{
    static const uint8_t uuid[16] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8};
    static const struct {
        const char *text;
        bool visible;
    } cases[] = {
        {"0", true},
        {"00", true},
        {" 0", true},
        {"0,1", true},
        {"0,-1", true},
        {"0,GPU-99", true},
        {"0,", true},
        {"1", false},
        {"-1", false},
        {"", false},
        {"1,0", false},
        {"0,0", false},
        {"NoDevFiles", false},
        {"none", false},
        {"GPU-12345678-9abc-def0-0102-030405060708", true},
        {"gpu-12345678-9ABC-DEF0-0102-030405060708", true},
        {"GPU-1234", true},
        {"GPU-1", true},
        {"GPU-", false},
        {"GPU-12345678-9abc-def0-0102-0304050607080", false},
        {"GPU-12345679", false},
        {"GPU-1234,0", false},
        {"MIG-12345678", false},
        {"0x0", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ok(vgpu_visible(cases[i].text, uuid) == cases[i].visible, "'%s' leaves %s", cases[i].text,
           cases[i].visible ? "the device" : "none");
    return tap_done();
}
