// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxSystem
import struct OCI.Digest
import SystemPackage
import Testing

@testable import Sandbox

/// What a step cannot reach, whatever the image it runs on looks like.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .timeLimit(.minutes(1)))
struct IsolationTests {
    @Test func `shows no path of the host`() async throws {
        try await withScratch { scratch in
            let canary = scratch.fixture.path
            let outcome = try await scratch.run(
                "ls -d \(canary) /work /home; ls /; cat /proc/self/mountinfo; ls -d /.."
            )
            #expect(!outcome.output.contains(canary.string))
            #expect(!outcome.output.contains("/home"))
            // The host's root, if it were still mounted anywhere.
            #expect(outcome.lines.filter { $0.contains(" / / ") }.count == 1)
            #expect(outcome.error.contains("No such file"))
        }
    }

    @Test func `masks what tells about the machine`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                """
                for f in kcore keys timer_list sched_debug; do [ -e /proc/$f ] && head -c 1 /proc/$f; done
                ls /proc/acpi /sys/firmware /proc/scsi 2>/dev/null | grep -v : ; echo end
                """
            )
            #expect(outcome.text.replacing("\n", with: "") == "end")
        }
    }

    @Test(arguments: [
        "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity",
        "/sys/kernel/uevent_helper",
    ])
    func `lets nobody open the kernel's switches for writing`(_ path: String) async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "[ -e \(path) ] || exit 0; exec 9>>\(path) && echo opened"
            )
            #expect(outcome.output.isEmpty)
        }
    }

    @Test func `has no network but its own loopback device`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "grep -c : /proc/net/dev; ip addr show lo | grep -c 'LOOPBACK,UP'; ip route | wc -l"
            )
            #expect(outcome.lines == ["1", "1", "0"])
        }
    }

    @Test func `shares the host's network where the spec says so`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("readlink /proc/self/ns/net") { $0.network = .host }
            #expect(outcome.text == (try Directory(host: "/proc/self/ns").readLink(name: "net")))
            let other = try await Scratch().run("readlink /proc/self/ns/net")
            #expect(other.text != outcome.text)
        }
    }

    @Test func `cannot open a device node it makes`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                """
                for dir in / /tmp /dev /dev/shm /cache; do
                  mknod $dir/disk b 7 0; mknod $dir/kmsg c 1 11; mknod $dir/mem c 1 1
                  for n in disk kmsg mem; do head -c 1 $dir/$n 2>/dev/null && echo "opened $dir/$n"; done
                done; echo end
                """
            ) { $0.mounts = [.init(.tmpfs(byteLimit: nil), at: "/cache")] }
            #expect(outcome.text == "end")
        }
    }

    @Test func `can make harmless device nodes as other engines let it`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "mknod /tmp/null c 1 3 && echo x > /tmp/null && echo works"
            )
            #expect(outcome.text == "works")
        }
    }

    @Test(arguments: [
        ("mount", "mount -t tmpfs x /tmp"), ("unmount", "umount /etc/hosts"),
        ("user namespace", "unshare -U true"),
        ("mount namespace", "unshare -m true"), ("kernel log", "dmesg"),
        ("clock", "date -s 2020-01-01"),
        ("host name", "hostname other"),
    ])
    func `refuses privileged operations`(_ name: String, _ command: String) async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("\(command) >/dev/null")
            #expect(
                outcome.error.contains("not permitted") || outcome.error.contains("denied"),
                "\(name)"
            )
        }
    }

    @Test func `cannot overwrite the launcher it came from`() async throws {
        let before = try Fixture.shared.get().launcherDigest()
        try await withScratch { scratch in
            // The classic attack: run oneself, keep hold of the file, and open it for writing when it is no longer run.
            var spec = scratch.step(["/proc/self/exe"])
            spec.workingDirectory = "/"
            let outcome = try await scratch.run(spec)
            #expect(outcome.result.exitCode != 0)
            let write = try await Scratch().run(
                "for p in 0 1; do (echo x > /proc/$p/exe) 2>/dev/null && echo written; done; echo end"
            )
            #expect(write.text == "end")
        }
        #expect(try Fixture.shared.get().launcherDigest() == before)
    }

    @Test func `the launcher runs from a file that cannot be changed`() async throws {
        let launcher = try LauncherExecutable(try LauncherFile(path: Fixture.shared.get().launcherPath))
        let path = FilePath("/proc/self/fd/\(launcher.file.number)")
        #expect(throws: SystemCallError.self) { try Descriptor.open(host: path, flags: O_WRONLY) }
        #expect(throws: SystemCallError.self) { try launcher.file.write([0]) }
    }

    @Test(arguments: [
        ["proc": "/etc"], ["sys": "/"], ["dev": "/etc"], ["dev": "/proc/self/fd"],
        ["proc": "sys", "sys": "proc"],
        ["dev": "../../../../tmp"],
    ])
    func `refuses a root whose own directories are symlinks`(_ links: [String: String]) async throws {
        try await withScratch { scratch in
            let before = try HostCanary.current
            let root = try scratch.hostileRoot(links: links)
            let error = await #expect(throws: SandboxError.self) {
                try await scratch.run("true") { $0.root = .directory(root.descriptor) }
            }
            #expect(error?.code == .setupFailed)
            #expect(
                error?.message.contains("symbolic links") == true
                    || error?.message.contains("not a directory") == true
            )
            #expect(try HostCanary.current.names == before.names)
            #expect(try HostCanary.current.files == before.files)
        }
    }

    // What a step tries here must be harmless should it ever succeed: these tests run on somebody's machine.
    @Test(arguments: ["/etc", "../../../../etc", "/proc/1/root/etc", "/proc/self/fd/3"])
    func `keeps generated files of a root with a symlinked etc inside`(
        _ target: String
    ) async throws {
        try await withScratch { scratch in
            let name = "kiln-canary-\(randomToken(count: 8))"
            let root = try scratch.hostileRoot(links: ["etc": target])
            _ = try? await scratch.run("echo x > /etc/\(name); echo x > /../etc/\(name)") {
                $0.root = .directory(root.descriptor)
            }
            #expect(try Directory(host: "/etc").statusIfExists(name: name) == nil)
        }
    }

    @Test(arguments: [SandboxSpec.Profile.step, .insecure])
    func `leaves nothing of the host above the root`(_ profile: SandboxSpec.Profile) async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "cd /..; pwd; ls -di /.. /; ls -a /../..; grep -c ' / / ' /proc/self/mountinfo"
            ) {
                $0.profile = profile
            }
            let inodes = outcome.lines[1...2].map { $0.split(separator: " ").first }
            #expect(inodes[0] == inodes[1])
            #expect(!outcome.lines.contains("work") && !outcome.lines.contains("home"))
            #expect(outcome.lines.last == "1")
        }
    }

    @Test func `removes nothing outside when a step swaps its mount point for a symlink`()
        async throws
    {
        try await withScratch { scratch in
            let victim = try scratch.tree("victim")
            _ = try victim.makeDirectories("stub")
            let parent = try scratch.tree("parent")
            // The mount is on /data/stub; the step moves the directory above it away and puts a symlink in its place.
            let outcome = try await scratch.run(
                "mv /data/dir /data/moved; ln -s /victim /data/dir; ls /data"
            ) {
                $0.mounts = [
                    .init(.bind(parent.descriptor), at: "/data"),
                    .init(.bind(victim.descriptor), at: "/victim"),
                    .init(.tmpfs(byteLimit: nil), at: "/data/dir/stub"),
                ]
            }
            #expect(outcome.output.contains("dir"))
            #expect(try victim.statusIfExists(name: "stub") != nil)
        }
    }

    @Test(arguments: ["/proc/self/fd/3", "/proc/1/root", "/proc/self/cwd", "/bin/busybox"])
    func `refuses a working directory that is none of its own`(_ path: String) async throws {
        try await withScratch { scratch in
            await #expect(throws: SandboxError.self) {
                try await scratch.run("pwd") { $0.workingDirectory = path }
            }
        }
    }

    @Test func `two steps see neither each other's processes nor memory`() async throws {
        try await withScratch { scratch in
            async let first = scratch.run("echo secret > /dev/shm/x; exec sleep 0.3")
            try await Task.sleep(for: .milliseconds(100))
            let second = try await Scratch().run("ps | grep -c '[s]leep'; ls /dev/shm")
            #expect(second.text == "0")
            #expect(try await first.result.isSuccess)
        }
    }
}

extension Fixture {
    func launcherDigest() throws -> Digest {
        .of(try Descriptor.open(host: launcherPath).readToEnd(byteLimit: 64 << 20))
    }
}

extension Scratch {
    /// A plain directory with busybox and symlinks where directories belong.
    func hostileRoot(links: [String: String]) throws -> Directory {
        let root = try tree("hostile")
        let bin = try root.makeDirectories("bin")
        try bin.makeHardLink("busybox", to: try fixture.base.directory("bin"), "busybox")
        for tool in ["sh", "cat", "rm", "true"] { try bin.makeSymbolicLink(tool, to: "busybox") }
        for (name, target) in links { try root.makeSymbolicLink(name, to: target) }
        return root
    }
}

/// What no test may change on this machine.
struct HostCanary: Equatable {
    var files: [FileStatus]
    var names: [[String]]

    static var current: HostCanary {
        get throws {
            let etc = try Directory(host: "/etc")
            return HostCanary(
                files: try ["hosts", "resolv.conf", "passwd"].compactMap {
                    try etc.statusIfExists(name: $0)
                },
                names: try ["/", "/etc", "/dev"].map { path in
                    try Directory(host: FilePath(path)).entries().map(\.name).sorted()
                }
            )
        }
    }
}
