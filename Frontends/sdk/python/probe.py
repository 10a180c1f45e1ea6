# SPDX-License-Identifier: Apache-2.0
"""The frontend of testing/test_session.py: the first word of the build file says what to do."""
import os

import frontend
from frontend import BuildError, RequestError, Result, image, image_config, local, scratch

FILE = {"ref": None, "path": "/"}


def prints(request, session):
    print("goes to stderr")
    os.system("echo a child prints; cat")
    return Result(scratch().mkfile("/x", request.content), image_config(request.platform, {"Cmd": ["sh"]}))


def read(request, session):
    facts = [session.read_context("missing"), len(session.read_context("big"))]
    part = session.read_file(local("context"), "big", offset=3, length=70000)
    facts += [len(part), part[:3].decode(), session.read_dir(local("context"), "/")[0]["name"],
              session.stat(local("context"), "big")["size"]]
    return Result(session.context(exclude=["x"]), metadata={"read": " ".join(map(str, facts))})


def pipeline(request, session):
    calls = [session.open("resolveSource", {"identifier": "http://x/%d" % number}) for number in range(50)]
    return Result(scratch(), metadata={"names": " ".join(call.result()["http"]["fileName"] for call in calls)})


def platforms(request, session):
    result = Result(metadata={"note": "x"})
    for platform in request.platforms:
        result.add(image("alpine", platform), image_config(platform, {}), platform)
    return result


def resolve(request, session):
    base = session.resolve_image("alpine:3.20")
    return Result(base.state.run(["true"]), image_config(request.platform, {"Cmd": ["x"]}, base.config))


def fail(request, session):
    raise BuildError("Buildfile:3: no such word")


def wrap(request, session):
    try:
        session.call("stat", FILE)
    except RequestError as error:
        raise BuildError("Buildfile:1: gone", cause=error)


def quiet(request, session):
    session.warn("not shown")
    session.log("shown")
    session.read_context("x")


def give_up(request, session):
    call = session.open("stat", FILE)
    call.cancel()
    call.result()


DEEDS = {
    "print": prints, "read": read, "pipeline": pipeline, "platforms": platforms, "resolve": resolve, "fail": fail,
    "wrap": wrap, "quiet": quiet, "giveUp": give_up,
    "blob": lambda request, session: Result(scratch(), config=b"{" + b" " * 5000 + b"}"),
    "text": lambda request, session: request.text and scratch(),
    "crash": lambda request, session: 1 / 0,
    "make": lambda request, session: scratch().mkdir("/a"),
    "large": lambda request, session: scratch().mkfile("/a", "x" * 10000),
    "stat": lambda request, session: session.call("stat", FILE),
}

frontend.main("acme/test", "1.2.3", lambda request, session: DEEDS[request.content.split()[0].decode()](request, session))
