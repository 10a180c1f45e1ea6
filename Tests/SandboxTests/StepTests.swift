// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxSystem
import Testing

@testable import Sandbox

/// What a build step's process is and sees.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .timeLimit(.minutes(1)))
struct StepTests {
    @Test func `runs a command and hands over its output and exit status`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("echo out; echo err >&2; exit 7")
            #expect(outcome.result.exitCode == 7)
            #expect(outcome.result.signal == nil)
            #expect(outcome.output == "out\n")
            #expect(outcome.error == "err\n")
        }
    }

    @Test func `reports the signal that ended the command`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("sh -c 'kill -9 $$'; exit $?")
            #expect(outcome.result.exitCode == 137)
        }
    }

    @Test func `gives the command exactly the environment of the spec`() async throws {
        unsafe setenv("KILN_CANARY", "secret", 1)
        try await withScratch { scratch in
            var spec = scratch.step(["/bin/env"])
            spec.environment = ["A=1", "B=two words", "PATH=/bin"]
            let outcome = try await scratch.run(spec)
            #expect(outcome.lines.sorted() == ["A=1", "B=two words", "PATH=/bin"])
        }
    }

    @Test func `starts in the working directory and makes it for the user`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("pwd; stat -c '%u:%g %a' /work /work/deep") {
                $0.workingDirectory = "/work/deep"
                $0.user = .init(user: 1000, group: 100)
            }
            #expect(outcome.lines == ["/work/deep", "1000:100 755", "1000:100 755"])
            #expect(try scratch.upper.directory("work/deep").status().owner == 1000)
        }
    }

    @Test func `becomes the user and groups of the spec`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "id -u; id -g; id -G; grep CapEff /proc/self/status"
            ) {
                $0.user = .init(user: 1000, group: 100, supplementaryGroups: [27, 4])
            }
            #expect(outcome.lines[0...1] == ["1000", "100"])
            #expect(Set(outcome.lines[2].split(separator: " ")) == ["100", "27", "4"])
            #expect(outcome.lines[3].hasSuffix("0000000000000000"))
        }
    }

    @Test func `has the fourteen capabilities of other engines and no more`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status | tr '\\t' ' '"
            )
            #expect(
                outcome.lines == [
                    "CapInh: 0000000000000000", "CapPrm: 00000000a80425fb",
                    "CapEff: 00000000a80425fb",
                    "CapBnd: 00000000a80425fb", "CapAmb: 0000000000000000", "NoNewPrivs: 0",
                    "Seccomp: 2",
                ]
            )
        }
    }

    @Test func `is process 1 with nobody else around`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("echo $$; ls /proc | grep -c '^[0-9]*$'")
            #expect(outcome.lines.first == "1")
            #expect(Int(outcome.lines.last ?? "") ?? 99 <= 4)
        }
    }

    @Test func `inherits no descriptor beyond the three streams`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "for n in $(seq 0 99); do [ -e /proc/1/fd/$n ] && echo $n; done; readlink /proc/1/fd/0"
            )
            #expect(outcome.lines == ["0", "1", "2", "/dev/null"])
        }
    }

    @Test func `has its own host name and hosts file`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("hostname; cat /etc/hosts; cat /etc/resolv.conf") {
                $0.hostName = "builder"
                $0.extraHosts = [.init(name: "db", address: "10.0.0.9")]
                $0.resolverConfiguration = Array("nameserver 192.0.2.1\n".utf8)
            }
            #expect(
                outcome.lines == [
                    "builder", "127.0.0.1\tlocalhost builder",
                    "::1\tlocalhost ip6-localhost ip6-loopback",
                    "10.0.0.9\tdb", "nameserver 192.0.2.1",
                ]
            )
        }
    }

    @Test func `cannot write the generated files and leaves no trace of them`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "echo x > /etc/hosts; echo x > /etc/resolv.conf; echo done"
            )
            #expect(outcome.text == "done")
            #expect(outcome.error.contains("Read-only"))
            #expect(try scratch.upper.statusIfExists(name: "etc").map { _ in true } != false)
            if let etc = try? scratch.upper.directory("etc") { #expect(try etc.entries().isEmpty) }
        }
    }

    @Test func `writes into the upper layer only`() async throws {
        try await withScratch { scratch in
            try await scratch.run("echo new > /made; rm /etc/passwd")
            #expect(try scratch.upper.open("made").readToEnd(byteLimit: 10) == Array("new\n".utf8))
            #expect(try scratch.upper.directory("etc").status(name: "passwd").isWhiteout)
            #expect(try scratch.fixture.base.directory("etc").statusIfExists(name: "passwd") != nil)
        }
    }

    @Test func `has an umask of 022 and default signal handling`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "umask; grep -E 'SigBlk|SigIgn' /proc/self/status | tr '\\t' ' '"
            )
            #expect(
                outcome.lines == ["0022", "SigBlk: 0000000000000000", "SigIgn: 0000000000000000"]
            )
        }
    }

    @Test func `sees the devices of a container`() async throws {
        try await withScratch { scratch in
            let script = """
                for d in null zero full random urandom tty; do stat -c '%n %t:%T' /dev/$d; done
                echo x > /dev/null && head -c 3 /dev/zero | od -An -tx1
                for l in fd stdin ptmx; do readlink /dev/$l; done; stat -f -c %T /dev/shm /dev/pts
                """
            let outcome = try await scratch.run(script)
            #expect(
                outcome.lines[0..<6].map { $0.split(separator: " ").last } == [
                    "1:3", "1:5", "1:7", "1:8", "1:9", "5:0",
                ]
            )
            #expect(outcome.output.contains("00 00 00"))
            #expect(outcome.output.contains("/proc/self/fd\n/proc/self/fd/0\npts/ptmx"))
        }
    }

    @Test func `runs a step as root from a plain directory where overlayfs is missing`()
        async throws
    {
        try await withScratch { scratch in
            let copy = try scratch.tree("copy")
            try copy.makeDirectory("bin", mode: 0o755)
            try copy.directory("bin").makeHardLink(
                "busybox",
                to: try scratch.fixture.base.directory("bin"),
                "busybox"
            )
            var spec = SandboxSpec(
                profile: .step,
                root: .directory(copy.descriptor),
                arguments: ["/bin/busybox", "sh", "-c", "echo here > /made; busybox ls /"]
            )
            spec.environment = ["PATH=/bin"]
            let outcome = try await scratch.run(spec)
            #expect(outcome.result.isSuccess)
            #expect(try copy.statusIfExists(name: "made") != nil)
        }
    }

    @Test func `sets process limits`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("ulimit -n; ulimit -Hn; ulimit -c") {
                $0.processLimits = [
                    .init(name: "nofile", soft: 123, hard: 456),
                    .init(name: "core", soft: 0, hard: 0),
                ]
            }
            #expect(outcome.lines == ["123", "456", "0"])
        }
    }

    @Test func `refuses a limit it does not know`() async throws {
        try await withScratch { scratch in
            let error = await #expect(throws: SandboxError.self) {
                try await scratch.run("true") {
                    $0.processLimits = [.init(name: "bogus", soft: 1, hard: 1)]
                }
            }
            #expect(
                error?.message == "cannot set the limit bogus, which is not known: invalid argument"
            )
        }
    }

    @Test func `adds up processor time and memory`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
            #expect(outcome.result.userTime > .zero)
            #expect(outcome.result.residentBytesMax > 100_000)
        }
    }

    @Test func `an insecure step has all capabilities, no filter and no masks`() async throws {
        try await withScratch { scratch in
            var spec = scratch.shell(
                "grep -E 'CapEff|Seccomp:' /proc/self/status | tr '\\t' ' '; mount -t tmpfs x /tmp && echo mounted"
            )
            spec.profile = .insecure
            let outcome = try await scratch.run(spec)
            #expect(outcome.lines.contains("Seccomp: 0"))
            #expect(outcome.lines.contains("mounted"))
            #expect(!outcome.output.contains("00000000a80425fb"))
        }
    }
}
