/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up what a process that runs other people's work does not need. Shared by hostd and what it starts. */
#ifndef VGPU_EXECUTOR_PRIVILEGES_H
#define VGPU_EXECUTOR_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

/* Who to become: an id, or VG_SAME_USER. Handed on as text, "65534:65534" or "-". */
struct vg_user {
    uid_t uid;
    gid_t gid;
};
#define VG_SAME_USER ((struct vg_user){ (uid_t)-1, (gid_t)-1 })

#define VG_USER_TEXT 32
char *vg_user_print(struct vg_user user, char text[VG_USER_TEXT]);
bool vg_user_parse(const char *text, struct vg_user *user);

/* Become that user for good, in all threads: no supplementary groups, no capabilities. The signal at the parent's death is set
 * anew, since the kernel forgets it here. False with errno. */
bool vg_become(struct vg_user user, int parent_death_signal);

/* No core dumps, at most this many descriptors; programs that are started gain nothing by being set-uid. False with errno. */
bool vg_limit(unsigned descriptors);

#endif
