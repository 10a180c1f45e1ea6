// SPDX-License-Identifier: Apache-2.0
// The frontend of testing/test_session.py: the first word of the build file says what to do.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend.h"

static json_object *root_params(void)
{
    json_object *params = json_object_new_object();
    json_object_object_add(params, "ref", NULL);
    json_object_object_add(params, "path", json_object_new_string("/"));
    return params;
}

static json_object *cmd(const char *word)
{
    json_object *config = json_object_new_object(), *words = json_object_new_array();
    json_object_array_add(words, json_object_new_string(word));
    json_object_object_add(config, "Cmd", words);
    return config;
}

static json_object *print_deed(fe_session *session, const fe_request *request)
{
    printf("goes to stderr\n");
    fflush(stdout);
    if (system("echo a child prints; cat"))
        fe_fail(session, "no shell");
    fe_action action = fe_mkfile("/x", request->content, request->size, 0644);
    fe_tree *tree = fe_file(fe_scratch(), NULL, 1, &action);
    return fe_result(session, tree, fe_image_config(request->platform, cmd("sh"), NULL));
}

static json_object *read_deed(fe_session *session, const fe_request *request)
{
    (void)request;
    size_t size, whole, part;
    const char *missing = fe_read_context(session, "missing", &size) ? "there" : "NULL";
    fe_read_context(session, "big", &whole);
    json_object *ref = fe_solve(session, fe_local("context", NULL, NULL, NULL));
    char *data = fe_read_file(session, ref, "big", 3, 70000, &part);
    json_object *entries = fe_read_dir(session, ref, "/"), *exclude = json_object_new_array();
    const char *first = fe_text(json_object_array_get_idx(entries, 0), "name");
    long long stated = json_object_get_int64(json_object_object_get(fe_stat(session, ref, "big"), "size"));
    json_object_array_add(exclude, json_object_new_string("x"));
    json_object *result = fe_result(session, fe_context(session, exclude), NULL);
    fe_add_metadata(result, "read", fe_format("%s %zu %zu %.3s %s %lld", missing, whole, part, data, first, stated));
    return result;
}

static json_object *pipeline_deed(fe_session *session, const fe_request *request)
{
    (void)request;
    int calls[50];
    char *names = "";
    for (int i = 0; i < 50; i++) {
        json_object *params = json_object_new_object();
        json_object_object_add(params, "identifier", json_object_new_string(fe_format("http://x/%d", i)));
        calls[i] = fe_open(session, "resolveSource", params);
    }
    for (int i = 0; i < 50; i++) {
        json_object *http = json_object_object_get(fe_wait(session, calls[i]), "http");
        names = fe_format("%s%s%s", names, i ? " " : "", fe_text(http, "fileName"));
    }
    json_object *result = fe_result(session, fe_scratch(), NULL);
    fe_add_metadata(result, "names", names);
    return result;
}

static json_object *platforms_deed(fe_session *session, const fe_request *request)
{
    json_object *result = json_object_new_object();
    for (size_t i = 0; i < json_object_array_length(request->platforms); i++) {
        json_object *platform = json_object_array_get_idx(request->platforms, i);
        fe_add(session, result, platform, fe_image("alpine", platform), fe_image_config(platform, NULL, NULL));
    }
    fe_add_metadata(result, "note", "x");
    return result;
}

static json_object *resolve_deed(fe_session *session, const fe_request *request)
{
    fe_image_info base = fe_resolve_image(session, "alpine:3.20", NULL);
    const char *args[] = {"true", NULL};
    fe_tree *tree = fe_root(fe_exec(base.tree, &(fe_run){.args = args}));
    return fe_result(session, tree, fe_image_config(request->platform, cmd("x"), base.config));
}

static json_object *wrap_deed(fe_session *session, const fe_request *request)
{
    (void)request;
    const char *kind;
    if (!fe_try(session, fe_open(session, "stat", root_params()), &kind))
        fe_fail_because(session, "Buildfile:1: gone");
    return NULL;
}

static json_object *build(fe_session *session, const fe_request *request)
{
    const char *deed = request->content;
    char text[10001];
    size_t size;
    fe_action action = fe_mkdir("/a", 0755);
    if (!strncmp(deed, "print", 5)) return print_deed(session, request);
    if (!strcmp(deed, "read")) return read_deed(session, request);
    if (!strcmp(deed, "pipeline")) return pipeline_deed(session, request);
    if (!strcmp(deed, "platforms")) return platforms_deed(session, request);
    if (!strcmp(deed, "resolve")) return resolve_deed(session, request);
    if (!strcmp(deed, "wrap")) return wrap_deed(session, request);
    if (!strcmp(deed, "fail")) fe_fail(session, "Buildfile:%d: no such word", 3);
    if (!strncmp(deed, "text", 4)) fe_check_text(session, request);
    if (!strcmp(deed, "make")) return fe_result(session, fe_file(fe_scratch(), NULL, 1, &action), NULL);
    if (!strcmp(deed, "stat")) fe_call(session, "stat", root_params());
    if (!strcmp(deed, "blob")) {
        memset(text, ' ', 5002);
        text[0] = '{', text[5001] = '}';
        return fe_result(session, fe_scratch(), fe_bytes(text, 5002));
    }
    if (!strcmp(deed, "large")) {
        memset(text, 'x', 10000);
        action = fe_mkfile("/a", text, 10000, 0644);
        return fe_result(session, fe_file(fe_scratch(), NULL, 1, &action), NULL);
    }
    if (!strcmp(deed, "quiet")) {
        fe_warn(session, "not shown", NULL, 0);
        fe_log(session, "shown");
        fe_read_context(session, "x", &size);
    }
    if (!strcmp(deed, "giveUp")) {
        int call = fe_open(session, "stat", root_params());
        fe_cancel(session, call);
        fe_wait(session, call);
    }
    return NULL; // "crash": a handler without a result.
}

int main(void) { return fe_main("acme/test", "1.2.3", build); }
