// SPDX-License-Identifier: Apache-2.0
//
// Mount points: found or made inside the sandbox, and removed by the launcher afterwards.

#ifndef TARGETS_H
#define TARGETS_H

#include <stdbool.h>

#include "control.h"
#include "spec.h"

// Who learns of mount points that are made.
struct stub_policy {
    int socket;
    bool report_parents; // also directories made on the way
};

// Finds `path` below `root` as if `root` were "/", symlinks included, and makes what is missing of it. Returns an O_PATH
// descriptor; ends the process when it cannot.
int find_or_make(int root, const char *path, bool is_directory, const struct stub_policy *policy);

// Finds or makes a directory of the sandbox's own ("/proc"): any symlink on the way is an error. One that
// is made is reported as parents are.
int find_or_make_plain(int root, const char *path, const struct stub_policy *policy);

// Removes a mount point that was made, if it is still the same and still empty, and gives its parent the times back.
void stub_remove(const struct stub *stub);

#endif
