// SPDX-License-Identifier: Apache-2.0
//
// What the engine asks for, decoded and checked. Strings live as long as the process. Descriptors are numbers of this
// process; -1 means none.

#ifndef SPEC_H
#define SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct strings {
    char **items; // NULL-terminated
    size_t count;
};

struct fds {
    int *items;
    size_t count;
};

struct layers {
    struct fds lower; // topmost first
    int upper;
    int work;
};

enum profile { PROFILE_STEP, PROFILE_INSECURE, PROFILE_FRONTEND };
enum root_kind { ROOT_OVERLAY, ROOT_DIRECTORY, ROOT_EMPTY };
enum network { NETWORK_NONE, NETWORK_HOST };
enum mount_kind { MOUNT_BIND, MOUNT_OVERLAY, MOUNT_TMPFS, MOUNT_FILE };

struct root_spec {
    int kind; // enum root_kind
    struct layers layers;
    int source;
    bool read_only;
    int tree; // the detached mount, once it is open
};

struct mount_spec {
    int kind; // enum mount_kind
    char *target;
    bool read_only;
    bool execute;
    bool privileges;
    int source;
    char *subpath;
    struct layers layers;
    uint64_t size; // 0 is the kernel's default
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    int tree;
};

struct mounts {
    struct mount_spec *items;
    size_t count;
};

struct user_spec {
    uint32_t uid;
    uint32_t gid;
    gid_t *groups;
    size_t group_count;
};

struct limit_spec {
    char *name;
    uint64_t soft;
    uint64_t hard;
};

struct limits {
    struct limit_spec *items;
    size_t count;
};

struct groups_spec {
    int unified; // parents beneath which the sandbox gets groups of its own
    int memory;
    int pids;
    int cpu;
    struct fds join; // groups joined as they are
    uint64_t memory_bytes; // 0 is no limit, as below
    uint64_t process_count;
    uint64_t processor_millis;
};

struct launch_spec {
    uint32_t version;
    char *id;
    int profile; // enum profile
    struct root_spec root;
    struct strings arguments;
    struct strings environment;
    char *working_directory;
    int executable;      // the file to run, or -1 to look the command up
    int executable_tree; // a detached mount of it, or -1 where it has none
    struct user_spec user;
    char *hostname;
    int network; // enum network
    struct mounts mounts;
    struct limits limits;
    int filter;
    bool device_control;
    bool userxattr;
    bool cgroup_namespace;
    struct groups_spec groups;
    bool remove_stub_parents;
};

// Where a passed executable is shown inside.
#define EXECUTABLE_PATH "/.kiln-executable"

// Reads a spec to its end. Every error of form or value ends the process.
void spec_read(int fd, struct launch_spec *spec);

#endif
