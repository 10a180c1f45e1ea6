#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_session.py -- COMMAND…: holds the session of an SDK, in whatever language, to the protocol.

COMMAND is a frontend `acme/test` 1.2.3, the `probe` beside each SDK, that does what the first word of its build file says.
The tests of each SDK run this file.
"""
import json
import os
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from drive import Engine, Failure  # noqa: E402

COMMAND = sys.argv[sys.argv.index("--") + 1:]
BUILD = {"buildFile": {"name": "Buildfile", "content": b"stat"}, "workerPlatforms": [{"os": "l", "architecture": "a"}]}


class SessionTests(unittest.TestCase):
    def start(self, **options):
        engine = Engine(COMMAND, **options)
        self.addCleanup(engine.kill)
        return engine

    def build(self, deed, options=None, **engine_options):
        engine = self.start(**engine_options)
        self.assertEqual(engine.initialize()["frontend"], {"name": "acme/test", "version": "1.2.3"})
        try:
            return engine, engine.build("Buildfile", deed if isinstance(deed, bytes) else deed.encode(), options)
        finally:
            self.assertEqual(engine.close(), 0, engine.stderr)

    def error(self, deed, **engine_options):
        with self.assertRaises(Failure) as caught:
            self.build(deed, **engine_options)
        return caught.exception.error

    def metadata(self, result):
        found = dict(result.get("metadata") or {})
        for ref in result["refs"]:
            found.update(ref.get("metadata") or {})
        return {name: value.decode() for name, value in found.items()}

    def test_builds_and_keeps_prints_off_the_protocol(self):
        engine, result = self.build(b"print \x00binary")
        [ref] = result["refs"]
        self.assertEqual(ref["id"], "linux/amd64")
        self.assertEqual(ref["platform"], {"os": "linux", "architecture": "amd64"})
        config = json.loads(ref["config"])
        self.assertEqual((config["os"], config["config"]), ("linux", {"Cmd": ["sh"]}))
        action = engine.refs[ref["ref"]]["def"]["op1"]["file"]["actions"][0]
        self.assertEqual(action["mkfile"]["data"], "cHJpbnQgAGJpbmFyeQ==")
        self.assertIn(b"goes to stderr", engine.stderr)
        self.assertIn(b"a child prints", engine.stderr)

    def test_reads_byte_by_byte(self):
        self.build(b"print " + b"hello" * 1000, one_byte=True)

    def test_reads_blobs_in_every_form(self):
        for content in ["print as text", b"print in two frames"]:
            engine = self.start(limits={"frame": 10})
            engine.initialize()
            engine.limits["frame"] = 10
            engine.ask("build", {**BUILD, "buildFile": {"name": "x", "content": content}})
            self.assertEqual(engine.close(), 0)

    def test_reads_the_context_in_pieces_and_filters_it(self):
        with tempfile.TemporaryDirectory() as directory:
            with open(os.path.join(directory, "big"), "wb") as file:
                file.write(b"0123456789abcdef" * 50000)
            with open(os.path.join(directory, ".dockerignore"), "w") as file:
                file.write("# comment\n/node_modules/\n!keep\n\n")
            engine, result = self.build("read", locals={"context": directory})
        words = self.metadata(result)["read"].split(" ", 1)
        self.assertIn(words[0], ["None", "null", "nil", "NULL"])
        self.assertEqual(words[1], "800000 70000 345 .dockerignore 800000")
        [ref] = result["refs"]
        attributes = engine.refs[ref["ref"]]["def"]["op1"]["source"]["attrs"]
        self.assertEqual(attributes["local.excludepatterns"], '["node_modules","!keep","x"]')

    def test_pipelines_within_the_limit_and_takes_answers_in_any_order(self):
        _, result = self.build("pipeline", shuffle=7, limits={"inFlight": 8})
        self.assertEqual(self.metadata(result)["names"], " ".join(map(str, range(50))))

    def test_sends_bytes_as_blobs_in_frames_of_the_limit(self):
        _, result = self.build("blob", limits={"frame": 1000})
        self.assertEqual(result["refs"][0]["config"], b"{" + b" " * 5000 + b"}")

    def test_builds_for_several_platforms(self):
        engine, result = self.build("platforms", options={"platform": "linux/amd64,linux/arm/v7"})
        self.assertEqual([ref["id"] for ref in result["refs"]], ["linux/amd64", "linux/arm/v7"])
        platform = engine.refs[result["refs"][1]["ref"]]["def"]["op1"]["platform"]
        self.assertEqual(platform, {"OS": "linux", "Architecture": "arm", "Variant": "v7"})
        self.assertTrue(result["index"])
        self.assertEqual(self.metadata(result), {"note": "x"})

    def test_resolves_an_image_and_builds_upon_its_config(self):
        engine, result = self.build("resolve")
        operations = engine.refs[result["refs"][0]["ref"]]["def"]
        identifier = operations["op1"]["source"]["identifier"]
        self.assertEqual(identifier, "docker-image://docker.io/library/alpine:3.20@sha256:" + "0" * 64)
        meta = operations["op2"]["exec"]["meta"]
        self.assertEqual((meta["cwd"], meta["user"], meta["env"]), ("/srv", "app", ["PATH=/usr/bin:/bin"]))
        config = json.loads(result["refs"][0]["config"])["config"]
        self.assertEqual((config["User"], config["Cmd"]), ("app", ["x"]))

    def test_says_what_is_wrong(self):
        error = self.error("fail")
        self.assertEqual((error["message"], error["data"]["kind"]), ("Buildfile:3: no such word", "buildFile"))
        error = self.error(b"text \xff")
        self.assertEqual(error["data"]["kind"], "buildFile")
        self.assertIn("not UTF-8", error["message"])

    def test_survives_its_own_defects(self):
        error = self.error("crash")
        self.assertEqual(error["data"]["kind"], "internal")
        self.assertIn("acme/test", error["message"])

    def test_passes_the_engines_errors_on_with_their_request(self):
        for kind in ["unsupported", "notFound", "limit", "denied", "unavailable", "x-acme.tired"]:
            error = self.error("make", failures={"solve": kind})
            self.assertEqual(error["data"], {"kind": kind, "request": 1})
        error = self.error("wrap")
        self.assertEqual((error["message"], error["data"]), ("Buildfile:1: gone", {"kind": "notFound", "request": 1}))

    def test_refuses_a_message_beyond_the_limit_itself(self):
        error = self.error("large", limits={"message": 8000})
        self.assertEqual(error["data"]["kind"], "limit")

    def test_asks_for_nothing_that_is_not_offered(self):
        engine = self.start(capabilities=["solve", "solve.json"])
        engine.initialize()
        with self.assertRaises(Failure) as caught:
            engine.build("Buildfile", b"quiet")
        engine.close()
        self.assertEqual(caught.exception.error["data"]["kind"], "unsupported")
        self.assertIn('does not offer "readFile"', caught.exception.error["message"])
        self.assertEqual([method for method, _ in engine.notifications], ["log"])

    def test_chooses_a_version_or_says_which_it_speaks(self):
        for offered in [["2.0", "1.3"], ["1.0"], ["x", "1.0", "1.0.0"], ["10.0", "1.10"]]:
            engine = self.start(protocol=offered)
            self.assertEqual(engine.initialize()["protocol"], "1.0")
            self.assertEqual(engine.close(), 0)
        for offered in [["2.1", "0.9"], [], ["1"]]:
            engine = self.start(protocol=offered)
            with self.assertRaises(Failure) as caught:
                engine.initialize()
            self.assertEqual(caught.exception.error["data"], {"kind": "incompatible", "supported": ["1.0"]})
            self.assertEqual(engine.close(), 0)

    def test_answers_what_it_does_not_know(self):
        engine = self.start()
        engine.send({"jsonrpc": "2.0", "method": "x/later", "params": {"a": 1}})
        for asked, params, kind in [("build", BUILD, "invalidParams"), (None, None, None), ("x/y", {}, "unsupported"),
                                    ("x/z", None, "unsupported"), ("build", {}, "invalidParams"),
                                    ("lint", {**BUILD, "mustUnderstand": ["later"]}, "unsupported")]:
            if asked is None:
                engine.initialize()
                continue
            with self.assertRaises(Failure, msg=asked) as caught:
                engine.ask(asked, params)
            self.assertEqual(caught.exception.error["data"]["kind"], kind)
        self.assertEqual(engine.close(), 0)

    def test_gives_up_when_nobody_wants_the_build(self):
        engine = self.start()
        engine.initialize()
        engine.answer = lambda request: {"jsonrpc": "2.0", "method": "cancel", "params": {"id": engine.next_id}}
        with self.assertRaises(Failure) as caught:
            engine.build("x", b"make")
        self.assertEqual(caught.exception.error["data"]["kind"], "cancelled")
        self.assertEqual(engine.close(), 0)

    def test_cancels_a_request(self):
        engine = self.start(failures={"stat": "cancelled"})
        engine.initialize()
        with self.assertRaises(Failure) as caught:
            engine.build("x", b"giveUp")
        self.assertEqual(caught.exception.error["data"]["kind"], "cancelled")
        self.assertEqual(engine.notifications, [("cancel", {"id": 1})])
        self.assertEqual(engine.close(), 0)

    def test_exits_when_stdin_ends_before_and_during_a_build(self):
        self.assertEqual(self.start().close(), 0)
        engine = self.start()
        engine.initialize()
        engine.send({"jsonrpc": "2.0", "id": 2, "method": "build", "params": BUILD})
        self.assertEqual(engine.receive()["method"], "stat")
        self.assertEqual(engine.close(), 0)

    def test_ends_when_the_engine_breaks_the_protocol(self):
        def framed(text):
            return len(text).to_bytes(4, "big") + b"\0\0\0\0" + text

        for frames in [b"Content-Length: 1\r\n", b"\0\0\0\x01\0\0\0\x02x", framed(b"[]"), framed(b"{}"),
                       framed(b'{"id":1,"result":{}}'), framed(b'\xef\xbb\xbf{"method":"x"}'), framed(b'{"method":"\xff"}'),
                       framed(b'{"method":"x"} {}'), framed(b'{"method":"x","a":' + b"[" * 70 + b"]" * 70 + b"}"),
                       b"\0\0\0\x05\0\0"]:
            engine = self.start()
            engine.write(frames)
            self.assertEqual(engine.close(), 76, frames)
            self.assertIn(b"the engine broke the protocol", engine.stderr)

    def test_speaks_the_protocol_whatever_its_arguments(self):
        for argument in ["--help", "--version"]:
            engine = Engine([*COMMAND, argument])
            self.addCleanup(engine.kill)
            self.assertEqual(engine.initialize()["protocol"], "1.0")
            self.assertEqual(engine.close(), 0)

    def test_waits_for_a_debugger(self):
        engine = self.start(environment={"FRONTEND_WAIT": "1"})
        _, status = os.waitpid(engine.process.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        os.kill(engine.process.pid, signal.SIGCONT)
        self.assertIn("protocol", engine.initialize())
        self.assertEqual(engine.close(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:sys.argv.index("--")])
