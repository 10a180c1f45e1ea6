// SPDX-License-Identifier: Apache-2.0
//
// Write a frontend in C, on json-c: copy frontend.h and frontend.c beside yours.
//
//     #include "frontend.h"
//
//     static json_object *build(fe_session *session, const fe_request *request)
//     {
//         fe_image_info base = fe_resolve_image(session, "alpine:3.20", NULL);
//         fe_tree *tree = fe_sh(base.tree, fe_format("apk add --no-cache %s", request->content), NULL);
//         json_object *config = json_object_new_object();
//         json_object_object_add(config, "User", json_object_new_string("nobody"));
//         return fe_result(session, tree, fe_image_config(request->platform, config, base.config));
//     }
//
//     int main(void)
//     {
//         return fe_main("acme/packages", "1.0.0", build);
//     }
//
// fe_main takes stdin and stdout over: what anything else prints goes to stderr. It speaks frontend protocol 1.0, whose text
// stands in Protocol/SPEC.md.
//
// A frontend lives for one build, so nothing here needs to be freed: what functions give lives as long as the process.
// Functions of a session do not return when their request fails: the build ends, and the engine's error is passed on. Use
// fe_try where a failure is an answer. json_object parameters are taken over. One thread may use a session.
#ifndef FRONTEND_H
#define FRONTEND_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fe_session fe_session;

// A file tree that may not exist yet, and the settings of steps on it. It never changes: functions give a new one.
typedef struct fe_tree fe_tree;

typedef struct fe_request {
    const char *file_name;    // The build file's name, for messages.
    const char *content;      // The build file; a 0 follows its last byte.
    size_t size;
    json_object *options;     // Object of strings.
    json_object *inputs;      // Object of named trees.
    json_object *workers;     // Array of platforms, the engine's own first.
    json_object *platforms;   // Array of the platforms to build for.
    json_object *platform;    // The first of them.
} fe_request;

// Does a build; gives what fe_result gave.
typedef json_object *(*fe_build)(fe_session *session, const fe_request *request);

// Runs the frontend until the engine closes stdin; gives the process's exit status.
int fe_main(const char *name, const char *version, fe_build build);

// Ends the build with a message for its user, who reads it as it is: name file and line.
_Noreturn void fe_fail(fe_session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The same after fe_try gave NULL: the engine keeps its own error behind the message.
_Noreturn void fe_fail_because(fe_session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Ends the build when the build file is not UTF-8.
void fe_check_text(fe_session *session, const fe_request *request);

// A formatted text.
char *fe_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

// --- The graph: trees and the steps that make them. NULL for a platform is the build's, NULL for a name shows none.

fe_tree *fe_scratch(void);
// The tree of an image: "alpine:3.20", "ghcr.io/acme/app@sha256:…".
fe_tree *fe_image(const char *reference, json_object *platform);
// A directory of the user: "context", or "dockerfile" for the one that holds the build file. Lists are arrays or NULL.
fe_tree *fe_local(const char *local_name, json_object *follow, json_object *exclude, const char *name);
fe_tree *fe_http(const char *url, const char *checksum, const char *file_name, int mode);
fe_tree *fe_git(const char *url, const char *ref);
// Any other source; attributes is an object or NULL.
fe_tree *fe_source(const char *identifier, json_object *attributes, json_object *platform, const char *name);
// Lays trees over each other, later ones on top.
fe_tree *fe_merge(size_t count, fe_tree *const *trees);
// What must be laid on lower to get upper.
fe_tree *fe_diff(fe_tree *lower, fe_tree *upper);

fe_tree *fe_env(fe_tree *tree, const char *name, const char *value);
fe_tree *fe_dir(fe_tree *tree, const char *path);
fe_tree *fe_user(fe_tree *tree, const char *user);
fe_tree *fe_on(fe_tree *tree, json_object *platform);
fe_tree *fe_network(fe_tree *tree, const char *mode); // "none", "host"
// Environment, directory and user of an image config.
fe_tree *fe_configured(fe_tree *tree, json_object *config);

typedef struct fe_mount {
    const char *target;
    fe_tree *source;       // What is bound, or NULL.
    const char *selector;  // The path of it to mount, or NULL.
    const char *cache_id;  // Makes it a cache: a directory that outlives the build.
    const char *sharing;   // Of a cache: "shared", "private" or "locked".
    bool is_tmpfs;
    int64_t size;          // Of a tmpfs, in bytes.
    bool readonly, discard;
} fe_mount;

typedef struct fe_secret {
    const char *id, *target, *env; // Neither target nor env: at /run/secrets/ID.
    int uid, gid, mode;            // Mode 0 is 0400.
    bool optional;
} fe_secret;

typedef struct fe_run {
    const char *const *args;   // Ended by NULL.
    const fe_mount *mounts;    // Ended by one without target.
    const fe_secret *secrets;  // Ended by one without id.
    bool ssh;                  // Whether it may use the user's default SSH agent.
    const char *network, *name;
    bool readonly_root, ignore_cache;
} fe_run;

typedef struct fe_step fe_step;

// Runs a program.
fe_step *fe_exec(fe_tree *tree, const fe_run *run);
// The tree it ran on, afterwards.
fe_tree *fe_root(const fe_step *step);
// The tree of a mount afterwards; NULL for a path that is no mount or whose content is not kept.
fe_tree *fe_mounted(const fe_step *step, const char *target);
// Runs a script with /bin/sh -c; gives the root afterwards.
fe_tree *fe_sh(fe_tree *tree, const char *script, const char *name);

typedef struct fe_action {
    const char *kind, *path;
    json_object *members; // As of the LLB action; may be changed.
    const char *owner;    // "user" or "user:group", names or numbers; NULL keeps it, or is root.
    fe_tree *source;
} fe_action;

fe_action fe_copy(fe_tree *source, const char *from, const char *to);
fe_action fe_mkfile(const char *path, const void *data, size_t size, int mode);
fe_action fe_mkdir(const char *path, int mode); // With those above it.
fe_action fe_symlink(const char *target, const char *at);
fe_action fe_rm(const char *path, bool missing_ok);
// Makes changes in one operation, one after the other.
fe_tree *fe_file(fe_tree *tree, const char *name, size_t count, const fe_action *actions);

// The graph as the engine takes it, {"def":…}; platform is where steps run that name none.
json_object *fe_definition(const fe_tree *tree, json_object *platform);

// --- Names and image configs

// An image's whole name: "alpine" is "docker.io/library/alpine:latest".
char *fe_full_reference(const char *reference);
// "linux/arm64/v8" as the engine writes platforms; NULL when it is none.
json_object *fe_parse_platform(const char *text);
// "linux/arm64" for a platform.
char *fe_platform_id(json_object *platform);
// An OCI image config: config has members such as Env and Cmd, which win over those of base, if there is one.
json_object *fe_image_config(json_object *platform, json_object *config, json_object *base);

// --- Results

// A result of the platform asked for. config is an image config, bytes of one, or NULL.
json_object *fe_result(fe_session *session, fe_tree *tree, json_object *config);
// Adds one platform to a result made by json_object_new_object.
void fe_add(fe_session *session, json_object *result, json_object *platform, fe_tree *tree, json_object *config);
// Adds a value about the whole result.
void fe_add_metadata(json_object *result, const char *name, const char *value);

// --- Requests

// Whether the engine offers a request or notification. resolveSource looks at the member identifier of params.
bool fe_offers(const fe_session *session, const char *method, json_object *params);
// Makes a request without waiting: its number.
int fe_open(fe_session *session, const char *method, json_object *params);
// Waits for an answer and gives its result.
json_object *fe_wait(fe_session *session, int request);
// The same, but gives NULL when the request failed, and the kind of the failure.
json_object *fe_try(fe_session *session, int request, const char **kind);
// Tells the engine that an answer is not needed.
void fe_cancel(fe_session *session, int request);
// Makes a request and waits for its result.
json_object *fe_call(fe_session *session, const char *method, json_object *params);
// Tells the engine something; what it does not show is not sent.
void fe_notify(fe_session *session, const char *method, json_object *params);

// Bytes to send: they travel as a blob. Bytes that come are strings that may hold 0.
json_object *fe_bytes(const void *data, size_t size);

// A ref of a tree; NULL for the empty one. Nothing runs until something reads it.
json_object *fe_solve(fe_session *session, fe_tree *tree);
// Bytes of a file, all of it when length is negative; a 0 follows them. NULL when there is no such file.
char *fe_read_file(fe_session *session, json_object *ref, const char *path, int64_t offset, int64_t length, size_t *size);
// Bytes of a file in the build's directory; NULL when there is none. Nothing else is looked at.
char *fe_read_context(fe_session *session, const char *path, size_t *size);
// The build's directory, without what its .dockerignore and exclude, an array or NULL, name.
fe_tree *fe_context(fe_session *session, json_object *exclude);
json_object *fe_read_dir(fe_session *session, json_object *ref, const char *path); // Array of file infos.
json_object *fe_stat(fe_session *session, json_object *ref, const char *path);     // A file info.

typedef struct fe_image_info {
    const char *name, *digest; // The name is with the digest.
    json_object *config;
    fe_tree *tree;             // To build upon, with the settings of the config.
} fe_image_info;

// Looks an image's tag up and fetches its config.
fe_image_info fe_resolve_image(fe_session *session, const char *reference, json_object *platform);

void fe_log(fe_session *session, const char *message);
// Reports a weakness of the build file at a line, 0 for none.
void fe_warn(fe_session *session, const char *message, const char *file, int line);

// A member of an object as text, "" when it has none.
const char *fe_text(json_object *object, const char *name);

#endif
