// SPDX-License-Identifier: Apache-2.0

#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <unistd.h>

#include "mountapi.h"
#include "report.h"

uint64_t attributes_of(const struct launch_spec *spec, bool read_only, bool execute, bool privileges) {
    uint64_t attributes = 0;
    if (read_only) attributes |= MOUNT_ATTR_RDONLY;
    if (!execute) attributes |= MOUNT_ATTR_NOEXEC;
    if (!privileges) attributes |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    // Without a control group that decides on devices, a node a step makes must not open anywhere.
    if (!spec->device_control) attributes |= MOUNT_ATTR_NODEV;
    return attributes;
}

// Clones a place of the engine's mounts. Where parts of it are mounts that a user namespace locks together, they must
// come along.
static int clone_place(int fd, const char *path) {
    int tree = clone_mount(fd, path, false);
    return tree == -EINVAL ? clone_mount(fd, path, true) : tree;
}

static int open_subpath(int base, const struct mount_spec *mount) {
    int fd = open_beneath(base, mount->subpath, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (fd < 0) fail(-fd, "open", "%s of the source of %s", mount->subpath, mount->target);
    return fd;
}

static bool has_subpath(const struct mount_spec *mount) {
    const char *path = mount->subpath;
    while (*path == '/' || (*path == '.' && (path[1] == '/' || path[1] == 0))) path++;
    return *path != 0;
}

static void prepare_bind(const struct launch_spec *spec, struct mount_spec *mount) {
    int source = has_subpath(mount) ? open_subpath(mount->source, mount) : mount->source;
    mount->tree = clone_place(source, "");
    if (mount->tree < 0) fail(-mount->tree, "clone", "the source of %s", mount->target);
    uint64_t attributes = attributes_of(spec, mount->read_only, mount->execute, mount->privileges);
    int error = set_attributes(mount->tree, attributes, true);
    if (error < 0) fail(-error, "restrict", "the source of %s", mount->target);
    if (source != mount->source) close(source);
}

static void prepare_overlay(const struct launch_spec *spec, struct mount_spec *mount) {
    uint64_t attributes = attributes_of(spec, mount->read_only, mount->execute, mount->privileges);
    mount->tree = new_overlay(&mount->layers, spec->userxattr, attributes);
    if (mount->tree < 0) fail(-mount->tree, "join", "the %zu layers of %s", mount->layers.lower.count, mount->target);
    if (!has_subpath(mount)) return;
    int whole = mount->tree;
    int part = open_subpath(whole, mount);
    mount->tree = clone_mount(part, "", false);
    if (mount->tree < 0) fail(-mount->tree, "clone", "%s of the source of %s", mount->subpath, mount->target);
    close(part);
    close(whole);
}

static void prepare_root(struct launch_spec *spec) {
    struct root_spec *root = &spec->root;
    // The root becomes read-only last, when its mount points are made.
    uint64_t attributes = attributes_of(spec, false, true, spec->profile != PROFILE_FRONTEND);
    switch (root->kind) {
    case ROOT_OVERLAY:
        root->tree = new_overlay(&root->layers, spec->userxattr, attributes);
        if (root->tree < 0) fail(-root->tree, "join", "the %zu layers of the root", root->layers.lower.count);
        break;
    case ROOT_DIRECTORY:
        root->tree = clone_place(root->source, "");
        if (root->tree < 0) fail(-root->tree, "clone", "the root");
        int error = set_attributes(root->tree, attributes, true);
        if (error < 0) fail(-error, "restrict", "the root");
        break;
    case ROOT_EMPTY: break; // made inside, so that it belongs to the sandbox's own user namespace
    }
}

static void prepare_executable(struct launch_spec *spec) {
    if (spec->executable < 0) return;
    spec->executable_tree = clone_mount(spec->executable, "", false);
    // A memory file has no mount that could be cloned: it is run by its descriptor.
    if (spec->executable_tree < 0) return;
    uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    int error = set_attributes(spec->executable_tree, attributes, false);
    if (error < 0) fail(-error, "restrict", "the executable");
}

void prepare_mounts(struct launch_spec *spec) {
    prepare_root(spec);
    prepare_executable(spec);
    for (size_t i = 0; i < spec->mounts.count; i++) {
        struct mount_spec *mount = &spec->mounts.items[i];
        if (mount->kind == MOUNT_BIND) prepare_bind(spec, mount);
        if (mount->kind == MOUNT_OVERLAY) prepare_overlay(spec, mount);
    }
}
