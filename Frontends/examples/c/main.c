// SPDX-License-Identifier: Apache-2.0
// Directories, files and links by lines of tmpfiles.d, as an image; --build-arg BASE=image names what to stand on.
//     d /var/lib/app 0750 app:app          a directory
//     f /etc/motd    0644 - hello          a file with a line of text
//     L /bin/app     -    - /opt/app/run   a link to a path
//     r /etc/shadow                        remove it, if it is there
#define _GNU_SOURCE
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend.h"

// Reads a line into an action; gives NULL, or what is wrong with it.
static const char *read_line(char *line, fe_action *action)
{
    char kind[2], path[4096], mode[8] = "-", owner[256] = "-";
    int end = 0;
    if (sscanf(line, " %1s %4095s %7s %255s %n", kind, path, mode, owner, &end) < 2 || *path != '/')
        return "expected: KIND /PATH [MODE] [OWNER] [TEXT]";
    const char *text = end ? line + end : "";
    bool has_mode = strcmp(mode, "-") != 0;
    if (has_mode && (strspn(mode, "01234567") != strlen(mode) || strtol(mode, NULL, 8) > 0777))
        return "a mode is up to four octal digits, or -";
    int bits = (int)strtol(mode, NULL, 8);
    switch (*kind) {
    case 'd': *action = fe_mkdir(strdup(path), has_mode ? bits : 0755); break;
    case 'f': *action = fe_mkfile(strdup(path), fe_format("%s\n", text), strlen(text) + 1, has_mode ? bits : 0644); break;
    case 'L': *action = fe_symlink(text, strdup(path)); break;
    case 'r': *action = fe_rm(strdup(path), true); break;
    default: return "the kinds are d, f, L and r";
    }
    action->owner = strcmp(owner, "-") ? strdup(owner) : NULL;
    return *kind == 'L' && !*text ? "a link needs a target" : NULL;
}

static json_object *build(fe_session *session, const fe_request *request)
{
    fe_check_text(session, request);
    size_t count = 0;
    fe_action *actions = calloc(2 * request->size + 2, sizeof *actions);
    char *rest = strdup(request->content), *line;
    for (int number = 1; actions && (line = strsep(&rest, "\n")); number++) {
        if (!line[strspn(line, " \t")] || *line == '#')
            continue;
        fe_action *action = &actions[count + 1];
        const char *problem = read_line(line, action);
        if (problem)
            fe_fail(session, "%s:%d: %s", request->file_name, number, problem);
        actions[count] = fe_mkdir(dirname(strdup(fe_text(action->members, action->path))), 0755);
        count += 2;
    }
    const char *name = fe_text(request->options, "build-arg:BASE");
    fe_image_info base = *name ? fe_resolve_image(session, name, NULL) : (fe_image_info){.tree = fe_scratch()};
    fe_tree *tree = fe_file(base.tree, "make files", count, actions);
    return fe_result(session, tree, fe_image_config(request->platform, NULL, base.config));
}

int main(void) { return fe_main("example/tmpfiles", "1.0.0", build); }
