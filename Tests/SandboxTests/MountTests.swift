// SPDX-License-Identifier: Apache-2.0

import LinuxSystem
import SystemPackage
import Testing

@testable import Sandbox

/// What a spec can show inside, and what of it stays.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .timeLimit(.minutes(1)))
struct MountTests {
    @Test func `shows a bind mount and writes through it`() async throws {
        try await withScratch { scratch in
            let tree = try scratch.tree("data", files: ["in/file": "hello"])
            let outcome = try await scratch.run("cat /data/in/file; echo new > /data/out") {
                $0.mounts = [.init(.bind(tree.descriptor), at: "/data")]
            }
            #expect(outcome.text == "hello")
            #expect(try tree.statusIfExists(name: "out") != nil)
            #expect(try scratch.upper.statusIfExists(name: "data") == nil)
        }
    }

    @Test func `keeps a read-only bind mount read-only`() async throws {
        try await withScratch { scratch in
            let tree = try scratch.tree("data", files: ["file": "hello"])
            let outcome = try await scratch.run(
                "cat /data/file; echo x > /data/file; echo x > /data/new; chmod 777 /data; echo end"
            ) { $0.mounts = [.init(.bind(tree.descriptor), at: "/data", isReadOnly: true)] }
            #expect(outcome.text == "helloend")
            #expect(outcome.error.split(separator: "\n").count == 3)
            #expect(try tree.entries().count == 1)
        }
    }

    @Test func `shows one file of a tree`() async throws {
        try await withScratch { scratch in
            let tree = try scratch.tree("data", files: ["a/file": "hello"])
            let outcome = try await scratch.run("cat /etc/motd") {
                $0.mounts = [
                    .init(
                        .bind(tree.descriptor, subpath: "/a/file"),
                        at: "/etc/motd",
                        isReadOnly: true
                    )
                ]
            }
            #expect(outcome.text == "hello")
        }
    }

    @Test func `resolves symlinks of a subpath inside the source`() async throws {
        try await withScratch { scratch in
            let tree = try scratch.tree("data", files: ["etc/passwd": "inside"])
            try tree.makeSymbolicLink("link", to: "/etc/passwd")
            try tree.makeSymbolicLink("up", to: "../../../../etc/passwd")
            for name in ["link", "up", "../../etc/passwd"] {
                var spec = try Scratch().shell("cat /file")
                spec.mounts = [
                    .init(.bind(tree.descriptor, subpath: name), at: "/file", isReadOnly: true)
                ]
                let outcome = try await scratch.run(spec)
                #expect(outcome.text == "inside")
            }
        }
    }

    @Test func `names the source that has no such subpath`() async throws {
        try await withScratch { scratch in
            let tree = try scratch.tree("data")
            let error = await #expect(throws: SandboxError.self) {
                try await scratch.run("true") {
                    $0.mounts = [.init(.bind(tree.descriptor, subpath: "nope"), at: "/x")]
                }
            }
            #expect(
                error?.message == "cannot open nope of the source of /x: no such file or directory"
            )
            #expect(error?.code == .setupFailed)
        }
    }

    @Test func `joins layers at a mount and captures what is written there`() async throws {
        try await withScratch { scratch in
            let low = try scratch.tree("low", files: ["a": "low", "both": "low"])
            let top = try scratch.tree("top", files: ["both": "top"])
            let upper = try scratch.tree("mount-upper")
            let work = try scratch.tree("mount-work")
            let outcome = try await scratch.run("cat /mnt/a /mnt/both; echo x > /mnt/new") {
                $0.mounts = [
                    .init(
                        .overlay(
                            lower: [top.descriptor, low.descriptor],
                            upper: upper.descriptor,
                            work: work.descriptor
                        ),
                        at: "/mnt"
                    )
                ]
            }
            #expect(outcome.text == "lowtop")
            #expect(try upper.statusIfExists(name: "new") != nil)
            #expect(try low.entries().count == 2)
        }
    }

    @Test func `shows part of joined layers without a writable one`() async throws {
        try await withScratch { scratch in
            let low = try scratch.tree("low", files: ["dir/a": "low", "dir/b": "low"])
            let top = try scratch.tree("top", files: ["dir/b": "top"])
            let outcome = try await scratch.run("cat /mnt/a /mnt/b; touch /mnt/c || echo refused") {
                let layers = [top.descriptor, low.descriptor]
                $0.mounts = [
                    .init(
                        .overlay(lower: layers, upper: nil, work: nil, subpath: "dir"),
                        at: "/mnt",
                        isReadOnly: true
                    )
                ]
            }
            #expect(outcome.text == "lowtoprefused")
        }
    }

    @Test func `limits a tmpfs and forgets it`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "head -c 500000 /dev/zero > /cache/a && echo ok; head -c 2000000 /dev/zero > /cache/b || echo full; stat -c %a /cache"
            ) {
                $0.mounts = [.init(.tmpfs(byteLimit: 1 << 20), at: "/cache")]
            }
            #expect(outcome.lines == ["ok", "full", "1777"])
            #expect(try scratch.upper.statusIfExists(name: "cache") == nil)
        }
    }

    @Test func `shows a secret with its owner and mode and nowhere else`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "cat /run/secrets/key; stat -c '%a %u:%g' /run/secrets/key; echo x > /run/secrets/key || echo refused"
            ) {
                $0.mounts = [
                    .init(
                        .file(Array("s3cret".utf8), mode: 0o400, user: 5, group: 6),
                        at: "/run/secrets/key",
                        isReadOnly: true
                    )
                ]
            }
            #expect(outcome.text == "s3cret400 5:6\nrefused")
            #expect(try scratch.upper.statusIfExists(name: "run")?.isDirectory == true)
            #expect(try scratch.upper.directory("run/secrets").entries().isEmpty)
        }
    }

    @Test func `removes parents of mount points where asked`() async throws {
        try await withScratch { scratch in
            try await scratch.run("true") {
                $0.mounts = [.init(.tmpfs(byteLimit: nil), at: "/a/b/c")]
                $0.removesStubParents = true
            }
            #expect(try scratch.upper.statusIfExists(name: "a") == nil)
        }
    }

    @Test func `leaves the kernel's own directories in a tree that lacks them`() async throws {
        try await withScratch { scratch in
            let root = try scratch.hostileRoot(links: [:])
            func made(mount: String? = nil) async throws -> [String] {
                try await scratch.run("true") {
                    $0.root = .directory(root.descriptor)
                    $0.mounts = mount.map { [.init(.tmpfs(byteLimit: nil), at: $0)] } ?? []
                    $0.removesStubParents = true
                }
                return try ["dev", "proc", "sys"].filter { try root.statusIfExists(name: $0) != nil }
            }
            #expect(try await made(mount: "/dev/pipes") == ["proc", "sys"])
            #expect(try await made() == ["dev", "proc", "sys"])
            #expect(try await made(mount: "/dev/pipes") == ["dev", "proc", "sys"])
        }
    }

    @Test func `keeps a mount point that a step filled or that always was`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("umount /x 2>/dev/null; true") {
                $0.mounts = [
                    .init(.tmpfs(byteLimit: nil), at: "/root"),
                    .init(.tmpfs(byteLimit: nil), at: "/x"),
                ]
            }
            #expect(outcome.result.isSuccess)
            #expect(try scratch.upper.statusIfExists(name: "x") == nil)
            #expect(try scratch.fixture.base.statusIfExists(name: "root") != nil)
            #expect(try scratch.upper.statusIfExists(name: "root")?.isWhiteout != true)
        }
    }

    @Test func `gives the parent of a mount point its times back`() async throws {
        try await withScratch { scratch in
            let before = try scratch.fixture.base.status(name: "etc").modified
            try await scratch.run("true")
            let etc = try scratch.upper.statusIfExists(name: "etc")
            #expect(etc == nil || etc?.modified == before)
        }
    }

    @Test func `mounts in order and later over earlier`() async throws {
        try await withScratch { scratch in
            let one = try scratch.tree("one", files: ["name": "one"])
            let two = try scratch.tree("two", files: ["name": "two"])
            let outcome = try await scratch.run("cat /m/name; cat /m/sub/name; ls /m") {
                $0.mounts = [
                    .init(.bind(two.descriptor), at: "/m"),
                    .init(.bind(one.descriptor), at: "/m"),
                    .init(.bind(two.descriptor), at: "/m/sub"),
                ]
            }
            #expect(outcome.text == "onetwoname\nsub")
            #expect(try one.statusIfExists(name: "sub") == nil)
        }
    }

    @Test func `follows legitimate symlinks to mount points, dangling ones too`() async throws {
        try await withScratch { scratch in
            let top = try scratch.tree("top")
            _ = try top.makeDirectories("var")
            _ = try top.makeDirectories("etc")
            try top.makeSymbolicLink("var/run", to: "/run")
            try top.makeSymbolicLink("etc/resolv.conf", to: "../run/resolver/stub.conf")
            let outcome = try await scratch.run(
                "cat /etc/resolv.conf; cat /run/x/file; ls -A /run/resolver"
            ) {
                $0.root = .overlay(
                    lower: [top.descriptor, scratch.fixture.base.descriptor],
                    upper: scratch.upper.descriptor,
                    work: scratch.work.descriptor
                )
                $0.resolverConfiguration = Array("nameserver 192.0.2.7\n".utf8)
                $0.mounts = [.init(.file(Array("x".utf8), mode: 0o444), at: "/var/run/x/file")]
            }
            #expect(outcome.text == "nameserver 192.0.2.7\nxstub.conf", "\(outcome.error)")
            #expect(try scratch.upper.statusIfExists(name: "etc")?.isSymbolicLink != true)
            #expect(try scratch.upper.directory("run/resolver").entries().isEmpty)
        }
    }

    @Test(arguments: ["/", "/proc", "/proc/x", "/sys/fs", "/dev", "/./proc", "/a/../proc"])
    func `refuses to cover what belongs to the sandbox`(_ target: String) async throws {
        try await withScratch { scratch in
            let error = await #expect(throws: SandboxError.self) {
                try await scratch.run("true") {
                    $0.mounts = [.init(.tmpfs(byteLimit: nil), at: target)]
                }
            }
            #expect(error?.code == .invalidSpec)
            #expect(error?.fault == .input)
        }
    }

    @Test func `refuses a mount that a symlink leads into proc`() async throws {
        try await withScratch { scratch in
            let top = try scratch.tree("top")
            try top.makeSymbolicLink("trap", to: "/proc/sys")
            let error = await #expect(throws: SandboxError.self) {
                try await scratch.run("true") {
                    $0.root = .overlay(
                        lower: [top.descriptor, scratch.fixture.base.descriptor],
                        upper: scratch.upper.descriptor,
                        work: scratch.work.descriptor
                    )
                    $0.mounts = [.init(.tmpfs(byteLimit: nil), at: "/trap")]
                }
            }
            #expect(
                error?.message
                    == "cannot mount at /trap, which belongs to the sandbox: operation not permitted"
            )
        }
    }

    @Test func `makes a read-only root that mounts can still be shown in`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run(
                "touch /x || echo refused; touch /scratch/x && echo written"
            ) {
                $0.rootIsReadOnly = true
                $0.mounts = [.init(.tmpfs(byteLimit: nil), at: "/scratch")]
            }
            #expect(outcome.lines == ["refused", "written"])
        }
    }

    @Test func `runs on two hundred layers`() async throws {
        try await withScratch { scratch in
            var layers: [Descriptor] = []
            for index in 0..<200 {
                layers.append(
                    try scratch.tree("layer\(index)", files: ["l\(index)": "\(index)"]).descriptor
                )
            }
            layers.append(scratch.fixture.base.descriptor)
            let outcome = try await scratch.run("ls / | grep -c '^l[0-9]'") {
                $0.root = .overlay(
                    lower: layers,
                    upper: scratch.upper.descriptor,
                    work: scratch.work.descriptor
                )
            }
            #expect(outcome.text == "200")
        }
    }

    @Test func `survives a mount point of two thousand missing directories`() async throws {
        try await withScratch { scratch in
            let outcome = try await scratch.run("echo alive") {
                $0.mounts = [
                    .init(.tmpfs(byteLimit: nil), at: String(repeating: "/d", count: 2000))
                ]
                $0.removesStubParents = true
            }
            #expect(outcome.text == "alive")
            #expect(try scratch.upper.statusIfExists(name: "d") == nil)
        }
    }
}
