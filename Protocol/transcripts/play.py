#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays one side of a transcript against whoever speaks the other.

    play.py engine TRANSCRIPT -- COMMAND [ARGUMENT…]    plays the engine against a frontend's command
    play.py frontend [TRANSCRIPT]                       plays the frontend, on its own stdin and stdout

Without a TRANSCRIPT the lines of this file that begin with `#| ` are one, so that a copy of it is a frontend by itself. What
the other side says must hold all that the transcript has it say; more members are allowed, and answers that stand side by
side come in any order. Exits with 0 when all was said, else with 1 and what differed on stderr.
"""

import base64
import json
import struct
import subprocess
import sys

ABSENT = object()


class Channel:
    """Messages over two byte streams, blobs in the place of their announcements."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.source.read(count - len(data))
            if not part:
                raise EOFError("the other side ended")
            data += part
        return data

    def frame(self):
        length, stream = struct.unpack(">II", self.exactly(8))
        if length >= 1 << 24:
            raise ValueError(f"no frame, but {struct.pack('>II', length, stream)!r}")
        return stream, self.exactly(length)

    def receive(self):
        stream, text = self.frame()
        if stream != 0:
            raise ValueError(f"a frame on stream {stream}, expected a message")
        return self.fill(json.loads(text))

    def fill(self, value):
        if isinstance(value, list):
            return [self.fill(element) for element in value]
        if not isinstance(value, dict):
            return value
        if is_announcement(value):
            return self.blob(value["blob"], value["size"])
        return {name: self.fill(member) for name, member in value.items()}

    def blob(self, number, size):
        data = b""
        while size is None or len(data) < size:
            stream, part = self.frame()
            if stream != number:
                raise ValueError(f"a frame on stream {stream}, expected blob {number}")
            if not part:
                break
            data += part
        return data

    def send(self, line):
        text = json.dumps(line["message"], ensure_ascii=False).encode()
        data = struct.pack(">II", len(text), 0) + text
        for announced, blob in zip(announcements(line["message"]), blobs(line)):
            if blob:
                data += struct.pack(">II", len(blob), announced["blob"]) + blob
            if announced["size"] is None:
                data += struct.pack(">II", 0, announced["blob"])
        self.sink.write(data)
        self.sink.flush()


def is_announcement(value):
    return set(value) == {"blob", "size"} and isinstance(value["blob"], int)


def announcements(value):
    if isinstance(value, dict):
        return [value] if is_announcement(value) else [a for v in value.values() for a in announcements(v)]
    return [a for element in value for a in announcements(element)] if isinstance(value, list) else []


def blobs(line):
    return [blob["text"].encode() if "text" in blob else base64.b64decode(blob["base64"]) for blob in line.get("blobs", [])]


def filled(line):
    """The message of a line with the bytes of its blobs in place."""
    rest = blobs(line)

    def fill(value):
        if isinstance(value, list):
            return [fill(element) for element in value]
        if not isinstance(value, dict):
            return value
        return rest.pop(0) if is_announcement(value) else {name: fill(member) for name, member in value.items()}

    return fill(line["message"])


def difference(wanted, found, ignored, path=""):
    """Where a message lacks what it must have; None where it does not."""
    if path in ignored or wanted is None and found in (None, ABSENT):
        return None
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name, member in wanted.items():
            problem = difference(member, found.get(name, ABSENT), ignored, f"{path}/{name}")
            if problem:
                return problem
        return None
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (left, right) in enumerate(zip(wanted, found)):
            problem = difference(left, right, ignored, f"{path}/{index}")
            if problem:
                return problem
        return None
    if plain(wanted) == plain(found):
        return None
    return f"at {path or '/'}: expected {shown(wanted)}, found {shown(found)}"


def plain(value):
    """Byte strings as text and integers as decimal strings mean the same."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value).encode()
    return value


def shown(value):
    return "nothing" if value is ABSENT else repr(value)[:200]


def same_place(wanted, found):
    """Whether a message stands where the transcript has another: the same answer, request or notification."""
    if ("method" in wanted) != ("method" in found):
        return False
    return wanted["method"] == found["method"] if "method" in wanted else wanted.get("id") == found.get("id")


def play(role, lines, channel):
    waiting = []
    for number, line in enumerate(lines, 1):
        if "message" not in line:
            continue
        if line["from"] != role:
            waiting.append((number, line))
            continue
        listen(waiting, channel)
        channel.send(line)
    ends = [line["end"] for line in lines if "end" in line]
    if ends and "code" in ends[0]:
        return
    listen(waiting, channel)


def listen(waiting, channel):
    while waiting:
        found = channel.receive()
        index = next((i for i, (_, line) in enumerate(waiting) if same_place(line["message"], found)), None)
        if index is None:
            raise ValueError(f"line {waiting[0][0]}: expected {shown(waiting[0][1]['message'])}, found {shown(found)}")
        number, line = waiting.pop(index)
        problem = difference(filled(line), found, {"/error/code", *line.get("any", [])})
        if problem:
            raise ValueError(f"line {number}: {problem}")


def main(arguments):
    role = arguments[0]
    command = arguments[arguments.index("--") + 1:] if "--" in arguments else None
    rest = [argument for argument in arguments[1:2] if argument != "--"]
    source = open(rest[0]).read() if rest else "".join(
        line[3:] for line in open(__file__) if line.startswith("#| "))
    lines = [json.loads(line) for line in source.splitlines() if line]
    if role == "frontend":
        channel = Channel(sys.stdin.buffer, sys.stdout.buffer)
        play(role, lines, channel)
        while channel.source.read(4096):
            pass
        return
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        play(role, lines, Channel(process.stdout, process.stdin))
        process.stdin.close()
        if process.wait(timeout=5) != 0:
            raise ValueError(f"the frontend ended with status {process.returncode}")
    finally:
        process.kill()


if __name__ == "__main__":
    try:
        main(sys.argv[1:] or ["frontend"])
    except (EOFError, ValueError, BrokenPipeError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
