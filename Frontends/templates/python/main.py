"""Each line "PATH TEXT" of the build file becomes a file of the image. Make it your own format."""
import posixpath

import frontend
from frontend import BuildError, Result, image_config, mkdir, mkfile, scratch


def build(request, session):
    actions = []
    for number, line in enumerate(request.text.splitlines(), 1):
        path, _, text = line.strip().partition(" ")
        if not path or path.startswith("#"):
            continue
        if not path.startswith("/") or path == "/":
            raise BuildError("%s:%d: expected an absolute path and a text" % (request.file_name, number))
        actions += [mkdir(posixpath.dirname(path)), mkfile(path, text + "\n")]
    tree = scratch().file(*actions, name="write files")
    return Result(tree, image_config(request.platform, {"Cmd": ["sh"]}))


frontend.main("{{NAME}}", "0.1.0", build)
