// SPDX-License-Identifier: Apache-2.0

#include "mountapi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

static int add_layers(int context, const struct layers *layers, bool userxattr) {
    int error = 0;
    for (size_t i = 0; error == 0 && i < layers->lower.count; i++)
        error = configure(context, FSCONFIG_SET_FD, "lowerdir+", NULL, layers->lower.items[i]);
    if (error == 0 && layers->upper >= 0) {
        error = configure(context, FSCONFIG_SET_FD, "upperdir", NULL, layers->upper);
        if (error == 0) error = configure(context, FSCONFIG_SET_FD, "workdir", NULL, layers->work);
        // The engine syncs once when it commits the upper; without this the unmount would flush the whole disk.
        if (error == 0) error = configure(context, FSCONFIG_SET_FLAG, "volatile", NULL, 0);
    }
    if (error == 0 && userxattr) error = configure(context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0);
    return error;
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
    int error = add_layers(context, layers, userxattr);
    if (error < 0) {
        close(context);
        return error;
    }
    return finish(context, attributes);
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
