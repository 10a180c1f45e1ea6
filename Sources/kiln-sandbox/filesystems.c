// SPDX-License-Identifier: Apache-2.0

#include "filesystems.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "devices.h"
#include "mountapi.h"
#include "prepare.h"
#include "report.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HARDENED (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

// The sandbox's own file systems, detached; -1 where it has none.
static int proc_tree = -1, sys_tree = -1, cgroup_tree = -1, queue_tree = -1, shared_memory_tree = -1;

// MARK: Opening

static int must_open(const char *type, const struct option *options, size_t count, uint64_t attributes) {
    int tree = new_filesystem(type, options, count, attributes);
    if (tree < 0) fail(-tree, "make", "a file system of type %s", type);
    return tree;
}

// In a user namespace that does not own the network, a fresh sysfs is refused: the host's is shown instead.
static int open_sys(const struct launch_spec *spec) {
    uint64_t attributes = HARDENED | (spec->profile == PROFILE_INSECURE ? 0 : MOUNT_ATTR_RDONLY);
    int tree = new_filesystem("sysfs", NULL, 0, attributes);
    if (tree != -EPERM) {
        if (tree < 0) fail(-tree, "make", "a file system of type sysfs");
        return tree;
    }
    tree = clone_mount(AT_FDCWD, "/sys", true);
    if (tree < 0) fail(-tree, "clone", "the host's /sys");
    int error = set_attributes(tree, attributes, true);
    if (error < 0) fail(-error, "restrict", "the host's /sys");
    return tree;
}

static void open_kernel_filesystems(struct launch_spec *spec) {
    static const struct option shared_memory[] = {{"mode", "1777"}, {"size", "65536k"}};
    proc_tree = must_open("proc", NULL, 0, HARDENED);
    sys_tree = open_sys(spec);
    shared_memory_tree = must_open("tmpfs", shared_memory, COUNT(shared_memory), HARDENED);
    queue_tree = must_open("mqueue", NULL, 0, HARDENED);
    if (spec->cgroup_namespace) {
        uint64_t read_only = spec->profile == PROFILE_INSECURE ? 0 : MOUNT_ATTR_RDONLY;
        cgroup_tree = new_filesystem("cgroup2", NULL, 0, HARDENED | read_only);
    }
    open_devices(spec);
}

// Runtimes of many languages cannot start without /proc/self. A frontend sees its own processes there and nothing else of
// the machine. A host that hides parts of its own /proc allows no fresh one: the frontend then has to do without.
static void open_frontend_proc(void) {
    static const struct option options[] = {{"subset", "pid"}, {"hidepid", "invisible"}};
    proc_tree = new_filesystem("proc", options, COUNT(options), HARDENED | MOUNT_ATTR_RDONLY);
    if (proc_tree < 0 && proc_tree != -EPERM && proc_tree != -EINVAL)
        fail(-proc_tree, "make", "a file system of type proc");
}

// A place on which a detached file system can be attached for a moment, so that parts of it can be cloned: the top of our
// own copy of the host's mounts. It must be taken away again, or it would be taken for the host's root.
static void attach_over_host(int tree) {
    int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int error = top < 0 ? -errno : attach(tree, top);
    if (error < 0) fail(-error, "attach", "a temporary file system");
    close(top);
}

static void copy_bytes(int from, int to, const char *target) {
    off_t offset = 0;
    for (;;) {
        ssize_t n = sendfile(to, from, &offset, 1 << 20);
        if (n == 0) return;
        if (n < 0 && errno != EINTR) fail(errno, "write", "%s", target);
    }
}

static void open_file(const struct launch_spec *spec, struct mount_spec *mount, int directory, size_t index) {
    char name[24];
    snprintf(name, sizeof name, "%zu", index);
    int file = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) fail(errno, "make", "%s", mount->target);
    copy_bytes(mount->source, file, mount->target);
    if (fchown(file, mount->uid, mount->gid) < 0) fail(errno, "set the owner of", "%s", mount->target);
    if (fchmod(file, mount->mode & 0777) < 0) fail(errno, "set the mode of", "%s", mount->target);
    close(file);
    mount->tree = clone_mount(directory, name, false);
    if (mount->tree < 0) fail(-mount->tree, "clone", "%s", mount->target);
    int error = set_attributes(mount->tree, attributes_of(spec, mount->read_only, mount->execute, mount->privileges), false);
    if (error < 0) fail(-error, "restrict", "%s", mount->target);
}

// Files with given bytes live together in one tmpfs that is seen nowhere else.
static void open_files(struct launch_spec *spec) {
    int tree = -1;
    for (size_t i = 0; i < spec->mounts.count; i++) {
        struct mount_spec *mount = &spec->mounts.items[i];
        if (mount->kind != MOUNT_FILE) continue;
        if (tree < 0) {
            static const struct option options[] = {{"mode", "0700"}};
            tree = must_open("tmpfs", options, COUNT(options), 0);
            attach_over_host(tree);
        }
        open_file(spec, mount, tree, i);
    }
    if (tree < 0) return;
    if (umount2("/", MNT_DETACH) < 0) fail(errno, "detach", "a temporary file system");
    close(tree);
}

static void open_tmpfs(const struct launch_spec *spec, struct mount_spec *mount) {
    char mode[16], size[24];
    snprintf(mode, sizeof mode, "%o", mount->mode);
    snprintf(size, sizeof size, "%llu", (unsigned long long)mount->size);
    struct option options[] = {{"mode", mode}, {"size", size}};
    uint64_t attributes = attributes_of(spec, mount->read_only, mount->execute, mount->privileges);
    mount->tree = new_filesystem("tmpfs", options, mount->size == 0 ? 1 : 2, attributes);
    if (mount->tree < 0) fail(-mount->tree, "make", "the tmpfs %s", mount->target);
}

static void open_empty_root(struct launch_spec *spec) {
    static const struct option options[] = {{"mode", "0755"}, {"size", "1m"}, {"nr_inodes", "4k"}};
    uint64_t attributes = attributes_of(spec, false, true, spec->profile != PROFILE_FRONTEND);
    spec->root.tree = must_open("tmpfs", options, COUNT(options), attributes);
}

void open_filesystems(struct launch_spec *spec) {
    // Nothing done here may reach the engine's mounts, and nothing the host mounts may show up here.
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) fail(errno, "make private", "the mounts");
    if (spec->root.kind == ROOT_EMPTY) open_empty_root(spec);
    if (spec->profile == PROFILE_FRONTEND) {
        open_frontend_proc();
        open_frontend_devices();
    } else {
        open_kernel_filesystems(spec);
    }
    for (size_t i = 0; i < spec->mounts.count; i++)
        if (spec->mounts.items[i].kind == MOUNT_TMPFS) open_tmpfs(spec, &spec->mounts.items[i]);
    open_files(spec);
}

// MARK: The root

static bool is_same_place(int a, int b) {
    struct statx x, y;
    unsigned mask = STATX_INO | STATX_MNT_ID;
    if (statx(a, "", AT_EMPTY_PATH, mask, &x) < 0 || statx(b, "", AT_EMPTY_PATH, mask, &y) < 0) return false;
    return x.stx_ino == y.stx_ino && x.stx_mnt_id == y.stx_mnt_id;
}

// A lookup of ".." at the root crosses whatever is mounted on top of it: a host mount that stayed there would be the way
// out. It must lead nowhere but to our own root.
static void check_nothing_is_above(int root) {
    int above = open("/..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (above < 0) fail(errno, "open", "the root");
    if (!is_same_place(above, root)) fail(EBUSY, "let go of", "the host's mounts");
    close(above);
}

void enter_root(const struct launch_spec *spec) {
    int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int error = top < 0 ? -errno : attach(spec->root.tree, top);
    if (error < 0) fail(-error, "attach", "the root");
    close(top);
    if (fchdir(spec->root.tree) < 0) fail(errno, "enter", "the root");
    if (syscall(SYS_pivot_root, ".", ".") < 0) fail(errno, "pivot to", "the root");
    // The old root now lies on top of the new one; this takes it away, and with it every path of the host.
    if (umount2(".", MNT_DETACH) < 0) fail(errno, "let go of", "the host's mounts");
    if (chdir("/") < 0) fail(errno, "enter", "the root");
    check_nothing_is_above(spec->root.tree);
}

// MARK: Attaching

static void attach_and_close(int tree, int target, const char *path) {
    int error = attach(tree, target);
    if (error < 0) fail(-error, "attach", "%s", path);
    close(target);
    close(tree);
}

static void attach_own(int root, int tree, const char *name, const struct stub_policy *policy) {
    attach_and_close(tree, find_or_make_plain(root, name, policy), name);
}

static void check_filesystem(int root, const char *name, long magic) {
    int fd = open_beneath(root, name, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    struct statfs facts;
    if (fd < 0 || fstatfs(fd, &facts) < 0 || facts.f_type != magic) fail(EINVAL, "verify", "/%s", name);
    close(fd);
}

static bool has_mount_below_dev(const struct mounts *mounts) {
    for (size_t i = 0; i < mounts->count; i++)
        if (strncmp(mounts->items[i].target, "/dev/", 5) == 0) return true;
    return false;
}

// A tree that lacks /proc, /sys or /dev has them afterwards, as from other builders. Only a /dev that is the parent of a
// mount point of the step's goes as such parents do.
static void attach_kernel_filesystems(int root, const struct mounts *mounts, const struct stub_policy *policy) {
    const struct stub_policy kept = {policy->socket, .report_parents = false};
    attach_own(root, proc_tree, "proc", &kept);
    attach_devices(root, has_mount_below_dev(mounts) ? policy : &kept);
    attach_own(root, shared_memory_tree, "dev/shm", &kept);
    attach_own(root, queue_tree, "dev/mqueue", &kept);
    attach_own(root, sys_tree, "sys", &kept);
    if (cgroup_tree >= 0) attach_own(root, cgroup_tree, "sys/fs/cgroup", &kept);
    check_filesystem(root, "proc", PROC_SUPER_MAGIC);
    check_filesystem(root, "sys", SYSFS_MAGIC);
}

static void attach_frontend_filesystems(int root, const struct stub_policy *policy) {
    if (proc_tree >= 0) attach_own(root, proc_tree, "proc", policy);
    attach_frontend_devices(root, policy);
}

// Symlinks are resolved by now: what looked harmless in the spec may be the sandbox's own /proc.
static void refuse_own(int root, int target, const char *path) {
    struct statfs facts;
    if (fstatfs(target, &facts) < 0) fail(errno, "examine", "%s", path);
    bool is_kernel = facts.f_type == PROC_SUPER_MAGIC || facts.f_type == SYSFS_MAGIC
        || facts.f_type == CGROUP2_SUPER_MAGIC;
    int dev = open_beneath(root, "dev", O_PATH, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    bool is_own = is_kernel || is_same_place(root, target) || (dev >= 0 && is_same_place(dev, target));
    if (dev >= 0) close(dev);
    if (is_own) fail(EPERM, "mount at", "%s, which belongs to the sandbox", path);
}

static void attach_mount(int root, struct mount_spec *mount, const struct stub_policy *policy) {
    struct stat source;
    if (fstat(mount->tree, &source) < 0) fail(errno, "examine", "the source of %s", mount->target);
    int target = find_or_make(root, mount->target, S_ISDIR(source.st_mode), policy);
    refuse_own(root, target, mount->target);
    attach_and_close(mount->tree, target, mount->target);
}

static void attach_executable(int root, int tree, const struct stub_policy *policy) {
    if (tree >= 0) attach_and_close(tree, find_or_make(root, EXECUTABLE_PATH, false, policy), EXECUTABLE_PATH);
}

// MARK: Hiding

static int find_own(int root, const char *path) {
    return open_beneath(root, path, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

static void mask(int root, const char *path, int *empty_directory) {
    int target = find_own(root, path);
    if (target < 0) return;
    struct stat status;
    if (fstat(target, &status) < 0) fail(errno, "examine", "/%s", path);
    int cover;
    if (S_ISDIR(status.st_mode)) {
        static const struct option options[] = {{"nr_inodes", "1"}, {"mode", "0555"}};
        // One empty directory serves all: clones of it are cheaper than file systems.
        if (*empty_directory < 0)
            cover = must_open("tmpfs", options, COUNT(options), HARDENED | MOUNT_ATTR_RDONLY);
        else
            cover = clone_mount(*empty_directory, "", false);
        if (*empty_directory < 0) *empty_directory = fcntl(cover, F_DUPFD_CLOEXEC, 3);
    } else {
        cover = clone_mount(root, "dev/null", false);
        int error = cover < 0 ? cover : set_attributes(cover, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, false);
        if (error < 0) fail(-error, "restrict", "the cover of /%s", path);
    }
    if (cover < 0) fail(-cover, "clone", "the cover of /%s", path);
    attach_and_close(cover, target, path);
}

static void make_read_only(int root, const char *path) {
    int target = find_own(root, path);
    if (target < 0) return;
    int tree = clone_mount(target, "", true);
    int error = tree < 0 ? tree : set_attributes(tree, HARDENED | MOUNT_ATTR_RDONLY, true);
    if (error < 0) fail(-error, "restrict", "/%s", path);
    attach_and_close(tree, target, path);
}

static void hide(int root) {
    static const char *const masked[] = {
        "proc/acpi", "proc/asound", "proc/kcore", "proc/keys", "proc/latency_stats", "proc/timer_list",
        "proc/timer_stats", "proc/sched_debug", "proc/scsi", "sys/firmware", "sys/devices/virtual/powercap",
    };
    static const char *const read_only[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
    int empty_directory = -1;
    for (size_t i = 0; i < COUNT(masked); i++) mask(root, masked[i], &empty_directory);
    for (size_t i = 0; i < COUNT(read_only); i++) make_read_only(root, read_only[i]);
    if (empty_directory >= 0) close(empty_directory);
}

void attach_filesystems(struct launch_spec *spec, const struct stub_policy *policy) {
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) fail(errno, "open", "the root");
    if (spec->profile == PROFILE_FRONTEND)
        attach_frontend_filesystems(root, policy);
    else
        attach_kernel_filesystems(root, &spec->mounts, policy);
    for (size_t i = 0; i < spec->mounts.count; i++) attach_mount(root, &spec->mounts.items[i], policy);
    attach_executable(root, spec->executable_tree, policy);
    if (spec->profile == PROFILE_STEP) hide(root);
    close(root);
}

void seal_root(const struct launch_spec *spec) {
    if (!spec->root.read_only) return;
    int error = set_attributes(spec->root.tree, MOUNT_ATTR_RDONLY, false);
    if (error < 0) fail(-error, "restrict", "the root");
}
