// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "frontend.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define FRAME_LIMIT (1u << 24)
#define DEPTH_LIMIT 64

// --- Memory and text

static _Noreturn void leave(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(status);
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        leave(EX_OSERR, "out of memory");
    return memory;
}

static char *vformat(const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        leave(EX_OSERR, "out of memory");
    return text;
}

char *fe_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = vformat(format, arguments);
    va_end(arguments);
    return text;
}

static bool is_empty(const char *text) { return !text || !*text; }

static bool starts_with(const char *text, const char *prefix) { return !strncmp(text, prefix, strlen(prefix)); }

// --- JSON

static json_object *object(void) { return json_object_new_object(); }

static json_object *member(json_object *value, const char *name)
{
    return json_object_is_type(value, json_type_object) ? json_object_object_get(value, name) : NULL;
}

static void put(json_object *value, const char *name, json_object *inner) { json_object_object_add(value, name, inner); }

static void put_text(json_object *value, const char *name, const char *text)
{
    if (!is_empty(text))
        put(value, name, json_object_new_string(text));
}

static void put_int(json_object *value, const char *name, int64_t number)
{
    put(value, name, json_object_new_int64(number));
}

static void put_true(json_object *value, const char *name, bool flag)
{
    if (flag)
        put(value, name, json_object_new_boolean(true));
}

static json_object *keep(json_object *value) { return json_object_get(value); }

static json_object *one(json_object *value)
{
    json_object *array = json_object_new_array();
    json_object_array_add(array, value);
    return array;
}

static size_t length(json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

const char *fe_text(json_object *value, const char *name)
{
    json_object *inner = member(value, name);
    return json_object_is_type(inner, json_type_string) ? json_object_get_string(inner) : "";
}

static char bytes_mark;

json_object *fe_bytes(const void *data, size_t size)
{
    json_object *value = json_object_new_string_len(data, (int)size);
    json_object_set_userdata(value, &bytes_mark, NULL);
    return value;
}

static bool is_bytes(json_object *value)
{
    return json_object_is_type(value, json_type_string) && json_object_get_userdata(value) == &bytes_mark;
}

static const char *plain(json_object *value, size_t *size)
{
    return json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, size);
}

// Reads one value and nothing behind it; NULL when that is not what the text is.
static json_object *parse(const char *text, size_t size)
{
    if (size > INT32_MAX)
        return NULL;
    // json-c counts the level of the innermost scalar too.
    json_tokener *tokener = json_tokener_new_ex(DEPTH_LIMIT + 1);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *value = json_tokener_parse_ex(tokener, text, (int)size);
    bool is_whole = json_tokener_get_error(tokener) == json_tokener_success && json_tokener_get_parse_end(tokener) == size;
    json_tokener_free(tokener);
    return is_whole ? value : NULL;
}

static bool is_utf8(const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        unsigned char first = (unsigned char)text[i];
        size_t more = first < 0x80 ? 0 : first >> 5 == 6 ? 1 : first >> 4 == 14 ? 2 : first >> 3 == 30 ? 3 : 9;
        if (more == 9 || i + more >= size)
            return false;
        uint32_t code = more == 0 ? first : first & (0x3fu >> more);
        for (size_t k = 1; k <= more; k++) {
            if (((unsigned char)text[i + k] & 0xc0) != 0x80)
                return false;
            code = code << 6 | ((unsigned char)text[i + k] & 0x3f);
        }
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return false;
        i += more + 1;
    }
    return true;
}

// --- The graph

typedef struct vertex {
    const char *kind;
    json_object *body, *metadata, *platform;
    bool has_platform;
    size_t input_count;
    fe_tree **inputs;
    char *name; // While a definition is written.
} vertex;

struct fe_tree {
    vertex *vertex;
    int output;
    json_object *env; // Array of NAME=VALUE.
    const char *dir, *user, *network;
    json_object *platform;
};

typedef struct inputs {
    size_t count;
    fe_tree **trees;
} inputs;

static int input_index(inputs *inputs, fe_tree *tree)
{
    if (!tree || !tree->vertex)
        return -1;
    for (size_t i = 0; i < inputs->count; i++)
        if (inputs->trees[i]->vertex == tree->vertex && inputs->trees[i]->output == tree->output)
            return (int)i;
    fe_tree **grown = allocate((inputs->count + 1) * sizeof *grown);
    if (inputs->count)
        memcpy(grown, inputs->trees, inputs->count * sizeof *grown);
    grown[inputs->count] = tree;
    inputs->trees = grown;
    return (int)inputs->count++;
}

fe_tree *fe_scratch(void)
{
    fe_tree *tree = allocate(sizeof *tree);
    tree->env = json_object_new_array();
    tree->dir = "/";
    tree->user = tree->network = "";
    return tree;
}

static fe_tree *changed(const fe_tree *tree)
{
    fe_tree *copy = allocate(sizeof *copy);
    *copy = *tree;
    return copy;
}

static fe_tree *onto(const fe_tree *tree, vertex *vertex, int output)
{
    fe_tree *copy = changed(tree);
    copy->vertex = vertex;
    copy->output = output;
    return copy;
}

static vertex *new_vertex(const char *kind, json_object *body, inputs inputs, const char *name, bool ignore_cache)
{
    vertex *made = allocate(sizeof *made);
    *made = (vertex){.kind = kind, .body = body, .metadata = object(), .input_count = inputs.count, .inputs = inputs.trees};
    if (!is_empty(name)) {
        json_object *description = object();
        put_text(description, "llb.customname", name);
        put(made->metadata, "description", description);
    }
    put_true(made->metadata, "ignore_cache", ignore_cache);
    return made;
}

// A path below a directory, absolute and clean; a slash at the end, which means "into it", may stay.
static char *clean_path(const char *dir, const char *path, bool keeps_slash)
{
    char *text = fe_format("%s/%s", *path == '/' ? "" : dir, path), *result = allocate(strlen(text) + 4);
    char *position = NULL;
    for (char *part = strtok_r(text, "/", &position); part; part = strtok_r(NULL, "/", &position)) {
        if (!strcmp(part, "."))
            continue;
        if (!strcmp(part, "..")) {
            char *slash = strrchr(result, '/');
            if (slash)
                *slash = 0;
            continue;
        }
        strcat(strcat(result, "/"), part);
    }
    size_t size = strlen(path);
    if (!*result)
        return strcpy(result, "/");
    if (keeps_slash && size && path[size - 1] == '/')
        strcat(result, "/");
    else if (keeps_slash && size > 1 && !strcmp(path + size - 2, "/."))
        strcat(result, "/.");
    return result;
}

static char *tree_path(const fe_tree *tree, const char *path) { return clean_path(tree->dir, path, false); }

fe_tree *fe_env(fe_tree *tree, const char *name, const char *value)
{
    fe_tree *copy = changed(tree);
    copy->env = json_object_new_array();
    char *prefix = fe_format("%s=", name), *entry = fe_format("%s=%s", name, value);
    bool is_set = false;
    for (size_t i = 0; i < length(tree->env); i++) {
        const char *old = json_object_get_string(json_object_array_get_idx(tree->env, i));
        bool is_it = starts_with(old, prefix);
        json_object_array_add(copy->env, json_object_new_string(is_it ? entry : old));
        is_set = is_set || is_it;
    }
    if (!is_set)
        json_object_array_add(copy->env, json_object_new_string(entry));
    return copy;
}

fe_tree *fe_dir(fe_tree *tree, const char *path)
{
    fe_tree *copy = changed(tree);
    copy->dir = tree_path(tree, path);
    return copy;
}

fe_tree *fe_user(fe_tree *tree, const char *user)
{
    fe_tree *copy = changed(tree);
    copy->user = user;
    return copy;
}

fe_tree *fe_on(fe_tree *tree, json_object *platform)
{
    fe_tree *copy = changed(tree);
    copy->platform = platform;
    return copy;
}

fe_tree *fe_network(fe_tree *tree, const char *mode)
{
    fe_tree *copy = changed(tree);
    copy->network = mode;
    return copy;
}

fe_tree *fe_configured(fe_tree *tree, json_object *config)
{
    json_object *inner = member(config, "config"), *env = member(inner, "Env");
    for (size_t i = 0; i < length(env); i++) {
        char *name = strdup(json_object_get_string(json_object_array_get_idx(env, i)));
        char *value = strchr(name, '=');
        if (value)
            *value++ = 0;
        tree = fe_env(tree, name, value ? value : "");
    }
    return fe_user(fe_dir(tree, fe_format("/%s", fe_text(inner, "WorkingDir"))), fe_text(inner, "User"));
}

// --- Sources

fe_tree *fe_source(const char *identifier, json_object *attributes, json_object *platform, const char *name)
{
    json_object *body = object();
    put_text(body, "identifier", identifier);
    if (attributes && json_object_object_length(attributes))
        put(body, "attrs", attributes);
    fe_tree *tree = fe_scratch();
    tree->platform = platform;
    tree->vertex = new_vertex("source", body, (inputs){0}, name, false);
    tree->vertex->platform = platform;
    tree->vertex->has_platform = starts_with(identifier, "docker-image://") || starts_with(identifier, "oci-layout://");
    return tree;
}

fe_tree *fe_image(const char *reference, json_object *platform)
{
    return fe_source(fe_format("docker-image://%s", fe_full_reference(reference)), NULL, platform, NULL);
}

static void put_list(json_object *attributes, const char *name, json_object *list)
{
    if (length(list))
        put_text(attributes, name, plain(list, NULL));
}

fe_tree *fe_local(const char *local_name, json_object *follow, json_object *exclude, const char *name)
{
    json_object *attributes = object();
    put_list(attributes, "local.followpaths", follow);
    put_list(attributes, "local.excludepatterns", exclude);
    return fe_source(fe_format("local://%s", local_name), attributes, NULL, name);
}

fe_tree *fe_http(const char *url, const char *checksum, const char *file_name, int mode)
{
    json_object *attributes = object();
    put_text(attributes, "http.checksum", checksum);
    put_text(attributes, "http.filename", file_name);
    if (mode)
        put_text(attributes, "http.perm", fe_format("0%o", (unsigned)mode));
    return fe_source(url, attributes, NULL, NULL);
}

fe_tree *fe_git(const char *url, const char *ref)
{
    json_object *attributes = object();
    put_text(attributes, "git.fullurl", url);
    const char *scheme = strstr(url, "://"), *bare = scheme ? scheme + 3 : url;
    return fe_source(fe_format("git://%s%s%s", bare, is_empty(ref) ? "" : "#", ref ? ref : ""), attributes, NULL, NULL);
}

fe_tree *fe_merge(size_t count, fe_tree *const *trees)
{
    inputs filled = {0};
    json_object *written = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        if (!trees[i]->vertex)
            continue;
        fe_tree **grown = allocate((filled.count + 1) * sizeof *grown);
        if (filled.count)
            memcpy(grown, filled.trees, filled.count * sizeof *grown);
        grown[filled.count] = trees[i];
        filled.trees = grown;
        json_object *entry = object();
        put_int(entry, "input", (int64_t)filled.count++);
        json_object_array_add(written, entry);
    }
    if (filled.count < 2)
        return filled.count ? filled.trees[0] : fe_scratch();
    json_object *body = object();
    put(body, "inputs", written);
    return onto(filled.trees[0], new_vertex("merge", body, filled, NULL, false), 0);
}

fe_tree *fe_diff(fe_tree *lower, fe_tree *upper)
{
    if (!lower->vertex)
        return upper;
    inputs filled = {.count = upper->vertex ? 2 : 1, .trees = allocate(2 * sizeof(fe_tree *))};
    filled.trees[0] = lower;
    filled.trees[1] = upper;
    json_object *body = object(), *below = object(), *above = object();
    put_int(below, "input", 0);
    put_int(above, "input", upper->vertex ? 1 : -1);
    put(body, "lower", below);
    put(body, "upper", above);
    return onto(lower, new_vertex("diff", body, filled, NULL, false), 0);
}

// --- Steps

typedef struct step_mount {
    fe_mount mount;
    char *path;
    int output;
} step_mount;

struct fe_step {
    fe_tree *before;
    vertex *vertex;
    size_t count;
    step_mount *mounts;
};

static char *upper_case(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return copy;
}

static bool is_output(const fe_mount *mount)
{
    return !mount->cache_id && !mount->is_tmpfs && !mount->readonly && !mount->discard;
}

static json_object *mount_members(const step_mount *mount, inputs *inputs)
{
    const fe_mount *options = &mount->mount;
    json_object *members = object(), *inner = object();
    put_text(members, "dest", mount->path);
    put_int(members, "input", input_index(inputs, options->source));
    put_int(members, "output", mount->output);
    put_text(members, "selector", options->selector);
    put_true(members, "readonly", options->readonly);
    if (options->cache_id) {
        put_text(inner, "ID", options->cache_id);
        put_text(inner, "sharing", upper_case(options->sharing ? options->sharing : "shared"));
        put_text(members, "mountType", "CACHE");
        put(members, "cacheOpt", inner);
    } else if (options->is_tmpfs) {
        if (options->size)
            put_int(inner, "size", options->size);
        put_text(members, "mountType", "TMPFS");
        put(members, "TmpfsOpt", inner);
    }
    return members;
}

static json_object *special_mount(const char *kind, const char *option, const char *target, json_object *options)
{
    json_object *members = object();
    put_text(members, "dest", target);
    put_int(members, "input", -1);
    put_int(members, "output", -1);
    put_text(members, "mountType", kind);
    put(members, option, options);
    return members;
}

static void add_secret(const fe_secret *secret, json_object *mounts, json_object *variables)
{
    const char *target = secret->target;
    if (is_empty(target) && is_empty(secret->env))
        target = fe_format("/run/secrets/%s", secret->id);
    json_object *variable = object(), *options = object();
    put_text(variable, "ID", secret->id);
    put_text(variable, "name", secret->env);
    put_true(variable, "optional", secret->optional);
    if (!is_empty(secret->env))
        json_object_array_add(variables, variable);
    put_text(options, "ID", secret->id);
    if (secret->uid)
        put_int(options, "uid", secret->uid);
    if (secret->gid)
        put_int(options, "gid", secret->gid);
    put_int(options, "mode", secret->mode ? secret->mode : 0400);
    put_true(options, "optional", secret->optional);
    if (!is_empty(target))
        json_object_array_add(mounts, special_mount("SECRET", "secretOpt", target, options));
}

static void sort_mounts(step_mount *mounts, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k && strcmp(mounts[k - 1].path, mounts[k].path) > 0; k--) {
            step_mount other = mounts[k];
            mounts[k] = mounts[k - 1];
            mounts[k - 1] = other;
        }
}

fe_step *fe_exec(fe_tree *tree, const fe_run *run)
{
    fe_step *step = allocate(sizeof *step);
    step->before = tree;
    step->count = 1;
    for (const fe_mount *mount = run->mounts; mount && mount->target; mount++)
        step->count++;
    step->mounts = allocate(step->count * sizeof *step->mounts);
    step->mounts[0].mount = (fe_mount){.target = "/", .source = tree, .readonly = run->readonly_root};
    for (size_t i = 1; i < step->count; i++)
        step->mounts[i].mount = run->mounts[i - 1];
    for (size_t i = 0; i < step->count; i++)
        step->mounts[i].path = tree_path(tree, step->mounts[i].mount.target);
    sort_mounts(step->mounts, step->count);

    inputs inputs = {0};
    int outputs = 0;
    json_object *mounts = json_object_new_array(), *variables = json_object_new_array();
    for (size_t i = 0; i < step->count; i++) {
        step->mounts[i].output = is_output(&step->mounts[i].mount) ? outputs++ : -1;
        json_object_array_add(mounts, mount_members(&step->mounts[i], &inputs));
    }
    for (const fe_secret *secret = run->secrets; secret && secret->id; secret++)
        add_secret(secret, mounts, variables);
    fe_tree *settings = tree;
    if (run->ssh) {
        json_object *options = object();
        put_int(options, "mode", 0600);
        json_object_array_add(mounts, special_mount("SSH", "SSHOpt", "/run/buildkit/ssh_agent.0", options));
        settings = fe_env(tree, "SSH_AUTH_SOCK", "/run/buildkit/ssh_agent.0");
    }
    json_object *args = json_object_new_array(), *meta = object(), *body = object();
    for (const char *const *arg = run->args; *arg; arg++)
        json_object_array_add(args, json_object_new_string(*arg));
    put(meta, "args", args);
    if (length(settings->env))
        put(meta, "env", keep(settings->env));
    put_text(meta, "cwd", tree->dir);
    put_text(meta, "user", tree->user);
    put_true(meta, "removeMountStubsRecursive", true);
    put(body, "meta", meta);
    put(body, "mounts", mounts);
    if (length(variables))
        put(body, "secretenv", variables);
    put_text(body, "network", upper_case(run->network ? run->network : tree->network));
    step->vertex = new_vertex("exec", body, inputs, run->name, run->ignore_cache);
    step->vertex->platform = tree->platform;
    step->vertex->has_platform = true;
    return step;
}

fe_tree *fe_mounted(const fe_step *step, const char *target)
{
    char *path = tree_path(step->before, target);
    for (size_t i = 0; i < step->count; i++) {
        const step_mount *mount = &step->mounts[i];
        if (strcmp(mount->path, path))
            continue;
        fe_tree *source = mount->mount.source;
        if (mount->output < 0)
            return mount->mount.readonly ? (source ? source : fe_scratch()) : NULL;
        return onto(source ? source : step->before, step->vertex, mount->output);
    }
    return NULL;
}

fe_tree *fe_root(const fe_step *step) { return fe_mounted(step, "/"); }

fe_tree *fe_sh(fe_tree *tree, const char *script, const char *name)
{
    const char *args[] = {"/bin/sh", "-c", script, NULL};
    return fe_root(fe_exec(tree, &(fe_run){.args = args, .name = name}));
}

// --- File actions

static char *base64(const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = allocate(size / 3 * 4 + 5), *end = text;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) | (left > 2 ? data[i + 2] : 0);
        *end++ = digits[bits >> 18];
        *end++ = digits[bits >> 12 & 63];
        *end++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *end++ = left > 2 ? digits[bits & 63] : '=';
    }
    return text;
}

static fe_action action(const char *kind, const char *path)
{
    fe_action made = {.kind = kind, .path = path, .members = object()};
    put_int(made.members, "timestamp", -1);
    return made;
}

fe_action fe_copy(fe_tree *source, const char *from, const char *to)
{
    fe_action made = action("copy", "dest");
    made.source = source;
    put_text(made.members, "src", tree_path(source, from));
    put_text(made.members, "dest", to);
    put_int(made.members, "mode", -1);
    put_true(made.members, "createDestPath", true);
    return made;
}

fe_action fe_mkfile(const char *path, const void *data, size_t size, int mode)
{
    fe_action made = action("mkfile", "path");
    put_text(made.members, "path", path);
    put_int(made.members, "mode", mode & 0777);
    put(made.members, "data", json_object_new_string(base64(data, size)));
    return made;
}

fe_action fe_mkdir(const char *path, int mode)
{
    fe_action made = action("mkdir", "path");
    put_text(made.members, "path", path);
    put_int(made.members, "mode", mode & 0777);
    put_true(made.members, "makeParents", true);
    return made;
}

fe_action fe_symlink(const char *target, const char *at)
{
    fe_action made = action("symlink", "newpath");
    put_text(made.members, "oldpath", target);
    put_text(made.members, "newpath", at);
    return made;
}

fe_action fe_rm(const char *path, bool missing_ok)
{
    fe_action made = {.kind = "rm", .path = "path", .members = object()};
    put_text(made.members, "path", path);
    put_true(made.members, "allowNotFound", missing_ok);
    return made;
}

static json_object *identity(const char *text, int base)
{
    json_object *made = object();
    if (!strcmp(text, "root") || text[strspn(text, "0123456789")] == 0) {
        put_int(made, "byID", strtoll(text, NULL, 10)); // "root" is 0 as well.
        return made;
    }
    json_object *named = object();
    put_text(named, "name", text);
    put_int(named, "input", base);
    put(made, "byName", named);
    return made;
}

static json_object *owner_members(const char *owner, int base)
{
    char *user = strdup(owner), *group = strchr(user, ':');
    if (group)
        *group++ = 0;
    json_object *made = object();
    if (*user)
        put(made, "user", identity(user, base));
    if (!is_empty(group))
        put(made, "group", identity(group, base));
    return made;
}

fe_tree *fe_file(fe_tree *tree, const char *name, size_t count, const fe_action *actions)
{
    if (!count)
        return tree;
    inputs inputs = {0};
    int base = input_index(&inputs, tree);
    int *sources = allocate(count * sizeof *sources);
    for (size_t i = 0; i < count; i++)
        sources[i] = input_index(&inputs, actions[i].source);
    json_object *written = json_object_new_array(), *body = object();
    for (size_t i = 0; i < count; i++) {
        json_object *members = NULL, *entry = object();
        json_object_deep_copy(actions[i].members, &members, NULL);
        bool keeps_slash = !strcmp(actions[i].kind, "copy");
        put_text(members, actions[i].path, clean_path(tree->dir, fe_text(members, actions[i].path), keeps_slash));
        if (!is_empty(actions[i].owner))
            put(members, "owner", owner_members(actions[i].owner, base));
        put_int(entry, "input", i ? (int64_t)(inputs.count + i - 1) : base);
        put_int(entry, "secondaryInput", sources[i]);
        put_int(entry, "output", i + 1 == count ? 0 : -1);
        put(entry, actions[i].kind, members);
        json_object_array_add(written, entry);
    }
    put(body, "actions", written);
    return onto(tree, new_vertex("file", body, inputs, name, false), 0);
}

// --- Definitions

static json_object *edge(const char *name, int output)
{
    json_object *made = object();
    put_text(made, "digest", name);
    if (output)
        put_int(made, "index", output);
    return made;
}

static json_object *operation(const vertex *vertex, json_object *platform)
{
    json_object *made = object();
    put(made, vertex->kind, keep(vertex->body));
    if (vertex->input_count) {
        json_object *edges = json_object_new_array();
        for (size_t i = 0; i < vertex->input_count; i++)
            json_object_array_add(edges, edge(vertex->inputs[i]->vertex->name, vertex->inputs[i]->output));
        put(made, "inputs", edges);
    }
    if (vertex->platform)
        platform = vertex->platform;
    if (vertex->has_platform && platform) {
        json_object *where = object();
        put_text(where, "OS", fe_text(platform, "os"));
        put_text(where, "Architecture", fe_text(platform, "architecture"));
        put_text(where, "Variant", fe_text(platform, "variant"));
        put_text(where, "OSVersion", fe_text(platform, "os.version"));
        if (length(member(platform, "os.features")))
            put(where, "OSFeatures", keep(member(platform, "os.features")));
        put(made, "platform", where);
    }
    return made;
}

json_object *fe_definition(const fe_tree *tree, json_object *platform)
{
    json_object *definition = object(), *def = object(), *metadata = object();
    put(definition, "def", def);
    if (!tree->vertex)
        return definition;
    size_t capacity = 64, size = 0, count = 0;
    vertex **stack = allocate(capacity * sizeof *stack), **named = NULL;
    size_t named_capacity = 0;
    stack[size++] = tree->vertex;
    while (size) { // Inputs first, without recursion: graphs may be thousands of steps deep.
        vertex *top = stack[size - 1];
        bool waits = false;
        for (size_t i = top->input_count; !top->name && i-- > 0;) {
            if (top->inputs[i]->vertex->name)
                continue;
            if (size == capacity && !(stack = reallocarray(stack, capacity *= 2, sizeof *stack)))
                leave(EX_OSERR, "out of memory");
            stack[size++] = top->inputs[i]->vertex;
            waits = true;
        }
        if (waits)
            continue;
        size--;
        if (top->name)
            continue;
        if (count == named_capacity) {
            named_capacity = named_capacity ? named_capacity * 2 : 64;
            if (!(named = reallocarray(named, named_capacity, sizeof *named)))
                leave(EX_OSERR, "out of memory");
        }
        named[count++] = top;
        top->name = fe_format("op%zu", count);
        put(def, top->name, operation(top, platform));
        if (json_object_object_length(top->metadata))
            put(metadata, top->name, keep(top->metadata));
    }
    json_object *end = object();
    put(end, "inputs", one(edge(tree->vertex->name, tree->output)));
    put(def, "result", end);
    if (json_object_object_length(metadata))
        put(definition, "metadata", metadata);
    for (size_t i = 0; i < count; i++)
        named[i]->name = NULL; // Another definition names them anew.
    return definition;
}

// --- Names and image configs

char *fe_full_reference(const char *reference)
{
    const char *slash = strchr(reference, '/');
    size_t head = slash ? (size_t)(slash - reference) : 0;
    bool has_host = slash && (memchr(reference, '.', head) || memchr(reference, ':', head)
                              || (head == 9 && !memcmp(reference, "localhost", 9)));
    char *text = fe_format("%s%s%s", has_host ? "" : "docker.io/", slash ? "" : "library/", reference);
    bool has_tag = strchr(strrchr(text, '/'), ':') != NULL;
    return strchr(text, '@') || has_tag ? text : fe_format("%s:latest", text);
}

json_object *fe_parse_platform(const char *text)
{
    char *copy = strdup(text), *parts[4] = {NULL}, *rest = copy;
    size_t count = 0;
    while (rest && count < 4)
        parts[count++] = strsep(&rest, "/");
    if (rest || count < 2 || count > 3)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!*parts[i])
            return NULL;
    const char *architecture = parts[1];
    if (!strcmp(architecture, "x86_64"))
        architecture = "amd64";
    if (!strcmp(architecture, "aarch64"))
        architecture = "arm64";
    json_object *platform = object();
    put_text(platform, "os", parts[0]);
    put_text(platform, "architecture", architecture);
    if (count == 3 && !(!strcmp(architecture, "arm64") && !strcmp(parts[2], "v8")))
        put_text(platform, "variant", parts[2]);
    return platform;
}

char *fe_platform_id(json_object *platform)
{
    const char *variant = fe_text(platform, "variant");
    return fe_format("%s/%s%s%s", fe_text(platform, "os"), fe_text(platform, "architecture"), *variant ? "/" : "", variant);
}

json_object *fe_image_config(json_object *platform, json_object *config, json_object *base)
{
    json_object *made = object(), *rootfs = object(), *inner = object();
    put_text(rootfs, "type", "layers");
    put(rootfs, "diff_ids", json_object_new_array());
    put(made, "rootfs", rootfs);
    put(made, "history", json_object_new_array());
    json_object_object_foreach(base ? base : inner, name, value) put(made, name, keep(value));
    static const char *const facts[] = {"os", "architecture", "variant", "os.version"};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        put_text(made, facts[i], fe_text(platform, facts[i]));
    json_object *layers[] = {member(base, "config"), config};
    for (size_t i = 0; i < 2; i++)
        if (json_object_is_type(layers[i], json_type_object)) {
            json_object_object_foreach(layers[i], key, setting) put(inner, key, keep(setting));
        }
    put(made, "config", inner);
    return made;
}

// --- The session

struct fe_session {
    const char *name;
    FILE *in;
    int out;
    uint32_t next_stream;
    json_object *hello;   // The params of initialize; NULL before.
    int64_t frame_limit, message_limit, blob_limit, in_flight_limit;
    json_object *answers; // By the numbers of requests: null while one is open.
    int open_count, next_id;
    json_object *work_id; // The number of the work request; NULL when there is none to answer.
    jmp_buf end;          // Leaves the handler with the error to answer.
    json_object *error;
    fe_request request;
};

static _Noreturn void broken(fe_session *session, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = vformat(format, arguments);
    va_end(arguments);
    leave(76, "%s: the engine broke the protocol: %s", session->name, text);
}

static void write_all(fe_session *session, const void *data, size_t size)
{
    for (const char *next = data; size;) {
        ssize_t count = write(session->out, next, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            exit(0); // The engine is gone: nobody is left to tell.
        next += count;
        size -= (size_t)count;
    }
}

static void write_frame(fe_session *session, uint32_t stream, const void *payload, size_t size)
{
    unsigned char header[8];
    for (int i = 0; i < 4; i++) {
        header[i] = (unsigned char)(size >> (24 - 8 * i));
        header[i + 4] = (unsigned char)(stream >> (24 - 8 * i));
    }
    write_all(session, header, sizeof header);
    write_all(session, payload, size);
}

// A value with announcements in the place of bytes, which are gathered in their order.
static json_object *announced(fe_session *session, json_object *value, json_object *blobs)
{
    if (is_bytes(value)) {
        json_object *made = object();
        put_int(made, "blob", session->next_stream);
        put_int(made, "size", json_object_get_string_len(value));
        session->next_stream = (session->next_stream + 2) % (1u << 31);
        json_object_array_add(blobs, keep(value));
        return made;
    }
    if (json_object_is_type(value, json_type_object)) {
        json_object *made = object();
        json_object_object_foreach(value, name, inner) put(made, name, announced(session, inner, blobs));
        return made;
    }
    if (json_object_is_type(value, json_type_array)) {
        json_object *made = json_object_new_array();
        for (size_t i = 0; i < length(value); i++)
            json_object_array_add(made, announced(session, json_object_array_get_idx(value, i), blobs));
        return made;
    }
    return keep(value);
}

// Sends a message; gives NULL, or why it cannot be sent.
static const char *send_message(fe_session *session, json_object *message, int64_t message_limit)
{
    uint32_t stream = session->next_stream;
    put_text(message, "jsonrpc", "2.0");
    json_object *blobs = json_object_new_array();
    size_t size, total = 0;
    const char *text = plain(announced(session, message, blobs), &size);
    for (size_t i = 0; i < length(blobs); i++)
        total += (size_t)json_object_get_string_len(json_object_array_get_idx(blobs, i));
    if ((int64_t)size > message_limit || (int64_t)total > session->blob_limit)
        return fe_format("a message of %zu bytes with %zu bytes of blobs; the engine takes %lld and %lld", size, total,
                         (long long)message_limit, (long long)session->blob_limit);
    if (!is_utf8(text, size))
        return "a text that is not UTF-8";
    write_frame(session, 0, text, size);
    for (size_t i = 0; i < length(blobs); i++, stream += 2) {
        json_object *blob = json_object_array_get_idx(blobs, i);
        const char *data = json_object_get_string(blob);
        size_t left = (size_t)json_object_get_string_len(blob);
        while (left) {
            size_t count = left < (size_t)session->frame_limit ? left : (size_t)session->frame_limit;
            write_frame(session, stream, data, count);
            data += count;
            left -= count;
        }
    }
    return NULL;
}

static json_object *failure(const char *kind, const char *message, json_object *data)
{
    int code = !strcmp(kind, "unsupported") ? -32601 : !strcmp(kind, "invalidParams") ? -32602
             : !strcmp(kind, "internal") ? -32603 : -32000;
    json_object *made = object();
    put_int(made, "code", code);
    put(made, "message", json_object_new_string(is_utf8(message, strlen(message)) ? message : "(not UTF-8)"));
    if (!data)
        data = object();
    put_text(data, "kind", kind);
    put(made, "data", data);
    return made;
}

static void refuse(fe_session *session, json_object *id, json_object *error)
{
    json_object *message = object();
    put(message, "id", keep(id));
    put(message, "error", error);
    send_message(session, message, FRAME_LIMIT - 1);
}

// Ends the handler.
static _Noreturn void end_with(fe_session *session, json_object *error)
{
    session->error = error;
    longjmp(session->end, 1);
}

_Noreturn void fe_fail(fe_session *session, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = vformat(format, arguments);
    va_end(arguments);
    end_with(session, failure("buildFile", text, NULL));
}

_Noreturn void fe_fail_because(fe_session *session, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = vformat(format, arguments);
    va_end(arguments);
    put(session->error, "message", json_object_new_string(text));
    longjmp(session->end, 1);
}

void fe_check_text(fe_session *session, const fe_request *request)
{
    if (!is_utf8(request->content, request->size))
        fe_fail(session, "%s: not UTF-8", request->file_name);
}

// --- Reading

static void read_exactly(fe_session *session, void *data, size_t size, bool is_start)
{
    size_t count = fread(data, 1, size, session->in);
    if (count == size)
        return;
    if (count == 0 && is_start)
        exit(0); // The end of stdin is the sign to go.
    broken(session, "stdin ends inside a message");
}

static char *read_frame(fe_session *session, uint32_t *stream, size_t *size, bool is_start)
{
    unsigned char header[8];
    read_exactly(session, header, sizeof header, is_start);
    uint32_t count = 0;
    *stream = 0;
    for (int i = 0; i < 4; i++) {
        count = count << 8 | header[i];
        *stream = *stream << 8 | header[i + 4];
    }
    if (count >= FRAME_LIMIT || *stream >= 1u << 31)
        broken(session, "a frame of %u bytes on stream %u", count, *stream);
    char *payload = allocate((size_t)count + 1);
    read_exactly(session, payload, count, false);
    *size = count;
    return payload;
}

static bool is_blob(json_object *value)
{
    return json_object_is_type(value, json_type_object) && json_object_object_length(value) == 2
        && json_object_is_type(member(value, "blob"), json_type_int) && json_object_object_get_ex(value, "size", NULL);
}

typedef struct blob {
    uint32_t stream;
    int64_t size; // -1: not known.
    char *data;
    size_t count;
    bool is_done, is_given_up;
} blob;

typedef struct blobs {
    size_t count;
    blob *list;
} blobs;

static void find_blobs(json_object *value, blobs *found)
{
    if (is_blob(value)) {
        if (!(found->list = reallocarray(found->list, found->count + 1, sizeof *found->list)))
            leave(EX_OSERR, "out of memory");
        json_object *size = member(value, "size");
        int64_t count = size ? json_object_get_int64(size) : -1;
        found->list[found->count++] = (blob){.stream = (uint32_t)json_object_get_int64(member(value, "blob")),
                                             .size = count, .data = allocate(1), .is_done = count == 0};
        return;
    }
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, inner)
        {
            (void)name;
            find_blobs(inner, found);
        }
    }
    for (size_t i = 0; i < length(value); i++)
        find_blobs(json_object_array_get_idx(value, i), found);
}

static void read_blobs(fe_session *session, blobs *found)
{
    for (size_t i = 0; i < found->count; i++) { // They come in the order of their announcements.
        blob *blob = &found->list[i];
        while (!blob->is_done) {
            uint32_t stream;
            size_t size;
            char *chunk = read_frame(session, &stream, &size, false);
            if (stream != blob->stream)
                broken(session, "a frame of stream %u, expected stream %u", stream, blob->stream);
            if (blob->size >= 0 && blob->count + size > (size_t)blob->size)
                broken(session, "stream %u is longer than announced", stream);
            if (!(blob->data = realloc(blob->data, blob->count + size + 1)))
                leave(EX_OSERR, "out of memory");
            memcpy(blob->data + blob->count, chunk, size + 1);
            blob->count += size;
            free(chunk);
            blob->is_given_up = size == 0 && blob->size >= 0;
            blob->is_done = size == 0 || blob->count == (size_t)blob->size;
        }
    }
}

// Puts bytes in the place of their announcements.
static json_object *filled(json_object *value, const blobs *found, size_t *next)
{
    if (is_blob(value)) {
        const blob *blob = &found->list[(*next)++];
        return blob->is_given_up ? NULL : json_object_new_string_len(blob->data, (int)blob->count);
    }
    if (json_object_is_type(value, json_type_object)) {
        json_object *made = object();
        json_object_object_foreach(value, name, inner) put(made, name, filled(inner, found, next));
        return made;
    }
    if (json_object_is_type(value, json_type_array)) {
        json_object *made = json_object_new_array();
        for (size_t i = 0; i < length(value); i++)
            json_object_array_add(made, filled(json_object_array_get_idx(value, i), found, next));
        return made;
    }
    return keep(value);
}

static json_object *receive(fe_session *session)
{
    uint32_t stream;
    size_t size;
    char *text = read_frame(session, &stream, &size, true);
    if (stream)
        broken(session, "a frame of stream %u where a message is due", stream);
    json_object *message = parse(text, size), *id = member(message, "id");
    free(text);
    int count = !!member(message, "method") + !!member(message, "result") + !!member(message, "error");
    if (count != 1 || (id && !json_object_is_type(id, json_type_int)) || (!id && !member(message, "method")))
        broken(session, "a message that cannot be read");
    blobs found = {0};
    find_blobs(message, &found);
    read_blobs(session, &found);
    if (!found.count)
        return message;
    size_t next = 0;
    message = filled(message, &found, &next);
    for (size_t i = 0; i < found.count; i++)
        put_true(message, "isGivenUp", found.list[i].is_given_up);
    return message;
}

// --- Requests of the frontend

bool fe_offers(const fe_session *session, const char *method, json_object *params)
{
    static const char *const others[][2] = {{"releaseRef", "solve"}, {"evaluate", "solve.evaluate"}, {"readDir", "readFile"},
                                            {"stat", "readFile"}, {"frontend/solve", "frontend.solve"}};
    if (!strcmp(method, "log") || !strcmp(method, "cancel"))
        return true;
    const char *name = method;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(method, others[i][0]))
            name = others[i][1];
    if (!strcmp(method, "resolveSource")) {
        const char *identifier = fe_text(params, "identifier");
        bool is_http = starts_with(identifier, "http://") || starts_with(identifier, "https://");
        const char *kind = starts_with(identifier, "git://") ? "git" : is_http ? "http" : "image";
        name = fe_format("resolveSource.%s", kind);
    }
    json_object *capabilities = member(session->hello, "capabilities");
    for (size_t i = 0; i < length(capabilities); i++)
        if (!strcmp(json_object_get_string(json_object_array_get_idx(capabilities, i)), name))
            return true;
    return false;
}

// Takes one message of the engine while the handler waits.
static void step(fe_session *session)
{
    json_object *message = receive(session), *id = member(message, "id");
    const char *method = fe_text(message, "method");
    if (*method && id) {
        refuse(session, id, failure("unsupported", "one process does one build", NULL));
    } else if (*method) {
        json_object *given_up = member(member(message, "params"), "id");
        if (!strcmp(method, "cancel") && given_up && json_object_equal(given_up, session->work_id))
            end_with(session, failure("cancelled", "the build was given up", NULL));
    } else {
        const char *number = json_object_get_string(id);
        json_object *open = NULL;
        if (!json_object_object_get_ex(session->answers, number, &open) || open)
            broken(session, "an answer to request %s, which is not open", number);
        put(session->answers, number, message);
        session->open_count--;
    }
}

int fe_open(fe_session *session, const char *method, json_object *params)
{
    if (!fe_offers(session, method, params)) {
        json_object *engine = member(session->hello, "engine");
        char *text = fe_format("%s %s does not offer \"%s\"; a newer one may", fe_text(engine, "name"),
                               fe_text(engine, "version"), method);
        end_with(session, failure("unsupported", text, NULL));
    }
    while (session->open_count >= session->in_flight_limit)
        step(session);
    int id = session->next_id + 1;
    json_object *message = object();
    put_int(message, "id", id);
    put_text(message, "method", method);
    put(message, "params", params);
    const char *problem = send_message(session, message, session->message_limit);
    if (problem)
        end_with(session, failure("limit", problem, NULL));
    session->next_id = id;
    session->open_count++;
    put(session->answers, fe_format("%d", id), NULL);
    return id;
}

static json_object *answer_of(fe_session *session, int request)
{
    char *number = fe_format("%d", request);
    json_object *answer = NULL;
    while (!(answer = member(session->answers, number)))
        step(session);
    keep(answer);
    json_object_object_del(session->answers, number);
    return answer;
}

// The error of an answer with its kind filled in, or NULL.
static json_object *error_of(json_object *answer, int request)
{
    json_object *error = member(answer, "error");
    if (!error && member(answer, "isGivenUp"))
        error = failure("cancelled", "the engine gave a blob of its answer up", NULL);
    if (!error)
        return NULL;
    json_object *data = member(error, "data") ? keep(member(error, "data")) : object();
    int code = json_object_get_int(member(error, "code"));
    const char *kind = fe_text(data, "kind");
    if (!*kind)
        kind = code == -32601 ? "unsupported" : code == -32602 ? "invalidParams" : "internal";
    put_int(data, "request", request);
    return failure(strdup(kind), fe_text(error, "message"), data);
}

json_object *fe_wait(fe_session *session, int request)
{
    json_object *answer = answer_of(session, request), *error = error_of(answer, request);
    if (error)
        end_with(session, error);
    return member(answer, "result");
}

json_object *fe_try(fe_session *session, int request, const char **kind)
{
    json_object *answer = answer_of(session, request), *error = error_of(answer, request);
    if (!error)
        return member(answer, "result");
    *kind = fe_text(member(error, "data"), "kind");
    session->error = error;
    return NULL;
}

json_object *fe_call(fe_session *session, const char *method, json_object *params)
{
    return fe_wait(session, fe_open(session, method, params));
}

void fe_notify(fe_session *session, const char *method, json_object *params)
{
    if (!fe_offers(session, method, params))
        return;
    json_object *message = object();
    put_text(message, "method", method);
    put(message, "params", params);
    send_message(session, message, session->message_limit);
}

void fe_cancel(fe_session *session, int request)
{
    json_object *params = object();
    put_int(params, "id", request);
    fe_notify(session, "cancel", params);
}

static json_object *solve_on(fe_session *session, const fe_tree *tree, json_object *platform)
{
    if (!tree || !tree->vertex)
        return NULL;
    json_object *params = object(), *definition = object();
    put(definition, "json", fe_definition(tree, platform));
    put(params, "definition", definition);
    return keep(member(fe_call(session, "solve", params), "ref"));
}

json_object *fe_solve(fe_session *session, fe_tree *tree) { return solve_on(session, tree, session->request.platform); }

static json_object *file_params(json_object *ref, const char *path)
{
    json_object *params = object();
    put(params, "ref", keep(ref));
    put(params, "path", json_object_new_string(path));
    return params;
}

char *fe_read_file(fe_session *session, json_object *ref, const char *path, int64_t offset, int64_t count, size_t *size)
{
    char *data = allocate(1);
    *size = 0;
    while (count < 0 || (int64_t)*size < count) {
        json_object *params = file_params(ref, path);
        put_int(params, "offset", offset + (int64_t)*size);
        if (count >= 0)
            put_int(params, "length", count - (int64_t)*size);
        const char *kind;
        json_object *answer = fe_try(session, fe_open(session, "readFile", params), &kind), *chunk = member(answer, "data");
        if (!answer && strcmp(kind, "notFound"))
            end_with(session, session->error);
        if (!answer)
            return NULL;
        size_t more = (size_t)json_object_get_string_len(chunk);
        if (!(data = realloc(data, *size + more + 1)))
            leave(EX_OSERR, "out of memory");
        memcpy(data + *size, json_object_get_string(chunk), more);
        *size += more;
        data[*size] = 0;
        if (json_object_get_boolean(member(answer, "eof")) || !more)
            break;
    }
    return data;
}

char *fe_read_context(fe_session *session, const char *path, size_t *size)
{
    json_object *attributes = object();
    put_list(attributes, "local.followpaths", one(json_object_new_string(path)));
    put_text(attributes, "local.sharedkeyhint", fe_format("context-%s", path));
    put_text(attributes, "local.differ", "none");
    fe_tree *tree = fe_source("local://context", attributes, NULL, fe_format("[internal] load %s", path));
    return fe_read_file(session, fe_solve(session, tree), path, 0, -1, size);
}

fe_tree *fe_context(fe_session *session, json_object *exclude)
{
    size_t size;
    char *rest = fe_read_context(session, ".dockerignore", &size), *line;
    json_object *patterns = json_object_new_array(), *attributes = object();
    while (rest && (line = strsep(&rest, "\n"))) {
        if (*line == '#')
            continue;
        char *text = line + strspn(line, " \t\r");
        for (char *end = text + strlen(text); end > text && strchr(" \t\r", end[-1]);)
            *--end = 0;
        bool is_exception = *text == '!';
        text += is_exception;
        text += strspn(text, " \t");
        if (*text)
            json_object_array_add(patterns, json_object_new_string(
                fe_format("%s%s", is_exception ? "!" : "", clean_path("", text, false) + 1)));
    }
    for (size_t i = 0; i < length(exclude); i++)
        json_object_array_add(patterns, keep(json_object_array_get_idx(exclude, i)));
    put_list(attributes, "local.excludepatterns", patterns);
    put_text(attributes, "local.sharedkeyhint", "context");
    return fe_source("local://context", attributes, NULL, "[internal] load build context");
}

json_object *fe_read_dir(fe_session *session, json_object *ref, const char *path)
{
    return member(fe_call(session, "readDir", file_params(ref, path)), "entries");
}

json_object *fe_stat(fe_session *session, json_object *ref, const char *path)
{
    return fe_call(session, "stat", file_params(ref, path));
}

fe_image_info fe_resolve_image(fe_session *session, const char *reference, json_object *platform)
{
    char *full = fe_full_reference(reference);
    platform = platform ? platform : session->request.platform;
    json_object *params = object();
    put_text(params, "identifier", fe_format("docker-image://%s", full));
    put(params, "platform", keep(platform));
    put_text(params, "logName", fe_format("[internal] load metadata for %s", full));
    json_object *answer = fe_call(session, "resolveSource", params);
    json_object *found = member(answer, "image"), *bytes = member(found, "config");
    const char *name = strstr(fe_text(answer, "identifier"), "://");
    fe_image_info image = {.name = name ? name + 3 : full, .digest = fe_text(found, "digest")};
    if (!strchr(image.name, '@'))
        image.name = fe_format("%s@%s", image.name, image.digest);
    if (bytes)
        image.config = parse(json_object_get_string(bytes), (size_t)json_object_get_string_len(bytes));
    image.tree = fe_configured(fe_image(image.name, platform), image.config);
    return image;
}

void fe_log(fe_session *session, const char *message)
{
    json_object *params = object();
    put_text(params, "level", "info");
    put(params, "message", json_object_new_string(message));
    fe_notify(session, "log", params);
}

void fe_warn(fe_session *session, const char *message, const char *file, int line)
{
    json_object *params = object(), *range = object();
    put(params, "message", json_object_new_string(message));
    put_text(params, "severity", "warning");
    put_text(params, "file", file);
    put_int(range, "startLine", line);
    if (line > 0)
        put(params, "ranges", one(range));
    fe_notify(session, "diagnostic", params);
}

// --- Results

void fe_add(fe_session *session, json_object *result, json_object *platform, fe_tree *tree, json_object *config)
{
    json_object *refs = member(result, "refs"), *part = object();
    if (!refs)
        put(result, "refs", refs = json_object_new_array());
    put_text(part, "id", fe_platform_id(platform));
    put(part, "platform", keep(platform));
    put(part, "ref", solve_on(session, tree, platform));
    if (config && !is_bytes(config)) {
        size_t size;
        const char *text = plain(config, &size);
        config = fe_bytes(text, size);
    }
    if (config)
        put(part, "config", config);
    json_object_array_add(refs, part);
    put(result, "index", json_object_new_boolean(length(refs) > 1));
}

json_object *fe_result(fe_session *session, fe_tree *tree, json_object *config)
{
    json_object *result = object();
    fe_add(session, result, session->request.platform, tree, config);
    return result;
}

void fe_add_metadata(json_object *result, const char *name, const char *value)
{
    json_object *metadata = member(result, "metadata");
    if (!metadata)
        put(result, "metadata", metadata = object());
    put(metadata, name, fe_bytes(value, strlen(value)));
}

// --- The life of a frontend

static bool read_request(json_object *params, fe_request *request, const char **problem)
{
    json_object *file = member(params, "buildFile"), *content = member(file, "content");
    request->workers = member(params, "workerPlatforms");
    *problem = "buildFile or workerPlatforms";
    if (!json_object_is_type(member(file, "name"), json_type_string) || !json_object_is_type(content, json_type_string)
        || !json_object_is_type(json_object_array_get_idx(request->workers, 0), json_type_object))
        return false;
    request->file_name = fe_text(file, "name");
    request->content = json_object_get_string(content);
    request->size = (size_t)json_object_get_string_len(content);
    request->options = member(params, "options");
    request->inputs = member(params, "inputs");
    request->platforms = json_object_new_array();
    char *rest = strdup(fe_text(request->options, "platform")), *text;
    while ((text = strsep(&rest, ","))) {
        json_object *platform = fe_parse_platform(text);
        *problem = fe_format("platform \"%s\"", text);
        if (*text && !platform)
            return false;
        if (platform)
            json_object_array_add(request->platforms, platform);
    }
    if (!length(request->platforms))
        json_object_array_add(request->platforms, keep(json_object_array_get_idx(request->workers, 0)));
    request->platform = json_object_array_get_idx(request->platforms, 0);
    return true;
}

static void initialize(fe_session *session, json_object *id, json_object *params, const char *version)
{
    json_object *limits = member(params, "limits"), *offered = member(params, "protocol");
    session->frame_limit = json_object_get_int64(member(limits, "frame"));
    session->message_limit = json_object_get_int64(member(limits, "message"));
    session->blob_limit = json_object_get_int64(member(limits, "blob"));
    session->in_flight_limit = json_object_get_int64(member(limits, "inFlight"));
    if (!json_object_is_type(offered, json_type_array) || !member(params, "capabilities") || !member(params, "engine")
        || session->frame_limit < 1 || session->message_limit < 1 || session->blob_limit < 1 || session->in_flight_limit < 1) {
        refuse(session, id, failure("invalidParams", "\"initialize\" lacks a member or has a malformed one", NULL));
        return;
    }
    bool is_common = false;
    for (size_t i = 0; i < length(offered); i++) { // Every minor of major 1 includes 1.0, the only version spoken here.
        const char *text = json_object_get_string(json_object_array_get_idx(offered, i));
        size_t digits = text && starts_with(text, "1.") ? strspn(text + 2, "0123456789") : 0;
        is_common = is_common || (digits > 0 && digits < 10 && text[2 + digits] == 0);
    }
    if (!is_common) {
        json_object *data = object();
        put(data, "supported", one(json_object_new_string("1.0")));
        refuse(session, id, failure("incompatible", "speaks protocol 1.0, which the engine does not offer", data));
        return;
    }
    session->hello = params;
    json_object *message = object(), *result = object(), *frontend = object();
    put_text(frontend, "name", session->name);
    put_text(frontend, "version", version);
    put_text(result, "protocol", "1.0");
    put(result, "frontend", frontend);
    put(result, "provides", json_object_new_array());
    put(message, "id", keep(id));
    put(message, "result", result);
    send_message(session, message, session->message_limit);
}

static void work(fe_session *session, json_object *id, json_object *params, fe_build build)
{
    const char *problem = NULL;
    if (!read_request(params, &session->request, &problem)) {
        char *text = fe_format("\"build\" lacks or has a malformed member: %s", problem);
        refuse(session, id, failure("invalidParams", text, NULL));
        return;
    }
    session->work_id = id;
    if (setjmp(session->end)) {
        refuse(session, id, session->error);
        return;
    }
    json_object *result = build(session, &session->request), *message = object();
    if (!member(result, "refs"))
        end_with(session, failure("internal", fe_format("%s: the handler gave no result", session->name), NULL));
    put(message, "id", keep(id));
    put(message, "result", result);
    problem = send_message(session, message, session->message_limit);
    if (problem)
        end_with(session, failure("limit", problem, NULL));
}

// Moves the protocol off descriptors 0 and 1: nothing else of this process or its children can touch it then.
static void take_streams(fe_session *session)
{
    int in = fcntl(0, F_DUPFD_CLOEXEC, 3), out = fcntl(1, F_DUPFD_CLOEXEC, 3), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in < 0 || out < 0 || dup2(2, 1) < 0 || !(session->in = fdopen(in, "r")))
        leave(EX_OSERR, "%s: cannot take over stdin and stdout: %s", session->name, strerror(errno));
    if (null < 0 || dup2(null, 0) < 0)
        close(0);
    if (null > 2)
        close(null);
    session->out = out;
    setvbuf(stdout, NULL, _IOLBF, 0);
}

int fe_main(const char *name, const char *version, fe_build build)
{
    fe_session session = {.name = name, .next_stream = 1, .answers = object(), .blob_limit = 1};
    bool is_done = false;
    if (isatty(0))
        leave(EX_USAGE, "%s %s is a frontend for an image builder; it is started by one", name, version);
    signal(SIGPIPE, SIG_IGN);
    take_streams(&session);
    const char *wait = getenv("FRONTEND_WAIT");
    if (wait && !strcmp(wait, "1")) {
        fprintf(stderr, "process %d waits: attach a debugger, then kill -CONT %d\n", getpid(), getpid());
        raise(SIGSTOP);
    }
    for (;;) {
        json_object *message = receive(&session), *id = member(message, "id"), *params = member(message, "params");
        const char *method = fe_text(message, "method");
        if (!*method)
            broken(&session, "an answer to request %s, which is not open", json_object_get_string(id));
        if (!id)
            continue;
        if (length(member(params, "mustUnderstand")))
            refuse(&session, id, failure("unsupported", fe_format("does not understand %s",
                   plain(member(params, "mustUnderstand"), NULL)), NULL));
        else if (!strcmp(method, "initialize") && !session.hello)
            initialize(&session, id, params, version);
        else if (strcmp(method, "build"))
            refuse(&session, id, failure("unsupported", fe_format("no method \"%s\" in this frontend", method), NULL));
        else if (!session.hello)
            refuse(&session, id, failure("invalidParams", "\"build\" before \"initialize\"", NULL));
        else if (is_done)
            refuse(&session, id, failure("unsupported", "one process does one build", NULL));
        else {
            is_done = true;
            work(&session, id, params, build);
        }
    }
}
