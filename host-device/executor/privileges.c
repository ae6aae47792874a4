/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/privileges.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

char *vg_user_print(struct vg_user user, char text[VG_USER_TEXT])
{
    if (user.uid == VG_SAME_USER.uid)
        return strcpy(text, "-");
    snprintf(text, VG_USER_TEXT, "%u:%u", user.uid, user.gid);
    return text;
}

bool vg_user_parse(const char *text, struct vg_user *user)
{
    char behind;

    *user = VG_SAME_USER;
    return !strcmp(text, "-") || sscanf(text, "%u:%u%c", &user->uid, &user->gid, &behind) == 2;
}

bool vg_become(struct vg_user user, int parent_death_signal)
{
    if (user.uid == VG_SAME_USER.uid)
        return true;
    return !setgroups(0, NULL) && !setresgid(user.gid, user.gid, user.gid) && !setresuid(user.uid, user.uid, user.uid) &&
           (!parent_death_signal || !prctl(PR_SET_PDEATHSIG, parent_death_signal));
}

bool vg_limit(unsigned descriptors)
{
    const struct rlimit none = { 0, 0 };
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files))
        return false;
    if (files.rlim_max > descriptors)
        files.rlim_max = descriptors;
    files.rlim_cur = files.rlim_max;
    return !setrlimit(RLIMIT_CORE, &none) && !setrlimit(RLIMIT_NOFILE, &files) && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
