// SPDX-License-Identifier: Apache-2.0

#include "targets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mountapi.h"
#include "report.h"

// As many symlinks as the kernel follows, and more levels than a path can have.
#define LINKS_MAX 40
#define PATH_BYTES 4096

static int find(int root, const char *path, bool is_directory) {
    return open_beneath(
        root, path, O_PATH | (is_directory ? O_DIRECTORY : 0), RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
    );
}

// MARK: Making

static void remember(int parent, const char *name, bool is_directory, const struct stat *before, int socket) {
    struct stat own, after;
    struct stub stub = {.parent = parent, .is_directory = is_directory};
    if (fstatat(parent, name, &own, AT_SYMLINK_NOFOLLOW) < 0 || fstat(parent, &after) < 0)
        fail(errno, "examine", "the mount point %s", name);
    stub.device = own.st_dev;
    stub.inode = own.st_ino;
    stub.parent_times_before[0] = before->st_atim;
    stub.parent_times_before[1] = before->st_mtim;
    stub.parent_modified_after = after.st_mtim;
    snprintf(stub.name, sizeof stub.name, "%s", name);
    control_send_stub(socket, &stub);
}

// Makes one name. Returns 0 or a negative errno.
static int make(int parent, const char *name, bool is_directory, bool report, const struct stub_policy *policy) {
    struct stat before;
    if (fstat(parent, &before) < 0) return -errno;
    if (is_directory) {
        if (mkdirat(parent, name, 0755) < 0) return -errno;
    } else {
        int fd = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
        if (fd < 0) return -errno;
        close(fd);
    }
    if (report && policy->socket >= 0) remember(parent, name, is_directory, &before, policy->socket);
    return 0;
}

// One search for a mount point; `path` is scratch of ours that is cut and mended again on the way.
struct search {
    int root;
    bool is_directory;
    bool is_leaf;
    int links; // symlinks that may still be followed
    const struct stub_policy *policy;
};

static int find_or_make_within(struct search search, char *path);

// Where a missing path ends in a symlink to nothing, what it points to is made.
static int make_link_target(struct search search, int parent, const char *parent_path, const char *name) {
    char target[PATH_BYTES], path[2 * PATH_BYTES];
    ssize_t n = readlinkat(parent, name, target, sizeof target - 1);
    if (n < 0) return -EEXIST;
    if (search.links-- == 0) return -ELOOP;
    target[n] = 0;
    snprintf(path, sizeof path, "%s/%s", target[0] == '/' ? "" : parent_path, target);
    return find_or_make_within(search, path);
}

// Makes `name` in `parent` and opens it from there, where nothing but our own set-up can have changed it.
static int make_and_open(struct search search, int parent, const char *parent_path, const char *name) {
    bool is_dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    if (!is_dots) {
        bool report = search.is_leaf || search.policy->report_parents;
        int error = make(parent, name, search.is_directory, report, search.policy);
        if (error == -EEXIST) return make_link_target(search, parent, parent_path, name);
        if (error < 0) return error;
    }
    int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | (search.is_directory ? O_DIRECTORY : 0));
    return fd < 0 ? -errno : fd;
}

static int find_or_make_within(struct search search, char *path) {
    int fd = find(search.root, path, search.is_directory);
    if (fd != -ENOENT) return fd;
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/') path[--length] = 0;
    char *slash = strrchr(path, '/');
    if (length == 0 || slash == NULL) return -ENOENT;
    if (strlen(slash + 1) >= CONTROL_NAME_BYTES) return -ENAMETOOLONG;
    *slash = 0;
    struct search upwards = search;
    upwards.is_directory = true;
    upwards.is_leaf = false;
    char top[] = "/";
    int parent = find_or_make_within(upwards, path[0] == 0 ? top : path);
    if (parent < 0) return parent;
    fd = make_and_open(search, parent, path, slash + 1);
    *slash = '/';
    close(parent);
    return fd;
}

int find_or_make(int root, const char *path, bool is_directory, const struct stub_policy *policy) {
    char scratch[PATH_BYTES];
    snprintf(scratch, sizeof scratch, "%s", path);
    struct search search = {root, is_directory, true, LINKS_MAX, policy};
    int fd = find_or_make_within(search, scratch);
    if (fd < 0) fail(-fd, "make", "the mount point %s", path);
    return fd;
}

int find_or_make_plain(int root, const char *path, const struct stub_policy *policy) {
    int fd = open_beneath(root, path, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (fd == -ENOENT) {
        int error = make(root, path, true, policy->report_parents, policy);
        if (error < 0) fail(-error, "make", "the mount point /%s", path);
        fd = open_beneath(root, path, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    }
    if (fd < 0) fail(-fd, "open", "the mount point /%s", path);
    return fd;
}

// MARK: Removing

static bool is_same_time(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

void stub_remove(const struct stub *stub) {
    struct stat own, parent;
    if (fstatat(stub->parent, stub->name, &own, AT_SYMLINK_NOFOLLOW) < 0) return;
    if (own.st_dev != stub->device || own.st_ino != stub->inode) return;
    if (stub->is_directory != S_ISDIR(own.st_mode)) return;
    if (!stub->is_directory && own.st_size != 0) return;
    if (fstat(stub->parent, &parent) < 0) return;
    if (unlinkat(stub->parent, stub->name, stub->is_directory ? AT_REMOVEDIR : 0) < 0) return;
    // If nothing else changed the parent since the mount point was made, it never was there.
    bool untouched = is_same_time(&parent.st_mtim, &stub->parent_modified_after);
    struct timespec times[2] = {parent.st_atim, parent.st_mtim};
    if (untouched) memcpy(times, stub->parent_times_before, sizeof times);
    if (utimensat(stub->parent, "", times, AT_EMPTY_PATH) < 0) return;
}
