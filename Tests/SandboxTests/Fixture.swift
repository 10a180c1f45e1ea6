// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import Testing

@testable import Sandbox

/// What all cases share: a launcher, and a layer with nothing but busybox.
struct Fixture: Sendable {
    static let shared = Result { try Fixture() }

    let launcher: Launcher
    let launcherPath: FilePath
    let directory: Directory
    let path: FilePath
    let base: Directory
    /// A copy of the launcher that an ordinary user can run.
    let publicLauncher: FilePath

    private init() throws {
        launcherPath = try Self.builtLauncher()
        path = FilePath("/tmp/kiln-sandbox-tests-\(randomToken(count: 8))")
        directory = try Directory(host: path, createMode: 0o711)
        base = try Self.makeBusyboxLayer(in: directory)
        try directory.createFile("kiln-sandbox", mode: 0o755).copy(
            from: try Descriptor.open(host: launcherPath)
        )
        try directory.setMode(name: "kiln-sandbox", 0o755)
        publicLauncher = path.appending("kiln-sandbox")
        launcher = try Launcher(
            cache: try directory.makeDirectories("cache"),
            executable: launcherPath
        )
        atexit { if case .success(let fixture) = Fixture.shared { fixture.remove() } }
    }

    private func remove() {
        try? Directory(host: path.removingLastComponent()).removeTree(
            name: path.lastComponent?.string ?? ""
        )
    }

    /// `kiln-sandbox` as it lies beside the tests, compiled when its sources are newer.
    private static func builtLauncher() throws -> FilePath {
        if let given = unsafe getenv("KILN_SANDBOX") {
            return FilePath(unsafe String(cString: given))
        }
        let script = FilePath(#filePath)
            .removingLastComponent().removingLastComponent().removingLastComponent().appending(
                "dev/build-sandbox"
            )
        let output = (runningProgram() ?? "").removingLastComponent()
        let process = try ChildProcess(
            .path(script),
            arguments: [script.string, output.string],
            environment: ["PATH=/usr/bin:/bin"],
            descriptors: [nil, nil, nil]
        )
        guard try process.wait() == .exited(0) else { throw FixtureError.launcherNotBuilt }
        return output.appending("kiln-sandbox")
    }

    private static func makeBusyboxLayer(in directory: Directory) throws -> Directory {
        let base = try directory.makeDirectories("base")
        let bin = try base.makeDirectories("bin")
        let busybox = try Descriptor.open(host: "/bin/busybox")
        try bin.createFile("busybox", mode: 0o755).copy(from: busybox)
        for tool in tools { try bin.makeSymbolicLink(tool, to: "busybox") }
        for name in ["etc", "tmp", "root", "proc", "sys", "dev"] {
            try base.makeDirectory(name, mode: 0o755)
        }
        try base.createFile("etc/passwd", mode: 0o644).write("root:x:0:0::/root:/bin/sh\n".utf8)
        return base
    }

    private static let tools = [
        "sh", "cat", "ls", "echo", "true", "false", "id", "env", "pwd", "sleep", "kill", "mknod",
        "mount", "umount", "dd", "head",
        "tail", "grep", "hostname", "touch", "rm", "mkdir", "rmdir", "ln", "stat", "ps", "wc",
        "yes", "tr", "ip", "ifconfig",
        "chmod", "chown", "unshare", "sed", "mv", "readlink", "test", "nc", "df", "dmesg", "cp",
        "find", "seq", "setsid",
        "nproc", "date", "ulimit", "od", "awk", "sort", "mkfifo", "su", "chroot",
    ]
}

enum FixtureError: Error { case launcherNotBuilt }

/// A writable root over the busybox layer, and what a case left in it.
struct Scratch {
    let fixture: Fixture
    let directory: Directory
    let upper: Directory
    let work: Directory
    private let name: String

    init() throws {
        fixture = try Fixture.shared.get()
        name = "case-\(randomToken(count: 8))"
        directory = try fixture.directory.makeDirectories(name)
        upper = try directory.makeDirectories("upper")
        work = try directory.makeDirectories("work")
    }

    func remove() { try? fixture.directory.removeTree(name: name) }

    /// A directory of the case's own with the given files.
    func tree(_ name: String, files: [String: String] = [:]) throws -> Directory {
        let tree = try directory.makeDirectories(name)
        for (path, text) in files {
            let parent = path.split(separator: "/").dropLast().joined(separator: "/")
            _ = try tree.makeDirectories(parent)
            try tree.createFile(path, mode: 0o644).write(text.utf8)
        }
        return tree
    }

    var root: SandboxSpec.Root {
        .overlay(lower: [fixture.base.descriptor], upper: upper.descriptor, work: work.descriptor)
    }

    func step(_ arguments: [String]) -> SandboxSpec {
        var spec = SandboxSpec(profile: .step, root: root, arguments: arguments)
        spec.environment = ["PATH=/bin"]
        return spec
    }

    func shell(_ script: String) -> SandboxSpec { step(["sh", "-c", script]) }

    @discardableResult
    func run(_ spec: SandboxSpec) async throws -> Outcome {
        let output = Mutex<[OutputStream: [UInt8]]>([:])
        let result = try await fixture.launcher.run(spec) { stream, bytes in
            output.withLock { $0[stream, default: []] += bytes }
        }
        let streams = output.withLock { $0 }
        return Outcome(
            result: result,
            output: String(decoding: streams[.standardOutput] ?? [], as: UTF8.self),
            error: String(decoding: streams[.standardError] ?? [], as: UTF8.self)
        )
    }

    /// Runs a script with a change to the spec.
    @discardableResult
    func run(
        _ script: String,
        _ change: (inout SandboxSpec) throws -> Void = { _ in }
    ) async throws -> Outcome {
        var spec = shell(script)
        try change(&spec)
        return try await run(spec)
    }
}

struct Outcome {
    let result: SandboxResult
    let output: String
    let error: String

    /// Output without the last line feed.
    var text: String { output.hasSuffix("\n") ? String(output.dropLast()) : output }
    var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// Lends a scratch root and removes it.
@discardableResult
func withScratch<Value>(_ body: (Scratch) async throws -> Value) async throws -> Value {
    let scratch = try Scratch()
    defer { scratch.remove() }
    return try await body(scratch)
}

/// Numbers of all processes whose command line holds a text.
func processes(with text: String) -> [Int32] {
    let names = (try? Directory(host: "/proc").entries()) ?? []
    return names.compactMap { entry -> Int32? in
        guard let pid = Int32(entry.name), pid != getpid() else { return nil }
        let line =
            (try? Descriptor.open(host: FilePath("/proc/\(pid)/cmdline")).readToEnd(
                byteLimit: 1 << 20
            )) ?? []
        return String(decoding: line, as: UTF8.self).contains(text) ? pid : nil
    }
}

/// The number of a process's parent.
func parent(of pid: Int32) -> Int32? {
    let status = try? Descriptor.open(host: FilePath("/proc/\(pid)/status")).readToEnd(byteLimit: 1 << 16)
    let lines = String(decoding: status ?? [], as: UTF8.self).split(separator: "\n")
    return lines.first { $0.hasPrefix("PPid:") }.flatMap { Int32($0.dropFirst(6)) }
}

/// Waits, at most five seconds, until something holds.
func expectEventually(
    _ condition: () throws -> Bool,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    for _ in 0..<500 {
        if try condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("it did not come to hold", sourceLocation: sourceLocation)
}

let isRoot = geteuid() == 0
