#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays the engine for one frontend: no builder, no sandbox, no registry.

    drive.py [options] [BUILDFILE] -- COMMAND [ARGUMENT…]

starts COMMAND, asks it `initialize` and `build`, answers its requests and prints what it answered to `build` as JSON,
every ref replaced by the definition the frontend solved for it. Nothing is built: a ref of a `local://NAME` source can be
read when `--local NAME=DIRECTORY` says where it stands, other refs are empty trees. The exit status is 0 for a result, 1
for an error of the frontend (printed as JSON), 2 when the frontend broke the protocol.

As a module, `Engine` does the same for the tests of the SDKs.
"""
import argparse
import json
import os
import random
import select
import stat
import struct
import subprocess
import sys
import time

CAPABILITIES = ["solve", "solve.evaluate", "solve.json", "readFile", "resolveSource.image", "resolveSource.git",
                "resolveSource.http", "diagnostic", "progress"]
LIMITS = {"frame": 1 << 20, "message": 4 << 20, "blob": 64 << 20, "inFlight": 32, "refs": 4096}
ANSWER_SECONDS = 20


class Violation(Exception):
    """The frontend broke the protocol."""


class Failure(Exception):
    """The frontend answered with an error, or is to be answered with one."""

    def __init__(self, kind, message="the driver was told to fail this"):
        super().__init__(message)
        self.error = {"code": -32000, "message": message, "data": {"kind": kind}}


class Engine:
    """One session with one frontend process.

    `locals`: directories by the names of local sources. `failures`: kinds by the methods they answer. `one_byte`: write
    every byte on its own. `shuffle`: a seed; answers to requests that are open together come in another order.
    """

    def __init__(self, command, locals=None, failures=None, one_byte=False, shuffle=None, limits=None,
                 protocol=("1.0",), capabilities=CAPABILITIES, environment=None):
        self.locals = locals or {}
        self.failures = failures or {}
        self.one_byte = one_byte
        self.random = None if shuffle is None else random.Random(shuffle)
        self.limits = dict(LIMITS, **(limits or {}))
        self.protocol = list(protocol)
        self.capabilities = list(capabilities)
        self.refs = {}
        self.notifications = []
        self.requests = []
        self.next_id = 0
        self.next_stream = 0
        self.buffer = b""
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=dict({"PATH": os.environ["PATH"]}, **(environment or {})))
        os.set_blocking(self.process.stderr.fileno(), False)
        self.stderr = b""

    # Frames

    def write(self, data):
        try:
            if self.one_byte:
                for index in range(len(data)):
                    self.process.stdin.write(data[index:index + 1])
                    self.process.stdin.flush()
            else:
                self.process.stdin.write(data)
                self.process.stdin.flush()
        except BrokenPipeError:
            pass  # The frontend is gone; reading tells more.

    def header(self):
        """Length and stream of the next frame."""
        return struct.unpack(">II", self.read(8, is_header=True))

    def read(self, count, is_header=False):
        deadline = time.monotonic() + ANSWER_SECONDS
        out = self.process.stdout.fileno()
        err = self.process.stderr.fileno()
        while len(self.buffer) < count:
            ready, _, _ = select.select([out, err], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise Violation("silent for %d seconds" % ANSWER_SECONDS)
            if err in ready:
                self.stderr += os.read(err, 1 << 16)
                if ready == [err] and self.process.poll() is not None and not select.select([out], [], [], 0)[0]:
                    raise EOFError
            if out in ready:
                chunk = os.read(out, 1 << 16)
                if not chunk:
                    raise EOFError
                self.buffer += chunk
                if is_header and self.buffer[0] != 0:
                    raise Violation("text on stdout: %r" % self.buffer[:200])
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        if is_header and data[0] != 0:
            raise Violation("text on stdout: %r" % (data + self.buffer[:200]))
        return data

    def send(self, message):
        """Sends a message; every `bytes` in it becomes a blob."""
        blobs = []

        def announced(value):
            if isinstance(value, bytes):
                self.next_stream += 2
                blobs.append((self.next_stream, value))
                return {"blob": self.next_stream, "size": len(value)}
            if isinstance(value, dict):
                return {name: announced(member) for name, member in value.items()}
            if isinstance(value, list):
                return [announced(element) for element in value]
            return value

        text = json.dumps(announced(message)).encode()
        frames = struct.pack(">II", len(text), 0) + text
        for stream, data in blobs:
            for start in range(0, len(data), self.limits["frame"]):
                chunk = data[start:start + self.limits["frame"]]
                frames += struct.pack(">II", len(chunk), stream) + chunk
        self.write(frames)

    def receive(self):
        """The next message, blobs in their places as `bytes`."""
        length, stream = self.header()
        if stream != 0:
            raise Violation("a frame of stream %d where a message is due" % stream)
        if length > self.limits["message"]:
            raise Violation("a message of %d bytes" % length)
        message = json.loads(self.read(length).decode("utf-8"), object_pairs_hook=unique)
        announcements = []

        def find(value):
            if isinstance(value, dict):
                if set(value) == {"blob", "size"}:
                    announcements.append(value)
                for member in value.values():
                    find(member)
            elif isinstance(value, list):
                for element in value:
                    find(element)

        find(message)
        blobs = {}
        for announcement in announcements:
            stream, size, data = announcement["blob"], announcement["size"], b""
            if stream % 2 != 1 or stream in blobs:
                raise Violation("stream %d is not one a frontend may announce here" % stream)
            while size is None or len(data) < size:
                length, got = self.header()
                if got != stream or length > self.limits["frame"] or (length == 0 and size is not None):
                    raise Violation("frame of %d bytes on stream %d, expected stream %d" % (length, got, stream))
                if length == 0:
                    break
                data += self.read(length)
            blobs[stream] = data

        def filled(value):
            if isinstance(value, dict):
                if set(value) == {"blob", "size"}:
                    return blobs[value["blob"]]
                return {name: filled(member) for name, member in value.items()}
            return [filled(element) for element in value] if isinstance(value, list) else value

        return filled(message)

    # Requests of the engine

    def ask(self, method, params):
        """Asks the frontend and serves its requests until it has answered. Gives the result or raises `Failure`."""
        self.next_id += 1
        wanted = self.next_id
        self.send({"jsonrpc": "2.0", "id": wanted, "method": method, "params": params})
        waiting = []
        while True:
            if waiting and not self.more():
                if self.random:
                    self.random.shuffle(waiting)
                for request in waiting:
                    self.send(request)
                waiting = []
            message = self.receive()
            if message.get("jsonrpc") != "2.0":
                raise Violation("no JSON-RPC 2.0: %r" % message)
            if "method" in message and "id" in message:
                if method == "initialize":
                    raise Violation("a request before the answer to initialize")
                waiting.append(self.answer(message))
            elif "method" in message:
                self.notifications.append((message["method"], message.get("params", {})))
            elif message.get("id") != wanted:
                raise Violation("an answer to %r, which nobody asked" % message.get("id"))
            elif "error" in message:
                failure = Failure("internal", message["error"]["message"])
                failure.error = message["error"]
                raise failure
            else:
                return message["result"]

    def more(self):
        """Whether the frontend has more to say without being answered: only looked at to gather pipelined requests."""
        if self.buffer:
            return True
        wait = 0.05 if self.random else 0
        return bool(select.select([self.process.stdout.fileno()], [], [], wait)[0])

    def initialize(self):
        return self.ask("initialize", {
            "protocol": self.protocol, "engine": {"name": "drive", "version": "0"},
            "capabilities": self.capabilities, "limits": self.limits, "futureMember": {"ignored": True}})

    def build(self, name, content, options=None, inputs=None):
        return self.ask("build", {
            "buildFile": {"name": name, "content": content}, "options": options or {}, "inputs": inputs or {},
            "workerPlatforms": [{"os": "linux", "architecture": "amd64"}]})

    def close(self):
        """Closes stdin; gives the exit status, the same when asked again."""
        if self.process.stdout.closed:
            return self.process.returncode
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Violation("did not exit within 2 seconds after the end of stdin")
        finally:
            os.set_blocking(self.process.stderr.fileno(), True)
            self.stderr += self.process.stderr.read()
            rest = self.buffer + self.process.stdout.read()
            self.process.stdout.close()
            self.process.stderr.close()
        if rest:
            raise Violation("more bytes after the answer: %r" % rest[:200])
        return self.process.returncode

    def kill(self):
        """Ends the process, whatever it does; nothing to do after `close`."""
        if not self.process.stdout.closed:
            self.process.kill()
            try:
                self.close()
            except Violation:
                pass

    # Requests of the frontend

    def answer(self, request):
        method, params = request["method"], request.get("params", {})
        self.requests.append((method, params))
        answer = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            if method in self.failures:
                raise Failure(self.failures[method])
            handler = {"solve": self.solve, "evaluate": lambda params: {}, "releaseRef": lambda params: {},
                       "readFile": self.read_file, "readDir": self.read_directory, "stat": self.stat,
                       "resolveSource": self.resolve}.get(method)
            if handler is None:
                raise Failure("unsupported", "no method " + method)
            answer["result"] = handler(params)
        except Failure as failure:
            answer["error"] = failure.error
        return answer

    def solve(self, params):
        definition = params["definition"]
        if not isinstance(definition, dict):
            self.refs["r%d" % (len(self.refs) + 1)] = {"protobufBytes": len(definition)}
            return {"ref": "r%d" % len(self.refs)}
        check_definition(definition["json"])
        if not definition["json"]["def"]:
            return {"ref": None}
        self.refs["r%d" % (len(self.refs) + 1)] = definition["json"]
        return {"ref": "r%d" % len(self.refs)}

    def path(self, params):
        """Where a path of a ref stands on this machine; a missing file for refs that are not local sources."""
        if params["ref"] is not None and params["ref"] not in self.refs:
            raise Failure("invalidParams", "unknown ref")
        operations = self.refs.get(params["ref"], {}).get("def", {})
        for operation in operations.values():
            identifier = operation.get("source", {}).get("identifier", "")
            if len(operations) == 2 and identifier.startswith("local://") and identifier[8:] in self.locals:
                return os.path.join(self.locals[identifier[8:]], params["path"].lstrip("/"))
        raise Failure("notFound", params["path"] + ": no such file")

    def read_file(self, params):
        try:
            with open(self.path(params), "rb") as file:
                file.seek(int(params.get("offset") or 0))
                # Deliberately little at a time: a frontend must go on reading until `eof`.
                limit = min(int(params.get("length") or 1 << 16), 1 << 16)
                data = file.read(limit)
                return {"data": data, "eof": not file.read(1)}
        except OSError as error:
            raise Failure("notFound", str(error))

    def read_directory(self, params):
        try:
            path = self.path(params)
            return {"entries": [info(os.path.join(path, name)) for name in sorted(os.listdir(path))]}
        except OSError as error:
            raise Failure("notFound", str(error))

    def stat(self, params):
        try:
            return info(self.path(params))
        except OSError as error:
            raise Failure("notFound", str(error))

    def resolve(self, params):
        identifier = params["identifier"]
        answer = {"identifier": identifier, "attributes": params.get("attributes", {})}
        if identifier.startswith("docker-image://"):
            config = {"os": "linux", "architecture": "amd64", "config": {"Env": ["PATH=/usr/bin:/bin"],
                                                                         "WorkingDir": "/srv", "User": "app"}}
            answer["image"] = {"digest": "sha256:" + "0" * 64, "config": json.dumps(config).encode()}
        elif identifier.startswith("http"):
            answer["http"] = {"digest": "sha256:" + "1" * 64, "fileName": identifier.rsplit("/", 1)[-1]}
        else:
            answer["git"] = {"checksum": "2" * 40, "ref": "refs/heads/main"}
        return answer


def unique(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise Violation("an object has a member twice: %r" % names)
    return dict(pairs)


def info(path):
    status = os.lstat(path)
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
             stat.S_IFSOCK: "socket"}
    result = {"name": os.path.basename(path), "kind": kinds.get(stat.S_IFMT(status.st_mode), "device"),
              "mode": stat.S_IMODE(status.st_mode), "uid": status.st_uid, "gid": status.st_gid,
              "size": status.st_size if stat.S_ISREG(status.st_mode) else 0, "modified": str(status.st_mtime_ns)}
    if stat.S_ISLNK(status.st_mode):
        result["target"] = os.readlink(path)
    return result


def check_definition(definition):
    """Refuses what no engine would take: operations that name nothing, or several ends."""
    operations = definition["def"]
    kinds = {"exec", "source", "file", "build", "merge", "diff", "passthrough"}
    ends = [name for name, operation in operations.items() if not kinds & set(operation)]
    if operations and len(ends) != 1:
        raise Failure("badDefinition", "%d operations have no kind" % len(ends))
    for name, operation in operations.items():
        for edge in operation.get("inputs", []):
            if edge["digest"] not in operations:
                raise Failure("badDefinition", "%s needs %s, which is not there" % (name, edge["digest"]))


def shown(value, refs):
    """A result for people: refs as definitions, bytes as text or JSON."""
    if isinstance(value, bytes):
        try:
            return json.loads(value)
        except ValueError:
            return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {name: refs.get(member, member) if name == "ref" else shown(member, refs)
                for name, member in value.items()}
    return [shown(element, refs) for element in value] if isinstance(value, list) else value


def pair(text):
    name, _, value = text.partition("=")
    return name, value


def main():
    arguments = sys.argv[1:]
    if "--" not in arguments:
        sys.exit(__doc__)
    split = arguments.index("--")
    parser = argparse.ArgumentParser(usage="drive.py [options] [BUILDFILE] -- COMMAND [ARGUMENT…]")
    parser.add_argument("file", nargs="?", help="the build file; an empty one by default")
    parser.add_argument("--opt", action="append", default=[], type=pair, metavar="NAME=VALUE")
    parser.add_argument("--local", action="append", default=[], type=pair, metavar="NAME=DIRECTORY")
    parser.add_argument("--fail", action="append", default=[], type=pair, metavar="METHOD=KIND")
    parser.add_argument("--one-byte", action="store_true", help="write every byte on its own")
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="answer pipelined requests in another order")
    parser.add_argument("--requests", action="store_true", help="print the frontend's requests to stderr")
    options = parser.parse_args(arguments[:split])
    content = b""
    if options.file:
        with open(options.file, "rb") as file:
            content = file.read()
    engine = Engine(arguments[split + 1:], dict(options.local), dict(options.fail), options.one_byte, options.shuffle)
    status = 0
    try:
        hello = engine.initialize()
        result = engine.build(os.path.basename(options.file or "Buildfile"), content, dict(options.opt))
        print(json.dumps({"frontend": hello["frontend"], "result": shown(result, engine.refs)}, indent=2))
    except Failure as failure:
        print(json.dumps({"error": failure.error}, indent=2))
        status = 1
    except (Violation, EOFError, ValueError, KeyError) as problem:
        print("drive.py: the frontend broke the protocol: %s" % (problem or "it ended"), file=sys.stderr)
        engine.process.kill()
        status = 2
    try:
        ended = engine.close()
        if ended and status == 0:
            print("drive.py: exit status %d after a result" % ended, file=sys.stderr)
    except Violation as problem:
        print("drive.py: the frontend broke the protocol: %s" % problem, file=sys.stderr)
        status = 2
    sys.stderr.write(engine.stderr.decode("utf-8", "replace"))
    if options.requests:
        for method, params in engine.requests:
            print("%s %s" % (method, json.dumps(shown(params, {}))), file=sys.stderr)
    for method, params in engine.notifications:
        print("%s: %s" % (method, json.dumps(shown(params, {}))), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
