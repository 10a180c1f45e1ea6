// SPDX-License-Identifier: Apache-2.0

#include "devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mountapi.h"
#include "report.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct device {
    const char *name;
    unsigned major, minor; // major 0: whatever the host has, if it has it
    int clone;             // of the host's node, where none may be made
    mode_t type;
    dev_t number;
};

static struct device standard[] = {
    {.name = "null", .major = 1, .minor = 3},   {.name = "zero", .major = 1, .minor = 5},
    {.name = "full", .major = 1, .minor = 7},   {.name = "random", .major = 1, .minor = 8},
    {.name = "urandom", .major = 1, .minor = 9}, {.name = "tty", .major = 5, .minor = 0},
};

// All but the last: a frontend has no terminal.
#define FRONTEND_DEVICES (COUNT(standard) - 1)

// What `security.insecure` adds, as far as the host has it.
static struct device insecure[] = {
    {.name = "kmsg"},  {.name = "cuse"},  {.name = "fuse"},  {.name = "kvm"},   {.name = "net/tun"}, {.name = "loop-control"},
    {.name = "loop0"}, {.name = "loop1"}, {.name = "loop2"}, {.name = "loop3"}, {.name = "loop4"},   {.name = "loop5"},
    {.name = "loop6"}, {.name = "loop7"},
};

static int dev_tree = -1, pts_tree = -1;
static bool has_insecure;

// MARK: Opening

static void open_terminals(void) {
    static const struct option options[] = {
        {"newinstance", NULL}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"},
    };
    uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    pts_tree = new_filesystem("devpts", options, COUNT(options), attributes);
    // A user namespace that does not map group 5 does without.
    if (pts_tree == -EINVAL) pts_tree = new_filesystem("devpts", options, COUNT(options) - 1, attributes);
    if (pts_tree < 0) fail(-pts_tree, "make", "a file system of type devpts");
}

static int clone_of_node(int node) {
    int tree = clone_mount(node, "", false);
    int error = tree < 0 ? tree : set_attributes(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false);
    return error < 0 ? error : tree;
}

// Clones the host's node. It is shown read-only: that does not hinder using the device, only changing the node.
static int clone_node(const struct device *device, int node) {
    int tree = clone_of_node(node);
    if (tree < 0) fail(-tree, "clone", "the host's /dev/%s", device->name);
    return tree;
}

static void open_device(struct device *device, bool may_make_nodes) {
    device->clone = -1;
    device->type = S_IFCHR;
    device->number = makedev(device->major, device->minor);
    if (device->major != 0 && may_make_nodes) return;
    char path[32];
    snprintf(path, sizeof path, "/dev/%s", device->name);
    struct stat status;
    int node = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (node < 0 || fstat(node, &status) < 0 || !(S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))) {
        device->type = 0;
    } else if (device->major != 0 && status.st_rdev != device->number) {
        fail(ENXIO, "use", "the host's %s, which is another device", path);
    } else {
        device->type = status.st_mode & S_IFMT;
        device->number = status.st_rdev;
        if (!may_make_nodes) device->clone = clone_node(device, node);
    }
    if (node >= 0) close(node);
}

void open_devices(const struct launch_spec *spec) {
    static const struct option options[] = {{"mode", "0755"}, {"size", "65536k"}};
    // Nodes need CAP_MKNOD over the machine and someone who decides which of them open.
    bool may_make_nodes = spec->device_control && !spec->userxattr;
    uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME | (spec->device_control ? 0 : MOUNT_ATTR_NODEV);
    dev_tree = new_filesystem("tmpfs", options, COUNT(options), attributes);
    if (dev_tree < 0) fail(-dev_tree, "make", "a file system of type tmpfs");
    open_terminals();
    has_insecure = spec->profile == PROFILE_INSECURE;
    for (size_t i = 0; i < COUNT(standard); i++) open_device(&standard[i], may_make_nodes);
    for (size_t i = 0; has_insecure && i < COUNT(insecure); i++) open_device(&insecure[i], may_make_nodes);
}

// Shells and language runtimes open these; none of them tells anything of the machine. What the host lacks or does not let
// us show is left out.
void open_frontend_devices(void) {
    static const struct option options[] = {{"mode", "0755"}, {"size", "64k"}, {"nr_inodes", "16"}};
    dev_tree = new_filesystem("tmpfs", options, COUNT(options), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV);
    if (dev_tree < 0) fail(-dev_tree, "make", "a file system of type tmpfs");
    for (size_t i = 0; i < FRONTEND_DEVICES; i++) {
        struct device *device = &standard[i];
        device->clone = -1;
        device->type = 0;
        device->number = makedev(device->major, device->minor);
        char path[32];
        struct stat status;
        snprintf(path, sizeof path, "/dev/%s", device->name);
        int node = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        bool is_device = node >= 0 && fstat(node, &status) == 0 && S_ISCHR(status.st_mode);
        if (is_device && status.st_rdev == device->number) device->clone = clone_of_node(node);
        if (device->clone >= 0) device->type = S_IFCHR;
        if (node >= 0) close(node);
    }
}

// MARK: Attaching

static void place_device(int dev, const struct device *device) {
    if (device->type == 0) return;
    if (device->clone < 0) {
        if (mknodat(dev, device->name, device->type | 0666, device->number) < 0)
            fail(errno, "make", "/dev/%s", device->name);
        return;
    }
    int file = openat(dev, device->name, O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0) fail(errno, "make", "/dev/%s", device->name);
    int error = attach(device->clone, file);
    if (error < 0) fail(-error, "attach", "/dev/%s", device->name);
    close(file);
    close(device->clone);
}

// The first are a frontend's too.
#define FRONTEND_LINKS 4
#define ALL_LINKS 6

static void make_links(int dev, size_t count) {
    static const char *const links[ALL_LINKS][2] = {
        {"/proc/self/fd", "fd"},         {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
        {"/proc/self/fd/2", "stderr"},   {"/proc/kcore", "core"},      {"pts/ptmx", "ptmx"},
    };
    for (size_t i = 0; i < count; i++)
        if (symlinkat(links[i][0], dev, links[i][1]) < 0) fail(errno, "make", "/dev/%s", links[i][1]);
}

void attach_devices(int root, const struct stub_policy *policy) {
    int target = find_or_make_plain(root, "dev", policy);
    int error = attach(dev_tree, target);
    if (error < 0) fail(-error, "attach", "/dev");
    close(target);
    // The detached mount's own descriptor now names its root: no lookup can lead elsewhere.
    int dev = dev_tree;
    umask(0);
    if (has_insecure && mkdirat(dev, "net", 0755) < 0) fail(errno, "make", "/dev/net");
    for (size_t i = 0; i < COUNT(standard); i++) place_device(dev, &standard[i]);
    for (size_t i = 0; has_insecure && i < COUNT(insecure); i++) place_device(dev, &insecure[i]);
    umask(022);
    make_links(dev, ALL_LINKS);
    if (mkdirat(dev, "pts", 0755) < 0 || mkdirat(dev, "shm", 01777) < 0 || mkdirat(dev, "mqueue", 0755) < 0)
        fail(errno, "make", "the directories of /dev");
    int pts = open_beneath(dev, "pts", O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    error = pts < 0 ? pts : attach(pts_tree, pts);
    if (error < 0) fail(-error, "attach", "/dev/pts");
    close(pts);
    close(pts_tree);
    close(dev);
}

void attach_frontend_devices(int root, const struct stub_policy *policy) {
    int target = find_or_make_plain(root, "dev", policy);
    int error = attach(dev_tree, target);
    if (error < 0) fail(-error, "attach", "/dev");
    for (size_t i = 0; i < FRONTEND_DEVICES; i++) place_device(dev_tree, &standard[i]);
    make_links(dev_tree, FRONTEND_LINKS);
    error = set_attributes(dev_tree, MOUNT_ATTR_RDONLY, false);
    if (error < 0) fail(-error, "restrict", "/dev");
    close(dev_tree);
    close(target);
}
