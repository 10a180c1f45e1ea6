// SPDX-License-Identifier: Apache-2.0
// Tests of frontend.c: make -C Frontends/sdk/c test
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend.h"

static int failures;

static void check(bool holds, const char *what)
{
    printf("%s: %s\n", holds ? "ok" : "NOT OK", what);
    failures += !holds;
}

static json_object *strings(const char *first, const char *second)
{
    json_object *array = json_object_new_array();
    json_object_array_add(array, json_object_new_string(first));
    if (second)
        json_object_array_add(array, json_object_new_string(second));
    return array;
}

// The graph of testing/vectors/graph.json, which every SDK must write alike.
static fe_tree *graph(void)
{
    fe_tree *base = fe_image("alpine:3.20", fe_parse_platform("linux/arm64"));
    fe_tree *context = fe_local("context", strings("src", "lib"), strings("*.o", NULL), NULL);
    fe_action actions[] = {fe_mkdir("/w", 0755), fe_mkfile("/w/greeting", "hello\n", 6, 0600),
                           fe_symlink("/w/greeting", "/g"), fe_copy(context, "src", "/w/"), fe_rm("/w/tmp", true)};
    actions[1].owner = "app:7";
    actions[3].owner = "root";
    fe_tree *sources = fe_file(fe_scratch(), "prepare", 5, actions);
    const char *args[] = {"make", "-C", "/w", NULL};
    const fe_mount mounts[] = {{.target = "/src", .source = sources, .readonly = true},
                               {.target = "/cache", .cache_id = "make", .sharing = "locked"},
                               {.target = "/tmp", .is_tmpfs = true, .size = 1 << 20}, {.target = "out"}, {0}};
    const fe_secret secrets[] = {{.id = "token", .env = "TOKEN"}, {.id = "key"}, {0}};
    fe_tree *before = fe_user(fe_env(fe_dir(base, "/w"), "A", "1"), "app");
    fe_step *built = fe_exec(before, &(fe_run){.args = args, .mounts = mounts, .secrets = secrets, .ssh = true,
                                               .network = "none", .name = "make", .ignore_cache = true});
    const char *zeros = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    fe_tree *parts[] = {fe_root(built), fe_mounted(built, "out"), fe_diff(base, fe_root(built)),
                        fe_http("https://example.com/a.tgz", zeros, "a.tgz", 0755),
                        fe_git("https://example.com/r.git", "main")};
    return fe_merge(5, parts);
}

int main(int argc, char **argv)
{
    json_object *expected = json_object_from_file(argc > 1 ? argv[1] : "../testing/vectors/graph.json");
    json_object *found = fe_definition(graph(), fe_parse_platform("linux/amd64"));
    check(json_object_equal(found, expected), "writes the graph every SDK writes");
    if (failures)
        puts(json_object_to_json_string_ext(found, JSON_C_TO_STRING_PRETTY));
    fe_tree *tree = graph();
    check(json_object_equal(fe_definition(tree, NULL), fe_definition(tree, NULL)), "writes a graph twice alike");

    fe_tree *deep = fe_image("alpine", NULL);
    for (int i = 0; i < 5000; i++) {
        fe_action action = fe_mkfile(fe_format("/%d", i), "", 0, 0644);
        deep = fe_file(deep, NULL, 1, &action);
    }
    fe_action one = fe_mkdir("/a", 0755), other = fe_mkdir("/b", 0755);
    fe_tree *parts[] = {deep, fe_file(deep, NULL, 1, &one), fe_file(deep, NULL, 1, &other)};
    json_object *def = json_object_object_get(fe_definition(fe_merge(3, parts), NULL), "def");
    check(json_object_object_length(def) == 5005, "writes an operation once and deep graphs without recursion");
    check(json_object_object_length(json_object_object_get(fe_definition(fe_scratch(), NULL), "def")) == 0,
          "knows the empty tree");

    static const char *const names[][2] = {{"alpine", "docker.io/library/alpine:latest"}, {"a/b:1", "docker.io/a/b:1"},
                                           {"localhost/x", "localhost/x:latest"}, {"r.io/x/y", "r.io/x/y:latest"},
                                           {"r:5000/x@sha256:0", "r:5000/x@sha256:0"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check(!strcmp(fe_full_reference(names[i][0]), names[i][1]), names[i][1]);
    check(!strcmp(fe_platform_id(fe_parse_platform("linux/aarch64/v8")), "linux/arm64"), "linux/arm64");
    check(!strcmp(fe_platform_id(fe_parse_platform("linux/arm/v7")), "linux/arm/v7"), "linux/arm/v7");
    static const char *const wrong[] = {"linux", "a/b/c/d", "/amd64", "linux/arm/"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check(!fe_parse_platform(wrong[i]), wrong[i]);
    return failures > 0;
}
