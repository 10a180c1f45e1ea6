// SPDX-License-Identifier: Apache-2.0

#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "identity.h"
#include "mountapi.h"

// Whether a child can make these namespaces.
static bool can_unshare(int namespaces) {
    pid_t child = fork();
    if (child == 0) _exit(unshare(namespaces) < 0);
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

// An overlay that cannot be written to (a work directory it could not use) is none.
static bool can_overlay(bool userxattr) {
    int lower = 3;
    struct layers layers = {.lower = {&lower, 1}, .upper = 4, .work = 5};
    int tree = new_overlay(&layers, userxattr, 0);
    if (tree < 0) return false;
    bool works = mkdirat(tree, "directory", 0755) == 0 && unlinkat(tree, "directory", AT_REMOVEDIR) == 0;
    close(tree);
    return works;
}

static bool can_filter(void) {
    unsigned action = SECCOMP_RET_ERRNO;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static const char *word(bool value) { return value ? "true" : "false"; }

void probe(void) {
    bool is_nested = is_in_user_namespace();
    printf(
        "{\"nested\":%s,\"manyUsers\":%s,\"namespaces\":%s,\"overlay\":%s,\"userNamespaces\":%s,\"seccomp\":%s}\n",
        word(is_nested), word(has_many_users()),
        word(can_unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET)),
        word(can_overlay(is_nested)), word(can_unshare(CLONE_NEWUSER)), word(can_filter())
    );
    exit(0);
}
