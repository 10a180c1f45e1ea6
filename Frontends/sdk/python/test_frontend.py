# SPDX-License-Identifier: Apache-2.0
"""Tests of frontend.py: python3 -m unittest discover Frontends/sdk/python"""
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTING = os.path.join(HERE, "..", "testing")
sys.path[:0] = [HERE, TESTING]
from drive import Engine, Failure  # noqa: E402
import frontend  # noqa: E402
from frontend import (bind, cache, copy_action, diff, git, http, image, local, merge, mkdir, mkfile, rm,  # noqa: E402
                      scratch, secret, ssh, symlink, tmpfs)


def graph():
    """The graph of testing/vectors/graph.json, which every SDK must write alike."""
    base = image("alpine:3.20", platform="linux/arm64")
    context = local("context", exclude=["*.o"], follow=["src"])
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
    """A frontend that is a process, driven by the other side of the protocol."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def start(self, handler, **options):
        program = os.path.join(self.directory.name, "program.py")
        with open(program, "w") as file:
            file.write("import sys\nsys.path.insert(0, %r)\nimport frontend\nfrom frontend import *\n" % HERE)
            file.write(textwrap.dedent(handler) + "\nfrontend.main('acme/test', '1.2.3', build)\n")
        engine = Engine([sys.executable, program], **options)
        self.addCleanup(lambda: engine.process.poll() is None and engine.process.kill())
        return engine

    def build(self, engine, content=b"", options=None):
        self.assertEqual(engine.initialize()["frontend"], {"name": "acme/test", "version": "1.2.3"})
        return engine.build("Buildfile", content, options)

    def failure(self, engine, content=b""):
        with self.assertRaises(Failure) as caught:
            self.build(engine, content)
        self.assertEqual(engine.close(), 0)
        return caught.exception.error

    def test_builds_and_exits(self):
        engine = self.start("""
            def build(request, session):
                print("goes to stderr")
                import os; os.system("echo a child prints; cat")
                return Result(scratch().mkfile("/x", request.content), image_config(request.platform, {"Cmd": ["sh"]}))
        """)
        result = self.build(engine, b"\x00binary")
        [ref] = result["refs"]
        self.assertEqual(ref["id"], "linux/amd64")
        self.assertEqual(json.loads(ref["config"])["config"], {"Cmd": ["sh"]})
        self.assertEqual(engine.refs[ref["ref"]]["def"]["op1"]["file"]["actions"][0]["mkfile"]["data"], "AGJpbmFyeQ==")
        self.assertEqual(engine.close(), 0)
        self.assertIn(b"goes to stderr", engine.stderr)
        self.assertIn(b"a child prints", engine.stderr)

    def test_reads_byte_by_byte(self):
        engine = self.start("def build(request, session):\n    return scratch().mkfile('/x', request.text)",
                            one_byte=True)
        self.build(engine, b"hello" * 1000)
        self.assertEqual(engine.close(), 0)

    def test_reads_the_context_in_pieces_and_filters_it(self):
        with open(os.path.join(self.directory.name, "big"), "wb") as file:
            file.write(b"0123456789abcdef" * 50000)
        with open(os.path.join(self.directory.name, ".dockerignore"), "w") as file:
            file.write("# comment\n/node_modules/\n!keep\n")
        engine = self.start("""
            def build(request, session):
                assert session.read_context("missing") is None
                data = session.read_context("big")
                assert len(data) == 800000 and data.endswith(b"abcdef")
                assert session.read_file(local("context"), "big", offset=3, length=70000)[:3] == b"345"
                assert [e["name"] for e in session.read_dir(local("context"), "/")][0] == ".dockerignore"
                assert session.stat(local("context"), "big")["size"] == 800000
                return Result(session.context(exclude=["x"]))
        """, locals={"context": self.directory.name})
        result = self.build(engine)
        source = engine.refs[result["refs"][0]["ref"]]["def"]["op1"]["source"]
        self.assertEqual(source["attrs"]["local.excludepatterns"], '["node_modules", "!keep", "x"]')
        self.assertEqual(engine.close(), 0)

    def test_pipelines_within_the_limit_and_takes_answers_in_any_order(self):
        engine = self.start("""
            def build(request, session):
                calls = [session.open("resolveSource", {"identifier": "http://x/%d" % n}) for n in range(50)]
                names = [call.result()["http"]["fileName"] for call in calls]
                assert names == [str(n) for n in range(50)], names
                return scratch()
        """, shuffle=7, limits={"inFlight": 8})
        self.assertEqual(self.build(engine)["refs"][0]["ref"], None)
        self.assertEqual(engine.close(), 0)

    def test_sends_bytes_as_blobs_in_frames_of_the_limit(self):
        engine = self.start("""
            def build(request, session):
                return Result(scratch(), config=b"{" + b" " * 5000 + b"}", metadata=None)
        """, limits={"frame": 1000})
        self.assertEqual(len(self.build(engine)["refs"][0]["config"]), 5002)
        self.assertEqual(engine.close(), 0)

    def test_builds_for_several_platforms(self):
        engine = self.start("""
            def build(request, session):
                result = Result(metadata={"note": "x"})
                for platform in request.platforms:
                    result.add(image("alpine", platform), image_config(platform, {}), platform)
                return result
        """)
        result = self.build(engine, options={"platform": "linux/amd64,linux/arm/v7"})
        self.assertEqual([ref["id"] for ref in result["refs"]], ["linux/amd64", "linux/arm/v7"])
        self.assertTrue(result["index"])
        self.assertEqual(result["metadata"], {"note": b"x"})
        self.assertEqual(engine.close(), 0)

    def test_resolves_an_image_and_builds_upon_its_config(self):
        engine = self.start("""
            def build(request, session):
                base = session.resolve_image("alpine:3.20")
                return Result(base.state.run(["true"]), image_config(request.platform, {"Cmd": ["x"]}, base.config))
        """)
        result = self.build(engine)
        operations = engine.refs[result["refs"][0]["ref"]]["def"]
        self.assertTrue(operations["op1"]["source"]["identifier"].endswith("alpine:3.20@sha256:" + "0" * 64))
        self.assertEqual(operations["op2"]["exec"]["meta"]["cwd"], "/srv")
        self.assertEqual(json.loads(result["refs"][0]["config"])["config"]["User"], "app")
        self.assertEqual(engine.close(), 0)

    def test_says_what_is_wrong(self):
        error = self.failure(self.start("def build(request, session): raise BuildError('Buildfile:3: no such word')"))
        self.assertEqual((error["message"], error["data"]["kind"]), ("Buildfile:3: no such word", "buildFile"))
        error = self.failure(self.start("def build(request, session): return request.text"), b"\n\xff")
        self.assertEqual(error["message"], "Buildfile:2: not UTF-8")
        engine = self.start("def build(request, session): return 1 / 0")
        error = self.failure(engine)
        self.assertEqual(error["data"]["kind"], "internal")
        self.assertIn(b"ZeroDivisionError", engine.stderr)

    def test_passes_the_engines_errors_on_with_their_request(self):
        for kind in ["unsupported", "notFound", "limit", "denied", "unavailable"]:
            error = self.failure(self.start("def build(request, session): return scratch().mkdir('/a')",
                                            failures={"solve": kind}))
            self.assertEqual(error["data"], {"kind": kind, "request": 1})
        error = self.failure(self.start("""
            def build(request, session):
                try:
                    session.call("stat", {"ref": None, "path": "/"})
                except RequestError as error:
                    raise BuildError("Buildfile:1: gone", cause=error)
        """))
        self.assertEqual((error["message"], error["data"]), ("Buildfile:1: gone", {"kind": "notFound", "request": 1}))

    def test_asks_for_nothing_that_is_not_offered(self):
        error = self.failure(self.start("""
            def build(request, session):
                session.warn("not shown")
                session.log("shown")
                return session.read_context("x")
        """, capabilities=["solve", "solve.json"]))
        self.assertEqual(error["data"], {"kind": "unsupported"})
        self.assertIn("does not offer \"readFile\"", error["message"])

    def test_refuses_a_message_beyond_the_limit_itself(self):
        error = self.failure(self.start("def build(request, session): return scratch().mkfile('/a', 'x' * 10000)",
                                        limits={"message": 8000}))
        self.assertEqual(error["data"]["kind"], "limit")

    def test_chooses_a_version_or_says_which_it_speaks(self):
        for offered, chosen in [(["2.0", "1.3"], "1.0"), (["1.0"], "1.0"), (["x", "1.0", "1.0.0"], "1.0")]:
            engine = self.start("def build(request, session): return scratch()", protocol=offered)
            self.assertEqual(engine.initialize()["protocol"], chosen)
            self.assertEqual(engine.close(), 0)
        engine = self.start("def build(request, session): return scratch()", protocol=["2.1", "0.9"])
        with self.assertRaises(Failure) as caught:
            engine.initialize()
        self.assertEqual(caught.exception.error["data"], {"kind": "incompatible", "supported": ["1.0"]})
        self.assertEqual(engine.close(), 0)

    def test_answers_what_it_does_not_know(self):
        engine = self.start("def build(request, session): return scratch()")
        with self.assertRaises(Failure) as caught:
            engine.build("x", b"")
        self.assertEqual(caught.exception.error["data"]["kind"], "invalidParams")
        engine.initialize()
        for method, params, kind in [("x/y", {}, "unsupported"), ("build", {}, "invalidParams"),
                                     ("build", {"mustUnderstand": ["later"]}, "unsupported")]:
            with self.assertRaises(Failure) as caught:
                engine.ask(method, params)
            self.assertEqual(caught.exception.error["data"]["kind"], kind)
        self.assertEqual(engine.close(), 0)

    def test_gives_up_when_nobody_wants_the_build(self):
        engine = self.start("def build(request, session): return Result(scratch().mkdir('/a'))")
        engine.initialize()
        engine.answer = lambda request: {"jsonrpc": "2.0", "method": "cancel", "params": {"id": engine.next_id}}
        with self.assertRaises(Failure) as caught:
            engine.build("x", b"")
        self.assertEqual(caught.exception.error["data"]["kind"], "cancelled")
        self.assertEqual(engine.close(), 0)

    def test_exits_when_stdin_ends_before_and_during_a_build(self):
        self.assertEqual(self.start("def build(request, session): pass").close(), 0)
        engine = self.start("def build(request, session): session.call('stat', {'ref': None, 'path': '/'})")
        engine.initialize()
        engine.send({"jsonrpc": "2.0", "id": 2, "method": "build", "params": {
            "buildFile": {"name": "x", "content": b"1"}, "workerPlatforms": [{"os": "l", "architecture": "a"}]}})
        self.assertEqual(engine.receive()["method"], "stat")
        self.assertEqual(engine.close(), 0)

    def test_ends_when_the_engine_breaks_the_protocol(self):
        for frames in [b"Content-Length: 1", b"\0\0\0\x01\0\0\0\x02x", b"\0\0\0\x02\0\0\0\0[]", b"\0\0\0\x02\0\0\0\0{}",
                       b"\0\0\0\x21\0\0\0\0" + b'{"id":1,"result":{"a":1,"a":2}}  ', b"\0\0\0\x03\0\0\0\0\xef\xbb\xbf",
                       b"\0\0\0\x05\0\0"]:
            engine = self.start("def build(request, session): pass")
            engine.write(frames)
            self.assertEqual(engine.close(), 76, frames)
            self.assertIn(b"the engine broke the protocol", engine.stderr)

    def test_prints_nothing_on_stdout_when_asked_for_help(self):
        for argument in ["--help", "--version"]:
            engine = self.start("def build(request, session): pass")
            engine.close()
            done = subprocess.run(engine.process.args + [argument], capture_output=True, stdin=subprocess.DEVNULL)
            self.assertEqual((done.returncode, done.stdout), (0, b""))
            self.assertIn(b"acme/test 1.2.3", done.stderr)

    def test_waits_for_a_debugger(self):
        engine = self.start("def build(request, session): return scratch()", environment={"FRONTEND_WAIT": "1"})
        _, status = os.waitpid(engine.process.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        os.kill(engine.process.pid, 18)
        self.assertIn("protocol", engine.initialize())
        self.assertEqual(engine.close(), 0)


if __name__ == "__main__":
    unittest.main()
