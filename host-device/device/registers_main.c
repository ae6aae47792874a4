/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* vgpu-registers: prints docs/REGISTERS.md. */
#include "device.h"

int main(void)
{
    vgpu_registers_document(stdout);
    return fflush(stdout) || ferror(stdout);
}
