// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import FrontendHost
import FrontendProtocol
import Glibc
import LLB
import LinuxSystem
import OCI
import SystemPackage
import Testing

/// Rules of the specification, by their ids, held by frontends in a few lines of Python: what they find around them, and
/// what they are answered.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .serialized, .timeLimit(.minutes(3)))
struct ScriptTests {
    /// Frames, and the first two requests; `ask` makes a request and waits for its answer.
    private static let prelude = """
        #!/usr/bin/python3
        import json, os, struct, sys
        stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        count = 0
        def frame():
            header = stdin.read(8)
            if len(header) < 8: sys.exit(0)
            length, stream = struct.unpack(">II", header)
            return stream, stdin.read(length)
        def receive():
            while True:
                stream, payload = frame()
                if stream == 0: return json.loads(payload)
        def send(**message):
            text = json.dumps({"jsonrpc": "2.0", **message}).encode()
            stdout.write(struct.pack(">II", len(text), 0) + text)
            stdout.flush()
        def ask(method, **params):
            global count
            count += 1
            send(id=count, method=method, params=params)
            return receive()
        def kind(answer): return answer["error"]["data"]["kind"] if "error" in answer else "result"
        def result(**metadata):
            send(id=work["id"], result={"refs": [], "metadata": metadata})
            stdin.read()
            sys.exit(0)
        hello = receive()
        send(id=hello["id"], result={"protocol": "1.0", "frontend": {"name": "test/script", "version": "1.0.0"}})
        work = receive()

        """

    private func run(
        _ script: String,
        bridge: RecordingBridge = RecordingBridge(),
        limits: ProtocolLimits = .standard
    ) async throws -> [String: String] {
        let fixture = try HostFixture.shared.get()
        let scratch = try ScratchDirectory()
        var timeouts = HostFixture.timeouts
        timeouts.silence = .seconds(30)
        let result = try await FrontendHost(
            launcher: fixture.launcher,
            engine: .init(name: "test", version: "0"),
            timeouts: timeouts,
            limits: limits
        ).build(
            try scratch.script(Self.prelude + script),
            request: FrontendBuildRequest<Int>(
                fileName: "Buildfile",
                fileContent: Array("hello\n".utf8),
                options: [:],
                workerPlatforms: [Platform(os: "linux", architecture: "amd64")]
            ),
            bridge: bridge
        )
        return result.metadata.mapValues { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: Surroundings

    @Test func `P-BOX-01: three descriptors, no network, nothing to write but a small tmp`() async throws {
        let found = try await run(
            """
            import errno, socket
            open_files = sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + name))
            def attempt(action):
                try:
                    action()
                    return "done"
                except OSError as error:
                    return errno.errorcode.get(error.errno, str(error.errno))
            def fill():
                with open("/tmp/big", "wb") as file:
                    for _ in range(200): file.write(bytes(1 << 20))
            result(
                files=" ".join(str(number) for number in open_files if number < 3),
                network=attempt(lambda: socket.create_connection(("127.0.0.1", 1), 1)),
                usr=attempt(lambda: open("/usr/mark", "w")),
                root=attempt(lambda: open("/mark", "w")),
                tmp=attempt(lambda: open("/tmp/mark", "w")),
                full=attempt(fill),
                host=str(os.path.exists("/etc/passwd")),
                others=" ".join(name for name in os.listdir("/proc") if name.isdigit() and int(name) > 9),
            )
            """
        )
        #expect(found["files"] == "0 1 2")
        #expect(found["network"] != "done")
        #expect(found["usr"] == "EROFS")
        #expect(found["root"] != "done")
        #expect(found["tmp"] == "done")
        #expect(["ENOSPC", "EFBIG"].contains(found["full"]))
        #expect(found["host"] == "False")
        #expect(found["others"] == "")
    }

    @Test func `P-BOX-02: the environment is fixed`() async throws {
        unsafe setenv("KILN_SECRET_OF_THE_TEST", "1", 1)
        let found = try await run(
            #"result(names="\n".join(sorted(f"{name}={value}" for name, value in os.environ.items())), name=os.uname().nodename)"#
        )
        #expect(
            found["names"] == """
                HOME=/nonexistent
                LC_ALL=C.UTF-8
                PATH=/usr/local/bin:/usr/bin:/bin
                PYTHONHASHSEED=0
                SWIFT_DETERMINISTIC_HASHING=1
                TZ=UTC
                """
        )
        #expect(found["name"] == "frontend")
    }

    // MARK: Answers

    @Test func `P-REF-01: a name that this session did not give means nothing`() async throws {
        let found = try await run(#"result(kind=kind(ask("stat", ref="r1", path="a")))"#)
        #expect(found["kind"] == "invalidParams")
    }

    @Test func `P-REF-02: one ref too many is refused, and released ones make room`() async throws {
        let found = try await run(
            """
            solve = lambda: ask("solve", definition={"json": {"def": {}}})
            first = [kind(solve()) for _ in range(3)]
            released = kind(ask("releaseRef", ref="r1"))
            result(first=" ".join(first), released=released, again=kind(solve()))
            """,
            limits: ProtocolLimits(refs: 2)
        )
        #expect(found["first"] == "result result limit")
        #expect(found["released"] == "result")
        #expect(found["again"] == "result")
    }

    @Test func `P-CAP-01: what was not offered is refused`() async throws {
        let found = try await run(
            """
            result(kinds=" ".join([
                kind(ask("frontend/solve", name="dockerfile")),
                kind(ask("resolveSource", identifier="git://example.com/a.git")),
                kind(ask("resolveSource", identifier="https://example.com/a")),
            ]))
            """
        )
        #expect(found["kinds"] == "unsupported unsupported unsupported")
    }

    @Test func `P-FILE-01: a path too long or with a NUL is refused`() async throws {
        let found = try await run(
            #"""
            result(kinds=" ".join(kind(ask("stat", ref=None, path=path)) for path in ["a\0b", "a" * 4096, "a" * 4095]))
            """#
        )
        #expect(found["kinds"] == "invalidParams invalidParams result")
    }

    @Test func `P-FILE-03: what one build reads in all is limited`() async throws {
        let found = try await run(
            """
            reads = 0
            while True:
                answer = ask("readFile", ref=None, path="big", length=1 << 22)
                if "error" in answer: result(kind=kind(answer), reads=str(reads))
                reads += 1
            """
        )
        #expect(found["kind"] == "limit")
        #expect(found["reads"] == "1024")
    }

    @Test func `P-TIME-01: a time that makes no sense is refused`() async throws {
        let found = try await run(
            """
            result(kinds=" ".join(kind(ask("stat", ref=None, path="a", timeoutMs=time)) for time in [0, -1, "x", 5000]),
                   slow=kind(ask("stat", ref=None, path="slow", timeoutMs=50)))
            """
        )
        #expect(found["kinds"] == "invalidParams invalidParams invalidParams result")
        #expect(found["slow"] == "timeout")
    }

    @Test func `P-MSG-08: requests beyond the limit are refused one by one`() async throws {
        let found = try await run(
            """
            for number in range(1, 6):
                send(id=number, method="stat", params={"ref": None, "path": "slow", "timeoutMs": 300})
            kinds = sorted(kind(receive()) for _ in range(5))
            result(kinds=" ".join(kinds))
            """,
            limits: ProtocolLimits(inFlight: 3)
        )
        #expect(found["kinds"] == "timeout timeout timeout tooManyRequests tooManyRequests")
    }

    // MARK: The page that leads newcomers

    /// The Python program of `Protocol/README.md`, as it stands there.
    private func readmeProgram() throws -> String {
        let path = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
            .appending("Protocol/README.md")
        let bytes = try LinuxSystem.Descriptor.open(host: path).readToEnd(byteLimit: 1 << 20)
        let text = String(decoding: bytes, as: UTF8.self)
        let fence = try #require(text.firstRange(of: "```python")).upperBound
        let start = try #require(text[fence...].firstRange(of: "\n")).upperBound
        let end = try #require(text[start...].firstRange(of: "```")).lowerBound
        return String(text[start..<end])
    }

    @Test func `the frontend of the README builds`() async throws {
        let fixture = try HostFixture.shared.get()
        let scratch = try ScratchDirectory()
        let bridge = RecordingBridge()
        let result = try await FrontendHost(launcher: fixture.launcher, engine: .init(name: "test", version: "0"))
            .build(
                try scratch.script(try readmeProgram()),
                request: FrontendBuildRequest<Int>(
                    fileName: "Buildfile",
                    fileContent: Array("hello\n".utf8),
                    options: [:],
                    workerPlatforms: [Platform(os: "linux", architecture: "amd64")]
                ),
                bridge: bridge
            )
        #expect(result.frontend == .init(name: "acme/hello", version: "0.1.0"))
        #expect(result.platforms.map(\.ref) == [1])
        #expect(bridge.text == "")
    }
}
