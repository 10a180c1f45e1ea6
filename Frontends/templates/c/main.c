// Each line "PATH TEXT" of the build file becomes a file of the image. Make it your own format.
#define _GNU_SOURCE
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "frontend.h"

static json_object *build(fe_session *session, const fe_request *request)
{
    fe_check_text(session, request);
    fe_action *actions = calloc(2 * request->size + 1, sizeof *actions);
    size_t count = 0;
    int number = 0;
    char *rest = strdup(request->content), *line;
    while (actions && (line = strsep(&rest, "\n"))) {
        number++;
        char *path = strsep(&line, " ");
        if (!*path || *path == '#')
            continue;
        if (*path != '/' || !path[1])
            fe_fail(session, "%s:%d: expected an absolute path and a text", request->file_name, number);
        char *text = fe_format("%s\n", line ? line : "");
        actions[count++] = fe_mkdir(dirname(strdup(path)), 0755);
        actions[count++] = fe_mkfile(path, text, strlen(text), 0644);
    }
    fe_tree *tree = fe_file(fe_scratch(), "write files", count, actions);
    return fe_result(session, tree, fe_image_config(request->platform, NULL, NULL));
}

int main(void) { return fe_main("{{NAME}}", "0.1.0", build); }
