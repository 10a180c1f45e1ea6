# SPDX-License-Identifier: Apache-2.0
"""A static site: Markdown pages of the build's directory as HTML, in an image that serves them.

    title: Notes            what every page's title begins with
    pages: docs             the directory of the pages, `.` by default
    base: busybox:1.36      the image to stand on; it serves with httpd. Without one the image holds the pages alone
"""
import html
import re
from frontend import BuildError, Result, image_config, local, main, mkfile, scratch


def settings(request):
    values = {"title": "", "pages": ".", "base": ""}
    for number, line in enumerate(request.text.splitlines(), 1):
        name, colon, value = line.partition(":")
        if not line.strip() or line.startswith("#"):
            continue
        if not colon or name.strip() not in values:
            raise BuildError("%s:%d: expected one of %s and a colon" % (request.file_name, number, ", ".join(values)))
        values[name.strip()] = value.strip()
    return values


def inline(text):
    text = re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
    text = re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)
    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", lambda m: '<a href="%s">%s</a>' % (html.escape(m[2]), m[1]), text)


def block(text):
    heading = re.match(r"(#{1,6}) (.+)$", text)
    if heading:
        return "<h%d>%s</h%d>" % (len(heading[1]), inline(heading[2]), len(heading[1]))
    if all(line.startswith("- ") for line in text.splitlines()):
        return "<ul>%s</ul>" % "".join("<li>%s</li>" % inline(line[2:]) for line in text.splitlines())
    return text if text.startswith("<") else "<p>%s</p>" % inline(" ".join(text.splitlines()))


def build(request, session):
    values = settings(request)
    pages = session.solve(local("context", follow=[values["pages"]], name="load pages"))
    names = [entry["name"] for entry in session.read_dir(pages, values["pages"], pattern="*.md")]
    if not names:
        raise BuildError("%s: no .md file in %s" % (request.file_name, values["pages"]))
    actions = []
    for name in names:
        text = session.read_file(pages, values["pages"] + "/" + name).decode("utf-8", "replace")
        body = "\n".join(block(part.strip()) for part in re.split(r"\n\s*\n", text) if part.strip())
        title = html.escape(": ".join(filter(None, [values["title"], name[:-3]])))
        page = "<!doctype html>\n<meta charset=utf-8>\n<title>%s</title>\n%s\n" % (title, body)
        actions.append(mkfile("/srv/www/%s.html" % name[:-3], page))
    base = session.resolve_image(values["base"], request.platform) if values["base"] else None
    tree = (base.state if base else scratch()).mkdir("/srv/www").file(*actions, name="render %d pages" % len(names))
    config = {"Cmd": ["httpd", "-f", "-h", "/srv/www"], "ExposedPorts": {"80/tcp": {}}}
    return Result(tree, image_config(request.platform, config, base and base.config))


main("example/site", "1.0.0", build)
