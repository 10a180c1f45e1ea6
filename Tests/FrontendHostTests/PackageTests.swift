// SPDX-License-Identifier: Apache-2.0

import FrontendHost
import FrontendProtocol
import Glibc
import LinuxSystem
import OCI
import Sandbox
import SystemPackage
import Testing

/// Frontends that come as directories, with and without a runtime.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .serialized, .timeLimit(.minutes(1)))
struct PackageTests {
    private func withPackage(
        _ files: [String: String],
        _ body: (FilePath) async throws -> Void
    ) async throws {
        let name = "kiln-package-tests-\(randomToken(count: 8))"
        let path = FilePath("/tmp").appending(name)
        let directory = try Directory(host: path, createMode: 0o755)
        defer { try? Directory(host: "/tmp").removeTree(name: name) }
        for (file, text) in files {
            if let slash = file.lastIndex(of: "/") {
                _ = try directory.makeDirectories(String(file[..<slash]), mode: 0o755)
            }
            try directory.createFile(file, mode: 0o755).write(Array(text.utf8))
        }
        try await body(path)
    }

    private func build(
        _ program: FrontendProgram,
        file: String = "behave\n"
    ) async throws -> (FrontendResult<Int>, RecordingBridge) {
        let fixture = try HostFixture.shared.get()
        let bridge = RecordingBridge()
        let result = try await FrontendHost(launcher: fixture.launcher, engine: .init(name: "test", version: "0"))
            .build(
                program,
                request: FrontendBuildRequest<Int>(
                    fileName: "Buildfile",
                    fileContent: Array(file.utf8),
                    options: [:],
                    workerPlatforms: [Platform(os: "linux", architecture: "amd64")]
                ),
                bridge: bridge
            )
        return (result, bridge)
    }

    /// Copies the frontend that misbehaves, and can behave, into a package.
    private func addProgram(to path: FilePath) throws {
        let source = try Descriptor.open(host: HostFixture.shared.get().products.appending("kiln-frontend-bad"))
        let target = try Directory(host: path).createFile("bin/frontend", mode: 0o755)
        _ = try target.copy(from: source)
    }

    @Test func `a program of a package runs where its package is shown read-only`() async throws {
        try await withPackage(["bin/data": "x"]) { path in
            try addProgram(to: path)
            let (result, _) = try await build(
                FrontendProgram(
                    name: "bad/frontend",
                    version: "0.1.0",
                    content: .package(directory: path, arguments: ["bin/frontend"])
                )
            )
            #expect(result.frontend == .init(name: "bad/frontend", version: "0.1.0"))
        }
    }

    @Test func `nothing a packaged frontend tries at its sandbox succeeds`() async throws {
        try await withPackage(["bin/data": "x"]) { path in
            try addProgram(to: path)
            let (result, _) = try await build(
                FrontendProgram(name: "bad", content: .package(directory: path, arguments: ["bin/frontend"])),
                file: "attack\n"
            )
            #expect(String(decoding: result.metadata["succeeded"] ?? [63], as: UTF8.self) == "")
        }
    }

    @Test(arguments: [("other/name", "0.1.0"), ("bad/frontend", "0.2.0")])
    func `a program that calls itself otherwise than its package is refused`(
        _ name: String,
        _ version: String
    ) async throws {
        try await withPackage(["bin/data": "x"]) { path in
            try addProgram(to: path)
            let error = await #expect(throws: FrontendHostError.self) {
                try await build(
                    FrontendProgram(
                        name: name,
                        version: version,
                        content: .package(directory: path, arguments: ["bin/frontend"])
                    )
                )
            }
            #expect(error?.code == .incompatible)
            #expect(
                error?.message.contains("says that it is bad/frontend 0.1.0, but its package is \(name) \(version)")
                    == true
            )
        }
    }

    private static let hasPython = unsafe access("/usr/bin/python3", X_OK) == 0

    private static let script = """
        #!/usr/bin/python3
        import json, struct, sys, os
        def read():
            h = sys.stdin.buffer.read(8)
            if len(h) < 8: sys.exit(0)
            n, s = struct.unpack('>II', h)
            return s, sys.stdin.buffer.read(n)
        def send(m):
            b = json.dumps(m).encode()
            sys.stdout.buffer.write(struct.pack('>II', len(b), 0) + b); sys.stdout.buffer.flush()
        while True:
            s, b = read()
            if s: continue
            m = json.loads(b)
            if m['method'] == 'initialize':
                send({'jsonrpc': '2.0', 'id': m['id'], 'result': {'protocol': '1.0', 'frontend': {'name': 'py', 'version': '1.0.0'}}})
            else:
                seen = ' '.join(sorted(os.listdir('/')) + sorted(os.listdir('/etc')) + os.listdir('/frontend') + [os.getcwd()])
                send({'jsonrpc': '2.0', 'id': m['id'], 'result': {'refs': [], 'metadata': {'seen': seen, 'env': ' '.join(sorted(os.environ))}}})

        """

    @Test(.enabled(if: Self.hasPython, "needs Python"))
    func `a script runs with the host's runtime and sees no more of the host`() async throws {
        try await withPackage(["frontend.py": Self.script]) { path in
            for content in [
                FrontendProgram.Content.package(directory: path, arguments: ["/usr/bin/python3", "frontend.py"]),
                .package(directory: path, arguments: ["frontend.py"]), .file(path.appending("frontend.py")),
            ] {
                let (result, _) = try await build(FrontendProgram(name: "py", content: content, runtime: .host))
                let seen = String(decoding: result.metadata["seen"] ?? [], as: UTF8.self).split(separator: " ")
                let allowed: Set<Substring> = [
                    "bin", "dev", "etc", "frontend", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "tmp", "usr",
                    "alternatives", "ld.so.cache", "frontend.py", "/frontend",
                ]
                #expect(Set(seen).subtracting(allowed).isEmpty, "\(seen)")
                #expect(
                    String(decoding: result.metadata["env"] ?? [], as: UTF8.self)
                        == "HOME LC_ALL PATH PYTHONHASHSEED SWIFT_DETERMINISTIC_HASHING TZ"
                )
            }
        }
    }

    @Test func `a script without a runtime is refused with a way out`() async throws {
        try await withPackage(["frontend.py": Self.script]) { path in
            for content in [
                FrontendProgram.Content.package(directory: path, arguments: ["frontend.py"]),
                .file(path.appending("frontend.py")),
            ] {
                let error = await #expect(throws: FrontendHostError.self) {
                    try await build(FrontendProgram(name: "py", content: content))
                }
                #expect(error?.code == .notStarted)
                #expect(error?.message.contains("F115 py cannot be started") == true)
                #expect(error?.message.contains("runtime = \"host\"") == true)
            }
        }
    }

    @Test func `a program outside of its package is not run`() async throws {
        try await withPackage(["x": ""]) { path in
            for argument in ["/bin/true", "../../bin/true", ""] {
                let error = await #expect(throws: FrontendHostError.self) {
                    try await build(
                        FrontendProgram(name: "out", content: .package(directory: path, arguments: [argument]))
                    )
                }
                #expect(error?.code == .notStarted, "\(argument)")
            }
        }
    }

    @Test func `a package's own limit of memory holds`() async throws {
        guard try HostFixture.shared.get().launcher.capabilities.limitsMemory else { return }
        try await withPackage(["bin/data": "x"]) { path in
            try addProgram(to: path)
            let error = await #expect(throws: FrontendHostError.self) {
                try await build(
                    FrontendProgram(
                        name: "hog",
                        content: .package(directory: path, arguments: ["bin/frontend"]),
                        memoryByteLimit: 128 << 20
                    ),
                    file: "memory-hog\n"
                )
            }
            #expect(error?.code == .outOfMemory)
        }
    }
}
