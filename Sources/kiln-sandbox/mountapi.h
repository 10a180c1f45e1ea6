// SPDX-License-Identifier: Apache-2.0
//
// The kernel's descriptor-based mount calls. Every mount is first made detached, named by a descriptor only, and then
// attached at a descriptor: no path of the host or of an image decides where anything lands.

#ifndef MOUNTAPI_H
#define MOUNTAPI_H

#include <stdbool.h>
#include <stdint.h>

#include "spec.h"

// One option of a file system: a number where `text` is NULL and `fd` is not -1, a flag where both are unset.
struct option {
    const char *key;
    const char *text;
};

// Makes a detached file system; `attributes` are MOUNT_ATTR_*. Returns its descriptor or a negative errno.
int new_filesystem(const char *type, const struct option *options, size_t count, uint64_t attributes);

// Joins layers into a detached overlay. A single layer without an upper, or an upper alone, is cloned as it is.
// Returns its descriptor or a negative errno.
int new_overlay(const struct layers *layers, bool userxattr, uint64_t attributes);

// A detached clone of the mount at `path` below `dirfd` ("" is `dirfd` itself), of this place alone or with all
// mounts beneath. Returns its descriptor or a negative errno.
int clone_mount(int dirfd, const char *path, bool recursive);

// Adds attributes to a mount, or to the whole tree of mounts. Returns 0 or a negative errno.
int set_attributes(int tree, uint64_t attributes, bool recursive);

// Attaches a detached mount on top of an open file or directory. Returns 0 or a negative errno.
int attach(int tree, int target);

// openat2: `resolve` is RESOLVE_*. Returns a descriptor or a negative errno.
int open_beneath(int dirfd, const char *path, uint64_t flags, uint64_t resolve);

#endif
