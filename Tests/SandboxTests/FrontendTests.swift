// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxSystem
import SystemPackage
import Testing

@testable import Sandbox

/// What a frontend's process is, and how little it can do.
///
/// Busybox stands in for one: it is a static program with many talents to try.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .timeLimit(.minutes(1)))
struct FrontendTests {
    private func run(
        _ script: String,
        _ change: (inout SandboxSpec) -> Void = { _ in }
    ) async throws -> Outcome {
        try await withScratch { scratch in
            let busybox = try scratch.fixture.base.open("bin/busybox")
            var spec = SandboxSpec.frontend(executable: busybox, arguments: ["sh", "-c", script])
            change(&spec)
            return try await scratch.run(spec)
        }
    }

    @Test func `speaks over its three streams`() async throws {
        try await withScratch { scratch in
            let busybox = try scratch.fixture.base.open("bin/busybox")
            let spec = SandboxSpec.frontend(executable: busybox, arguments: ["cat"])
            let answer = try await scratch.fixture.launcher.withProcess(spec) { process in
                try process.standardInput?.write("hello".utf8)
                process.closeStandardInput()
                let answer = try process.standardOutput.readToEnd(byteLimit: 100)
                #expect(try await process.wait().isSuccess)
                return answer
            }
            #expect(answer == Array("hello".utf8))
        }
    }

    @Test func `sees an empty read-only file system, a scratch directory and its own processes`() async throws {
        let outcome = try await run(
            """
            for f in /* /.* /dev/*; do echo $f; done; echo x > /x; echo x > /dev/x; echo x > /tmp/x && cat /tmp/x; echo $$
            for p in /proc/*; do echo $p; done; echo x > /proc/self/comm; echo gone > /dev/null
            """
        )
        #expect(
            Set(outcome.lines).subtracting(["/.", "/.."]) == [
                "/.kiln-executable", "/dev", "/proc", "/tmp", "/dev/fd", "/dev/full", "/dev/null", "/dev/random",
                "/dev/stderr", "/dev/stdin", "/dev/stdout", "/dev/urandom", "/dev/zero", "x", "1", "/proc/1",
                "/proc/self", "/proc/thread-self",
            ]
        )
        #expect(outcome.error.split(separator: "\n").count(where: { $0.contains("Read-only file system") }) == 3)
    }

    @Test func `cannot run what it writes`() async throws {
        let outcome = try await run("echo echo ran > /tmp/x; chmod 755 /tmp/x; /tmp/x; echo end")
        #expect(outcome.lines == ["end"])
        #expect(outcome.error.contains("denied"))
    }

    @Test func `inherits no environment and no descriptor`() async throws {
        unsafe setenv("KILN_CANARY", "secret", 1)
        let outcome = try await run(
            "export -p | grep -c CANARY; for n in 3 4 5 6 7 8 9 10; do (: <&$n) 2>/dev/null && echo open; done"
        )
        #expect(!outcome.output.contains("open"))
        #expect(!outcome.output.contains("secret"))
    }

    @Test(arguments: [
        "mount -t tmpfs x /", "umount /", "unshare -U true", "unshare -r true", "unshare -n true",
        "mknod /n c 1 3", "chroot / true",
        "hostname x", "chmod 777 /", "chown 1 /", "mkdir /d", "ln -s a /tmp/b", "dmesg", "nc -l -p 1",
        "nc 127.0.0.1 1", "ifconfig lo up",
        "date -s 2020-01-01", "su",
    ])
    func `is refused every privileged or outward operation`(_ command: String) async throws {
        // By the name it is called by, busybox knows which of its tools it is.
        let outcome = try await run("") {
            $0.arguments = command.split(separator: " ").map(String.init)
        }
        let words = [
            "ermitted", "denied", "Read-only", "must be", "unknown user", "not implemented",
            "bad address", "can't",
        ]
        #expect(
            words.contains { outcome.error.contains($0) },
            "\(outcome.error) \(outcome.output) \(outcome.result)"
        )
        #expect(!outcome.error.contains("applet not found"))
    }

    @Test func `is nobody on the machine and nobody's root inside`() async throws {
        try await withScratch { scratch in
            let busybox = try scratch.fixture.base.open("bin/busybox")
            let mark = "98769.\(Int.random(in: 1000...9999))"
            let spec = SandboxSpec.frontend(executable: busybox, arguments: ["sleep", mark])
            try await scratch.fixture.launcher.withProcess(spec) { _ in
                try await expectEventually { processes(with: "sleep\0\(mark)").count == 1 }
                let pid = try #require(processes(with: "sleep\0\(mark)").first)
                let status = String(
                    decoding: try Descriptor.open(host: FilePath("/proc/\(pid)/status")).readToEnd(
                        byteLimit: 10000
                    ),
                    as: UTF8.self
                ).replacing("\t", with: " ")
                for line in [
                    "Uid: 2000000000 2000000000 2000000000 2000000000", "CapEff: 0000000000000000",
                    "CapBnd: 0000000000000000",
                    "NoNewPrivs: 1", "Seccomp: 2",
                ] { #expect(status.contains(line)) }
                for name in ["user", "mnt", "pid", "ipc", "uts", "net", "cgroup"] {
                    let own = try Directory(host: "/proc/self/ns").readLink(name: name)
                    #expect(
                        try Directory(host: FilePath("/proc/\(pid)/ns")).readLink(name: name)
                            != own,
                        "\(name)"
                    )
                }
                #expect(try Directory(host: FilePath("/proc/\(pid)/fd")).entries().count == 3)
            }
            #expect(processes(with: mark).isEmpty)
        }
    }

    @Test func `has limits on files, memory and processes`() async throws {
        let script = "ulimit -n; ulimit -c; n=0; f() { n=$((n+1)); [ $n -gt 30 ] || (f); }; f"
        let outcome = try await run(script) { $0.resourceLimits.processCount = 10 }
        #expect(outcome.lines.prefix(2) == ["256", "0"])
        #expect(outcome.error.contains("fork") || outcome.result.exitCode != 0)
    }

    @Test func `is killed when the caller is done with it`() async throws {
        try await withScratch { scratch in
            let mark = "98770.\(Int.random(in: 1000...9999))"
            let busybox = try scratch.fixture.base.open("bin/busybox")
            let spec = SandboxSpec.frontend(executable: busybox, arguments: ["sleep", mark])
            struct Abandoned: Error {}
            await #expect(throws: Abandoned.self) {
                try await scratch.fixture.launcher.withProcess(spec) { _ in
                    try await expectEventually { processes(with: "sleep\0\(mark)").count == 1 }
                    throw Abandoned()
                }
            }
            #expect(processes(with: mark).isEmpty)
        }
    }

    @Test func `runs from a sealed memory file`() async throws {
        try await withScratch { scratch in
            let file = try Descriptor.memory("frontend", sealable: true)
            try file.copy(from: try scratch.fixture.base.open("bin/busybox"))
            try file.seal()
            let spec = SandboxSpec.frontend(executable: file, arguments: ["echo", "from memory"])
            let outcome = try await scratch.run(spec)
            #expect(outcome.text == "from memory")
        }
    }

    @Test func `runs a dynamic program with exactly the libraries it needs`() async throws {
        try await withScratch { scratch in
            let program = FilePath("/usr/bin/sort")
            let file = try Descriptor.open(host: program)
            let libraries = try SharedLibraries(of: file, at: program)
            let spec = SandboxSpec.frontend(
                executable: file,
                arguments: ["sort", "--version"],
                libraries: libraries.mounts
            )
            let outcome = try await scratch.run(spec)
            #expect(outcome.output.contains("GNU coreutils"), "\(outcome.error) \(outcome.result)")
            #expect(libraries.mounts.count < 12)
        }
    }

    @Test func `says which library a program lacks`() throws {
        func libraries(of program: FilePath) throws -> SharedLibraries {
            try SharedLibraries(of: try Descriptor.open(host: program), at: program)
        }
        #expect(throws: SandboxError.self) { try libraries(of: "/etc/passwd") }
        #expect(try libraries(of: "/bin/busybox").mounts.isEmpty)
    }
}
