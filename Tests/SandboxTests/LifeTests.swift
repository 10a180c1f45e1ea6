// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxSystem
import Synchronization
import SystemPackage
import Testing

@testable import Sandbox

/// How sandboxes end, and that they always do.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .serialized, .timeLimit(.minutes(1)))
struct LifeTests {
    @Test func `delivers a flood of output without loss`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("seq 1 150000; seq 1 1000 >&2")
            #expect(outcome.output.utf8.count > 1 << 19)
            #expect(outcome.lines.count == 150_000)
            #expect(outcome.lines.last == "150000")
            #expect(outcome.error.split(separator: "\n").count == 1000)
        }
    }

    @Test func `lets the command wait while its output is not taken`() async throws {
        try await withScratch { scratch in
            let count = Mutex(0)
            let result = try await scratch.fixture.launcher.run(
                scratch.shell("head -c 400000 /dev/zero")
            ) { _, bytes in
                usleep(2000)
                count.withLock { $0 += bytes.count }
            }
            #expect(result.isSuccess)
            #expect(count.withLock { $0 } == 400_000)
        }
    }

    @Test func `passes bytes that are no text`() async throws {
        try await withScratch { scratch in
            let bytes = Mutex<[UInt8]>([])
            _ = try await scratch.fixture.launcher.run(scratch.shell("printf '\\377\\000\\033'")) {
                _,
                chunk in
                bytes.withLock { $0 += chunk }
            }
            #expect(bytes.withLock { $0 } == [0xff, 0, 0x1b])
        }
    }

    @Test func `ends what the command left running in the background`() async throws {
        try await withScratch { scratch in
            let mark = "98765.\(Int.random(in: 1000...9999))"
            let outcome = try await scratch.run(
                "setsid sleep \(mark) & trap '' TERM; sleep 0.1; exit 0"
            )
            #expect(outcome.result.isSuccess)
            #expect(processes(with: mark).isEmpty)
        }
    }

    @Test func `kills everything when the task is cancelled`() async throws {
        try await withScratch { scratch in
            let mark = "98766.\(Int.random(in: 1000...9999))"
            let spec = scratch.shell(
                "trap '' TERM INT; (setsid sh -c 'while true; do sleep \(mark); done') & sleep \(mark)"
            )
            let task = Task { try await scratch.run(spec) }
            try await expectEventually { processes(with: "sleep\0\(mark)").count == 2 }
            let start = ContinuousClock.now
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(ContinuousClock.now - start < .seconds(2))
            #expect(processes(with: mark).isEmpty)
        }
    }

    @Test func `does not start when the task is cancelled already`() async throws {
        try await withScratch { scratch in
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return try await scratch.run("echo started > /started")
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let left = try scratch.upper.entries()
            #expect(left.isEmpty)
        }
    }

    @Test func `ends when the engine is gone`() async throws {
        try await withScratch { scratch in
            let mark = "98767.\(Int.random(in: 1000...9999))"
            try scratch.startUnwatched(scratch.shell("sleep \(mark)")) { launcher in
                let runs = try waitUntil { processes(with: "sleep\0\(mark)").count == 1 }
                #expect(runs)
                return launcher
            }
            // The descriptors of the engine's side are closed by now, as its death would close them.
            try await expectEventually { processes(with: mark).isEmpty }
        }
    }

    @Test func `ends when its launcher is killed, and says so`() async throws {
        try await withScratch { scratch in
            let mark = "98768.\(Int.random(in: 1000...9999))"
            let task = Task { try await scratch.run("sleep \(mark)") }
            try await expectEventually { processes(with: "sleep\0\(mark)").count == 1 }
            // Of this sandbox: launchers of other cases run meanwhile.
            let process = try #require(processes(with: "sleep\0\(mark)").first)
            let launcher = try #require(parent(of: process))
            #expect(kill(launcher, SIGKILL) == 0)
            let error = await #expect(throws: SandboxError.self) { try await task.value }
            #expect(error?.code == .launcherLost)
            #expect(error?.message.contains("ended by signal 9") == true)
            try await expectEventually { processes(with: mark).isEmpty }
        }
    }

    @Test func `stops a fork bomb at the process limit`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "for i in $(seq 1 100); do sleep 0.2 & done; wait; echo end"
            ) {
                $0.resourceLimits.processCount = 20
            }
            #expect(outcome.error.contains("fork") || !outcome.result.isSuccess)
        }
    }

    @Test func `reports that memory ran out`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("exec awk 'BEGIN { s = \"x\"; while (1) s = s s }'") {
                $0.resourceLimits.memoryBytes = 32 << 20
            }
            #expect(outcome.result.isOutOfMemory)
            #expect(outcome.result.exitCode == 137)
            #expect(outcome.result.signal == SIGKILL)
            let fine = try await Scratch().run("true") { $0.resourceLimits.memoryBytes = 32 << 20 }
            #expect(!fine.result.isOutOfMemory && fine.result.isSuccess)
        }
    }

    /// Control groups of sandboxes of this process.
    private static func sandboxGroups() throws -> [String] {
        let mounts = ControlGroupMounts.current
        var names: [String] = []
        for hierarchy in [mounts.unified, mounts.memory, mounts.pids, mounts.cpu].compactMap({ $0 }) {
            for entry in try hierarchy.entries() where entry.name.hasPrefix("kiln-\(getpid())-") {
                // A launcher that ended meanwhile took its group along.
                guard let group = try? hierarchy.directory(entry.name) else { continue }
                names += try group.groupNames.filter { $0 != "confined" && $0 != "open" }
            }
        }
        return names
    }

    @Test func `leaves no control group behind`() async throws {
        try await withScratch { scratch in
            try await scratch.run("true") {
                $0.resourceLimits = .init(
                    memoryBytes: 64 << 20,
                    processCount: 50,
                    processorMillis: 500
                )
            }
            // Other sandboxes of this process come and go meanwhile: there must be a moment with none.
            var left = try Self.sandboxGroups()
            for _ in 0..<100 where !left.isEmpty {
                try await Task.sleep(for: .milliseconds(50))
                left = try Self.sandboxGroups()
            }
            #expect(left.isEmpty)
        }
    }

    @Test func `leaks neither descriptors nor mounts over many sandboxes`() async throws {
        try await withScratch { scratch in
            func counts() throws -> (Int, Int) {
                let mounts = try Descriptor.open(host: "/proc/self/mountinfo").readToEnd(
                    byteLimit: 1 << 20
                )
                return (
                    try Directory(host: "/proc/self/fd").entries().count, mounts.count { $0 == 10 }
                )
            }
            let before = try counts()
            for _ in 0..<60 { try await withScratch { try await $0.run("true") } }
            // Other cases run meanwhile and hold a few of their own; a leak would show sixty.
            try await expectEventually {
                let now = try counts()
                return now.0 < before.0 + 20 && now.1 == before.1
            }
        }
    }

    @Test(arguments: [
        (["nope"], 127, "cannot run nope, looked up in PATH=/bin: no such file or directory"),
        (["/nope"], 127, "cannot run /nope: no such file or directory"),
        (["/etc"], 126, "cannot run /etc: permission denied"),
        (["/etc/passwd"], 126, "cannot run /etc/passwd: permission denied"),
        (
            ["/script"], 127,
            "cannot run /script, whose interpreter is missing: no such file or directory"
        ),
        (["/garbage"], 126, "cannot run /garbage: exec format error"),
    ])
    func `says why a command cannot be run`(
        _ arguments: [String],
        _ code: Int32,
        _ message: String
    ) async throws {
        try await withScratch { scratch in
            let top = try scratch.tree("top")
            try top.createFile("script", mode: 0o755).write("#!/no/such/shell\n".utf8)
            try top.createFile("garbage", mode: 0o755).write("garbage".utf8)
            var spec = scratch.step(arguments)
            spec.root = .overlay(
                lower: [top.descriptor, scratch.fixture.base.descriptor],
                upper: scratch.upper.descriptor,
                work: scratch.work.descriptor
            )
            let outcome = try await scratch.run(spec)
            #expect(outcome.result.exitCode == code)
            #expect(outcome.result.executionFailure == message)
        }
    }

    @Test func `refuses what cannot be passed`() async throws {
        try await withScratch { scratch in
            for arguments in [[], [""], ["a\0b"]] {
                let error = await #expect(throws: SandboxError.self) {
                    try await scratch.run(scratch.step(arguments))
                }
                #expect(error?.code == .invalidSpec)
            }
            var spec = scratch.step(["true"])
            spec.environment = ["NOVALUE"]
            await #expect(throws: SandboxError.self) { try await scratch.run(spec) }
            spec.environment = []
            spec.workingDirectory = "relative"
            await #expect(throws: SandboxError.self) { try await scratch.run(spec) }
        }
    }

    @Test func `starts a sandbox in a few milliseconds`() async throws {
        try await withScratch { scratch in
            var times: [Duration] = []
            for _ in 0..<30 {
                try await withScratch { one in
                    let start = ContinuousClock.now
                    try await one.run(one.step(["true"]))
                    times.append(ContinuousClock.now - start)
                }
            }
            print(
                "a step takes",
                times.sorted()[times.count / 2],
                "at the median,",
                times.min() ?? .zero,
                "at best"
            )
            // Generous: other tests and other people use the machine meanwhile.
            #expect(times.min() ?? .seconds(1) < .milliseconds(25))
        }
    }
}

private func waitUntil(_ condition: () throws -> Bool) throws -> Bool {
    for _ in 0..<500 {
        if try condition() { return true }
        usleep(10_000)
    }
    return false
}

extension Directory {
    fileprivate var groupNames: [String] {
        get throws { try entries().filter { $0.kind == .directory }.map(\.name) }
    }
}

extension Scratch {
    /// Starts a launcher without anybody watching it; when `body` returns, the engine's ends of all pipes are closed.
    fileprivate func startUnwatched(
        _ spec: SandboxSpec,
        _ body: (ChildProcess) throws -> ChildProcess
    ) throws {
        let executable = try LauncherExecutable(try LauncherFile(path: fixture.launcherPath))
        let filters = try SystemCallFilters(
            launcher: executable,
            cache: try fixture.directory.makeDirectories("cache")
        )
        var passed = PassedDescriptors()
        let document = try LaunchDocument(
            spec,
            id: "unwatched",
            surroundings: .init(
                filter: filters[.step],
                groups: nil,
                hasDeviceControl: false,
                usesUserAttributes: false,
                hasControlGroupNamespace: false
            ),
            passing: &passed
        ).sealed()
        let status = try Descriptor.pipe()
        let liveness = try Descriptor.pipe()
        let null = try Descriptor.open(host: "/dev/null", flags: O_RDWR)
        let launcher = try ChildProcess(
            .open(executable.file),
            arguments: ["kiln-sandbox"],
            descriptors: [null, null, null, document, status.write, liveness.read] + passed.all
        )
        _ = try body(launcher)
        withExtendedLifetime((status, liveness)) {}
    }
}
