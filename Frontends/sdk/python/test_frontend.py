# SPDX-License-Identifier: Apache-2.0
"""Tests of frontend.py: python3 -m unittest discover Frontends/sdk/python"""
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTING = os.path.join(HERE, "..", "testing")
sys.path.insert(0, HERE)
import frontend  # noqa: E402
from frontend import (bind, cache, copy_action, diff, git, http, image, local, merge, mkdir, mkfile, rm,  # noqa: E402
                      scratch, secret, ssh, symlink, tmpfs)


def graph():
    """The graph of testing/vectors/graph.json, which every SDK must write alike."""
    base = image("alpine:3.20", platform="linux/arm64")
    context = local("context", exclude=["*.o"], follow=["src", "lib"])
    sources = scratch().file(
        mkdir("/w"), mkfile("/w/greeting", "hello\n", mode=0o600, owner="app:7"), symlink("/w/greeting", "/g"),
        copy_action(context, "src", "/w/", owner="root"), rm("/w/tmp", missing_ok=True), name="prepare")
    built = base.dir("/w").env("A", "1").user("app").exec(
        ["make", "-C", "/w"],
        mounts=[bind("/src", sources, readonly=True), cache("/cache", id="make", sharing="locked"),
                tmpfs("/tmp", 1 << 20), bind("out")],
        secrets=[secret("token", env="TOKEN"), secret("key")], ssh=[ssh()], network="none", name="make",
        ignore_cache=True)
    return merge(built.root, built.mount("out"), diff(base, built.root),
                 http("https://example.com/a.tgz", checksum="sha256:" + "0" * 64, filename="a.tgz", mode=0o755),
                 git("https://example.com/r.git", ref="main"))


class GraphTests(unittest.TestCase):
    def test_writes_the_graph_every_sdk_writes(self):
        path = os.path.join(TESTING, "vectors", "graph.json")
        if os.environ.get("UPDATE_GOLDEN"):
            with open(path, "w") as file:
                file.write(json.dumps(graph().definition("linux/amd64"), indent=2) + "\n")
        with open(path) as file:
            self.assertEqual(graph().definition("linux/amd64"), json.load(file))

    def test_writes_an_operation_once_and_deep_graphs_without_recursion(self):
        tree = image("alpine")
        for number in range(5000):
            tree = tree.mkfile("/%d" % number, "")
        twice = merge(tree, tree.mkdir("/a"), tree.mkdir("/b"))
        self.assertEqual(len(twice.definition()["def"]), 5000 + 5)

    def test_scratch_is_the_empty_definition(self):
        self.assertEqual(scratch().definition(), {"def": {}})
        self.assertEqual(merge(scratch(), scratch()).definition(), {"def": {}})

    def test_reads_references_and_platforms(self):
        for text, full in [("alpine", "docker.io/library/alpine:latest"), ("a/b:1", "docker.io/a/b:1"),
                           ("localhost/x", "localhost/x:latest"), ("r:5000/x@sha256:0", "r:5000/x@sha256:0"),
                           ("r.io/x/y", "r.io/x/y:latest")]:
            self.assertEqual(frontend.full_reference(text), full)
        self.assertEqual(frontend.platform_id("linux/aarch64/v8"), "linux/arm64")
        self.assertEqual(frontend.platform_id("linux/arm/v7"), "linux/arm/v7")
        for text in ["linux", "a/b/c/d", "/amd64"]:
            self.assertRaises(frontend.BuildError, frontend.parse_platform, text)

    def test_keeps_a_trailing_slash_of_a_copy_alone(self):
        tree = scratch().dir("/w").copy(image("alpine"), "a", "b/").mkdir("c/")
        actions = [action for operation in tree.definition()["def"].values()
                   for action in operation.get("file", {}).get("actions", [])]
        self.assertEqual(actions[0]["copy"]["dest"], "/w/b/")
        self.assertEqual(actions[1]["mkdir"]["path"], "/w/c")


class SessionTests(unittest.TestCase):
    def test_keeps_a_session_with_an_engine(self):
        command = [sys.executable, os.path.join(TESTING, "test_session.py"), "--", sys.executable,
                   os.path.join(HERE, "probe.py")]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode())


if __name__ == "__main__":
    unittest.main()
