// SPDX-License-Identifier: Apache-2.0

#include "mountapi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// What overlayfs takes.
#define LAYERS_MAX 500

static int configure(int context, unsigned command, const char *key, const void *value, int number) {
    return syscall(SYS_fsconfig, context, command, key, value, number) < 0 ? -errno : 0;
}

// Makes the file system that `context` describes, and a detached mount of it. Closes `context`.
static int finish(int context, uint64_t attributes) {
    int result = configure(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (result == 0) {
        result = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
        if (result < 0) result = -errno;
    }
    close(context);
    return result;
}

int new_filesystem(const char *type, const struct option *options, size_t count, uint64_t attributes) {
    int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (context < 0) return -errno;
    for (size_t i = 0; i < count; i++) {
        unsigned command = options[i].text == NULL ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
        int error = configure(context, command, options[i].key, options[i].text, 0);
        if (error < 0) {
            close(context);
            return error;
        }
    }
    return finish(context, attributes);
}

// Gives overlayfs a layer. A detached clone keeps the host's path out of the sandbox's mount table; a place that cannot
// be cloned alone is passed as it is. The clone is private to overlayfs from then on.
static int add_layer(int context, const char *key, int directory, int *clone) {
    *clone = clone_mount(directory, "", false);
    return configure(context, FSCONFIG_SET_FD, key, NULL, *clone < 0 ? directory : *clone);
}

// The name of an open directory in its parent, as far as this process can see; "" when it is not known.
static void read_name(int directory, char *name, size_t size) {
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = 0;
    const char *slash = strrchr(path, '/');
    snprintf(name, size, "%s", slash == NULL ? "" : slash + 1);
}

static bool is_same_file(int a, int b) {
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

// Opens a directory again, below a clone of its parent. Returns -1 when that is not the same directory.
static int open_again(int parent, int directory) {
    char name[256];
    read_name(directory, name, sizeof name);
    if (name[0] == 0) return -1;
    int again = open_beneath(parent, name, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (again >= 0 && is_same_file(again, directory)) return again;
    if (again >= 0) close(again);
    return -1;
}

// Upper and work must lie on one mount, so it is their parent that is cloned, where they share one.
static int add_writable(int context, const struct layers *layers, int keep[3]) {
    keep[0] = clone_mount(layers->upper, "..", false);
    keep[1] = keep[0] < 0 ? -1 : open_again(keep[0], layers->upper);
    keep[2] = keep[0] < 0 ? -1 : open_again(keep[0], layers->work);
    bool is_cloned = keep[1] >= 0 && keep[2] >= 0;
    int error = configure(context, FSCONFIG_SET_FD, "upperdir", NULL, is_cloned ? keep[1] : layers->upper);
    if (error == 0) error = configure(context, FSCONFIG_SET_FD, "workdir", NULL, is_cloned ? keep[2] : layers->work);
    // The engine syncs once when it commits the upper; without this the unmount would flush the whole disk.
    if (error == 0) error = configure(context, FSCONFIG_SET_FLAG, "volatile", NULL, 0);
    return error;
}

static void close_all(const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0) close(fds[i]);
}

int new_overlay(const struct layers *layers, bool userxattr, uint64_t attributes) {
    bool plain = layers->upper < 0 ? layers->lower.count == 1 : layers->lower.count == 0;
    if (plain) {
        if (layers->upper < 0) attributes |= MOUNT_ATTR_RDONLY;
        int tree = clone_mount(layers->upper < 0 ? layers->lower.items[0] : layers->upper, "", false);
        int error = tree < 0 ? tree : set_attributes(tree, attributes, false);
        if (error == 0) return tree;
        if (tree >= 0) close(tree);
        return error;
    }
    int context = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
    if (context < 0) return -errno;
    // Clones must live until the file system is made.
    int clones[LAYERS_MAX], writable[3] = {-1, -1, -1};
    size_t count = 0;
    int error = layers->lower.count > LAYERS_MAX ? -E2BIG : 0;
    for (; error == 0 && count < layers->lower.count; count++)
        error = add_layer(context, "lowerdir+", layers->lower.items[count], &clones[count]);
    if (error == 0 && layers->upper >= 0) error = add_writable(context, layers, writable);
    if (error == 0 && userxattr) error = configure(context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0);
    int tree = error == 0 ? finish(context, attributes) : error;
    if (error < 0) close(context);
    close_all(clones, count);
    close_all(writable, 3);
    return tree;
}

int clone_mount(int dirfd, const char *path, bool recursive) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
    if (recursive) flags |= AT_RECURSIVE;
    int tree = (int)syscall(SYS_open_tree, dirfd, path, flags);
    return tree < 0 ? -errno : tree;
}

int set_attributes(int tree, uint64_t attributes, bool recursive) {
    if (attributes == 0) return 0;
    struct mount_attr change = {.attr_set = attributes};
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    return syscall(SYS_mount_setattr, tree, "", flags, &change, sizeof change) < 0 ? -errno : 0;
}

int attach(int tree, int target) {
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    return syscall(SYS_move_mount, tree, "", target, "", flags) < 0 ? -errno : 0;
}

int open_beneath(int dirfd, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    int fd = -1;
    // A rename elsewhere in the tree makes a scoped lookup start over.
    for (int attempt = 0; attempt < 128; attempt++) {
        fd = (int)syscall(SYS_openat2, dirfd, path[0] == 0 ? "." : path, &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN) break;
    }
    return fd < 0 ? -errno : fd;
}
