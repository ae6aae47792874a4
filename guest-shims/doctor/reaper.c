/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-reaper: closes the channels of processes that died with the GPU open. Whoever opens a channel does the same; this one
 * is for the time in which nobody does, and the memory of the dead would stay granted. */
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "channel/channel.h"
#include "channel/hooks.h"

const char *const vgpu_log_name = "vgpu-reaper";

enum { EXIT_NO_GPU = 0, EXIT_UNUSABLE = 1, INTERVAL_SECONDS = 1 };

int main(void)
{
    struct vgpu_device device = {.bar0_fd = -1, .bar2_fd = -1, .socket = -1, .doorbell = -1};
    bool nothing;
    int status = vgpu_pci_find(&device, "/sys/bus/pci/devices", &nothing);

    if (nothing) {
        puts("vgpu-reaper: there is no GPU");
        return EXIT_NO_GPU;
    }
    if (status)
        return EXIT_UNUSABLE; /* what is wrong was logged */
    for (;;) {
        vgpu_pci_sweep(&device);
        sleep(INTERVAL_SECONDS);
    }
}
