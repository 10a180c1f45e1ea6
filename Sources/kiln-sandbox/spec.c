// SPDX-License-Identifier: Apache-2.0
//
// A strict reader: unknown keys, wrong types, values out of range and zero bytes in strings are errors. Each object of
// the document has a table of its keys; LaunchDocument.swift is the other side.

#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

#define SPEC_BYTES_MAX (16 << 20)
#define SPEC_DEPTH_MAX 8
// The launcher's own descriptors come first: standard streams, spec, status, liveness.
#define FIRST_PASSED_FD 6
#define PASSED_FDS_MAX 1000

typedef void decoder(json_object *value, void *out, const char *key);

struct field {
    const char *key;
    decoder *decode;
    size_t offset;
    bool required;
};

#define FIELD(type, key_, member, decode_) {key_, decode_, offsetof(struct type, member), true}
#define OPTIONAL(type, key_, member, decode_) {key_, decode_, offsetof(struct type, member), false}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

_Noreturn static void refuse(const char *key, const char *reason) { fail(EINVAL, "read", "the spec: %s %s", key, reason); }

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    if (memory == NULL) fail(ENOMEM, "read", "the spec");
    return memory;
}

static void decode_object(json_object *value, void *out, const char *key, const struct field *fields, size_t count) {
    if (!json_object_is_type(value, json_type_object)) refuse(key, "is not an object");
    uint64_t seen = 0;
    json_object_object_foreach(value, name, member) {
        size_t i = 0;
        while (i < count && strcmp(fields[i].key, name) != 0) i++;
        if (i == count) refuse(name, "is not a known key");
        seen |= UINT64_C(1) << i;
        if (member == NULL) refuse(name, "is null");
        fields[i].decode(member, (char *)out + fields[i].offset, name);
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].required && !(seen >> i & 1)) refuse(fields[i].key, "is missing");
}

// MARK: Values

static void decode_string(json_object *value, void *out, const char *key) {
    if (!json_object_is_type(value, json_type_string)) refuse(key, "is not a string");
    const char *text = json_object_get_string(value);
    if (strlen(text) != (size_t)json_object_get_string_len(value)) refuse(key, "holds a zero byte");
    *(char **)out = (char *)text;
}

static void decode_path(json_object *value, void *out, const char *key) {
    decode_string(value, out, key);
    const char *path = *(char **)out;
    if (path[0] != '/' || strlen(path) > 4095) refuse(key, "is not an absolute path of at most 4095 bytes");
}

static void decode_id(json_object *value, void *out, const char *key) {
    decode_string(value, out, key);
    const char *id = *(char **)out;
    size_t length = strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    if (length == 0 || length > 64 || id[length] != 0) refuse(key, "is not an identifier");
}

static void decode_bool(json_object *value, void *out, const char *key) {
    if (!json_object_is_type(value, json_type_boolean)) refuse(key, "is not true or false");
    *(bool *)out = json_object_get_boolean(value);
}

static void decode_u64(json_object *value, void *out, const char *key) {
    if (!json_object_is_type(value, json_type_int)) refuse(key, "is not a whole number");
    uint64_t number = json_object_get_uint64(value);
    if (json_object_get_int64(value) < 0) refuse(key, "is negative");
    *(uint64_t *)out = number;
}

static void decode_u32(json_object *value, void *out, const char *key) {
    uint64_t number;
    decode_u64(value, &number, key);
    if (number > UINT32_MAX) refuse(key, "is out of range");
    *(uint32_t *)out = (uint32_t)number;
}

static void decode_fd(json_object *value, void *out, const char *key) {
    uint64_t number;
    decode_u64(value, &number, key);
    if (number >= PASSED_FDS_MAX) refuse(key, "is out of range");
    int fd = FIRST_PASSED_FD + (int)number;
    if (fcntl(fd, F_GETFD) < 0) refuse(key, "names a descriptor that was not passed");
    *(int *)out = fd;
}

static size_t array_length(json_object *value, const char *key) {
    if (!json_object_is_type(value, json_type_array)) refuse(key, "is not an array");
    return json_object_array_length(value);
}

static void decode_strings(json_object *value, void *out, const char *key) {
    struct strings *strings = out;
    strings->count = array_length(value, key);
    strings->items = allocate(strings->count, sizeof(char *));
    for (size_t i = 0; i < strings->count; i++) decode_string(json_object_array_get_idx(value, i), &strings->items[i], key);
}

static void decode_fds(json_object *value, void *out, const char *key) {
    struct fds *fds = out;
    fds->count = array_length(value, key);
    fds->items = allocate(fds->count, sizeof(int));
    for (size_t i = 0; i < fds->count; i++) decode_fd(json_object_array_get_idx(value, i), &fds->items[i], key);
}

static void decode_word(json_object *value, void *out, const char *key, const char *const *words, size_t count) {
    char *text;
    decode_string(value, &text, key);
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0) {
            *(int *)out = (int)i;
            return;
        }
    refuse(key, "has an unknown value");
}

// MARK: Objects

static void decode_profile(json_object *value, void *out, const char *key) {
    static const char *const words[] = {"step", "insecure", "frontend"};
    decode_word(value, out, key, words, COUNT(words));
}

static void decode_network(json_object *value, void *out, const char *key) {
    static const char *const words[] = {"none", "host"};
    decode_word(value, out, key, words, COUNT(words));
}

static void decode_root_kind(json_object *value, void *out, const char *key) {
    static const char *const words[] = {"overlay", "directory", "empty"};
    decode_word(value, out, key, words, COUNT(words));
}

static void decode_mount_kind(json_object *value, void *out, const char *key) {
    static const char *const words[] = {"bind", "overlay", "tmpfs", "file"};
    decode_word(value, out, key, words, COUNT(words));
}

static void check_layers(const struct layers *layers) {
    if (layers->lower.count == 0 && layers->upper < 0) refuse("lower", "names no layers and there is no upper");
    if (layers->lower.count > 0 && (layers->upper < 0) != (layers->work < 0)) refuse("upper", "and work go together");
}

static void decode_root(json_object *value, void *out, const char *key) {
    static const struct field fields[] = {
        FIELD(root_spec, "kind", kind, decode_root_kind),
        FIELD(root_spec, "readOnly", read_only, decode_bool),
        OPTIONAL(root_spec, "lower", layers.lower, decode_fds),
        OPTIONAL(root_spec, "upper", layers.upper, decode_fd),
        OPTIONAL(root_spec, "work", layers.work, decode_fd),
        OPTIONAL(root_spec, "source", source, decode_fd),
    };
    struct root_spec *root = out;
    *root = (struct root_spec){.layers = {.upper = -1, .work = -1}, .source = -1, .tree = -1};
    decode_object(value, root, key, fields, COUNT(fields));
    if (root->kind == ROOT_OVERLAY) check_layers(&root->layers);
    if ((root->kind == ROOT_DIRECTORY) != (root->source >= 0)) refuse("source", "belongs to a directory root");
}

static void decode_mount(json_object *value, void *out, const char *key) {
    static const struct field fields[] = {
        FIELD(mount_spec, "kind", kind, decode_mount_kind),
        FIELD(mount_spec, "target", target, decode_path),
        FIELD(mount_spec, "readOnly", read_only, decode_bool),
        FIELD(mount_spec, "execute", execute, decode_bool),
        FIELD(mount_spec, "privileges", privileges, decode_bool),
        OPTIONAL(mount_spec, "source", source, decode_fd),
        OPTIONAL(mount_spec, "subpath", subpath, decode_string),
        OPTIONAL(mount_spec, "lower", layers.lower, decode_fds),
        OPTIONAL(mount_spec, "upper", layers.upper, decode_fd),
        OPTIONAL(mount_spec, "work", layers.work, decode_fd),
        OPTIONAL(mount_spec, "size", size, decode_u64),
        OPTIONAL(mount_spec, "mode", mode, decode_u32),
        OPTIONAL(mount_spec, "uid", uid, decode_u32),
        OPTIONAL(mount_spec, "gid", gid, decode_u32),
    };
    struct mount_spec *mount = out;
    *mount = (struct mount_spec){.layers = {.upper = -1, .work = -1}, .source = -1, .tree = -1, .mode = 0755};
    mount->subpath = "";
    decode_object(value, mount, key, fields, COUNT(fields));
    if (mount->kind == MOUNT_OVERLAY) check_layers(&mount->layers);
    if ((mount->kind == MOUNT_BIND || mount->kind == MOUNT_FILE) != (mount->source >= 0))
        refuse("source", "belongs to binds and files");
    if (mount->mode > 07777) refuse("mode", "is out of range");
}

static void decode_mounts(json_object *value, void *out, const char *key) {
    struct mounts *mounts = out;
    mounts->count = array_length(value, key);
    mounts->items = allocate(mounts->count, sizeof(struct mount_spec));
    for (size_t i = 0; i < mounts->count; i++) decode_mount(json_object_array_get_idx(value, i), &mounts->items[i], key);
}

static void decode_ids(json_object *value, void *out, const char *key) {
    struct user_spec *user = out;
    user->group_count = array_length(value, key);
    user->groups = allocate(user->group_count, sizeof(gid_t));
    for (size_t i = 0; i < user->group_count; i++) decode_u32(json_object_array_get_idx(value, i), &user->groups[i], key);
}

static void decode_user(json_object *value, void *out, const char *key) {
    static const struct field fields[] = {
        FIELD(user_spec, "uid", uid, decode_u32),
        FIELD(user_spec, "gid", gid, decode_u32),
        {"groups", decode_ids, 0, true},
    };
    decode_object(value, out, key, fields, COUNT(fields));
}

static void decode_limits(json_object *value, void *out, const char *key) {
    static const struct field fields[] = {
        FIELD(limit_spec, "name", name, decode_string),
        FIELD(limit_spec, "soft", soft, decode_u64),
        FIELD(limit_spec, "hard", hard, decode_u64),
    };
    struct limits *limits = out;
    limits->count = array_length(value, key);
    limits->items = allocate(limits->count, sizeof(struct limit_spec));
    for (size_t i = 0; i < limits->count; i++)
        decode_object(json_object_array_get_idx(value, i), &limits->items[i], key, fields, COUNT(fields));
}

static void decode_groups(json_object *value, void *out, const char *key) {
    static const struct field fields[] = {
        OPTIONAL(groups_spec, "unified", unified, decode_fd),
        OPTIONAL(groups_spec, "memory", memory, decode_fd),
        OPTIONAL(groups_spec, "pids", pids, decode_fd),
        OPTIONAL(groups_spec, "cpu", cpu, decode_fd),
        FIELD(groups_spec, "join", join, decode_fds),
        OPTIONAL(groups_spec, "memoryBytes", memory_bytes, decode_u64),
        OPTIONAL(groups_spec, "processCount", process_count, decode_u64),
        OPTIONAL(groups_spec, "processorMillis", processor_millis, decode_u64),
    };
    decode_object(value, out, key, fields, COUNT(fields));
}

// MARK: The document

static void decode_spec(json_object *value, struct launch_spec *spec) {
    static const struct field fields[] = {
        FIELD(launch_spec, "version", version, decode_u32),
        FIELD(launch_spec, "id", id, decode_id),
        FIELD(launch_spec, "profile", profile, decode_profile),
        FIELD(launch_spec, "root", root, decode_root),
        FIELD(launch_spec, "arguments", arguments, decode_strings),
        FIELD(launch_spec, "environment", environment, decode_strings),
        FIELD(launch_spec, "workingDirectory", working_directory, decode_path),
        OPTIONAL(launch_spec, "executable", executable, decode_fd),
        FIELD(launch_spec, "user", user, decode_user),
        FIELD(launch_spec, "hostname", hostname, decode_string),
        FIELD(launch_spec, "network", network, decode_network),
        FIELD(launch_spec, "mounts", mounts, decode_mounts),
        FIELD(launch_spec, "limits", limits, decode_limits),
        OPTIONAL(launch_spec, "filter", filter, decode_fd),
        FIELD(launch_spec, "deviceControl", device_control, decode_bool),
        FIELD(launch_spec, "userxattr", userxattr, decode_bool),
        FIELD(launch_spec, "cgroupNamespace", cgroup_namespace, decode_bool),
        OPTIONAL(launch_spec, "groups", groups, decode_groups),
        FIELD(launch_spec, "removeStubParents", remove_stub_parents, decode_bool),
    };
    decode_object(value, spec, "the document", fields, COUNT(fields));
    if (spec->version != 1) refuse("version", "is not 1");
    if (spec->arguments.count == 0 || spec->arguments.items[0][0] == 0) refuse("arguments", "name no command");
    if (spec->hostname[0] == 0 || strlen(spec->hostname) > 64) refuse("hostname", "is empty or too long");
    // A step without a filter would be a step with all system calls: only the profile that says so may have none.
    if ((spec->filter < 0) != (spec->profile == PROFILE_INSECURE)) refuse("filter", "does not fit the profile");
    if (spec->profile == PROFILE_FRONTEND && spec->network != NETWORK_NONE) refuse("network", "is not for frontends");
}

static char *read_all(int fd, size_t *length) {
    struct stat status;
    if (fstat(fd, &status) < 0) fail(errno, "read", "the spec");
    if (status.st_size > SPEC_BYTES_MAX) fail(EFBIG, "read", "the spec");
    char *text = allocate((size_t)status.st_size, 1);
    ssize_t n = pread(fd, text, (size_t)status.st_size, 0);
    if (n < 0 || n != status.st_size) fail(n < 0 ? errno : EIO, "read", "the spec");
    *length = (size_t)n;
    return text;
}

void spec_read(int fd, struct launch_spec *spec) {
    *spec = (struct launch_spec){
        .executable = -1,
        .executable_tree = -1,
        .filter = -1,
        .groups = {.unified = -1, .memory = -1, .pids = -1, .cpu = -1},
    };
    size_t length;
    char *text = read_all(fd, &length);
    struct json_tokener *tokener = json_tokener_new_ex(SPEC_DEPTH_MAX);
    if (tokener == NULL) fail(ENOMEM, "read", "the spec");
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *value = json_tokener_parse_ex(tokener, text, (int)length + 1);
    if (value == NULL) fail(EINVAL, "read", "the spec: %s", json_tokener_error_desc(json_tokener_get_error(tokener)));
    json_tokener_free(tokener);
    free(text);
    decode_spec(value, spec);
}
