// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxSystem
import SystemPackage
import Testing

@testable import Sandbox

/// What an ordinary user gets: a user namespace with one user in it, and steps inside that.
@Suite(.enabled(if: isRoot, "becoming an ordinary user needs root"), .timeLimit(.minutes(1)))
struct RootlessTests {
    /// Runs a script of busybox's shell as user 65534, inside `kiln-sandbox --enter-userns`.
    private func run(_ script: String, in scratch: Scratch) async throws -> String {
        let launcher = scratch.fixture.publicLauncher
        let (read, process) = try start(
            [
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", launcher.string,
                "--enter-userns", "--",
                "/bin/busybox", "sh", "-c", script,
            ]
        )
        let text = try read.readToEnd(byteLimit: 1 << 20)
        _ = try process.wait()
        return String(decoding: text, as: UTF8.self)
    }

    private func start(_ arguments: [String]) throws -> (Descriptor, ChildProcess) {
        let (read, write) = try Descriptor.pipe()
        let null = try Descriptor.open(host: "/dev/null")
        let process = try ChildProcess(
            .path("/usr/bin/setpriv"),
            arguments: arguments,
            environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            descriptors: [null, write, write]
        )
        return (read, process)
    }

    @Test func `becomes root of a user namespace of its own`() async throws {
        try await withScratch { scratch in
            let text = try await run(
                "id -u; id -g; head -c 200 /proc/self/uid_map | tr -s ' '",
                in: scratch
            )
            #expect(
                text.split(separator: "\n").map { $0.trimmingPrefix(" ") } == [
                    "0", "0", "0 65534 1",
                ]
            )
        }
    }

    @Test func `keeps its process number, arguments and exit status`() async throws {
        try await withScratch { scratch in
            let launcher = scratch.fixture.publicLauncher
            let (read, process) = try start(
                [
                    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", launcher.string,
                    "--enter-userns", "--", "/bin/busybox",
                    "sh", "-c", "echo $$ $1; exit 9", "sh", "two words",
                ]
            )
            let text = String(decoding: try read.readToEnd(byteLimit: 1000), as: UTF8.self)
            #expect(text == "\(process.pid) two words\n")
            #expect(try process.wait() == .exited(9))
        }
    }

    @Test func `finds overlayfs and says what is missing`() async throws {
        try await withScratch { scratch in
            let launcher = scratch.fixture.publicLauncher
            let text = try await run(
                "mount -t tmpfs x /mnt && cd /mnt && mkdir l u w && \(launcher) --probe 3<l 4<u 5<w",
                in: scratch
            )
            #expect(
                text.contains(
                    "\"nested\":true,\"manyUsers\":false,\"namespaces\":true,\"overlay\":true"
                ),
                "\(text)"
            )
        }
    }

    @Test func `runs a step over an overlay in the user namespace`() async throws {
        try await withScratch { scratch in
            let launcher = scratch.fixture.publicLauncher
            // Descriptors 6 to 9 are index 0 to 3: filter, lower, upper, work.
            let spec = """
                {"version":1,"id":"rootless","profile":"step","root":{"kind":"overlay","lower":[1],"upper":2,"work":3,"readOnly":false},\
                "arguments":["/bin/busybox","sh","-c","busybox id -u; echo x > /made; busybox touch /bin/t; busybox cat /proc/1/comm; \
                echo y > /dev/null && busybox grep NoNewPrivs /proc/self/status; busybox ls /sys | busybox grep -c class"],\
                "environment":[],"workingDirectory":"/new","user":{"uid":0,"gid":0,"groups":[]},"hostname":"h","network":"none",\
                "mounts":[{"kind":"tmpfs","target":"/t","readOnly":false,"execute":true,"privileges":false}],"limits":[],"filter":0,\
                "deviceControl":false,"userxattr":true,"cgroupNamespace":false,"removeStubParents":false}
                """
            let script = """
                mount -t tmpfs x /mnt && cd /mnt && mkdir -p l/bin u w && cp /bin/busybox l/bin/ && \(launcher) --compile-seccomp step > f
                echo '\(spec)' > spec
                mkfifo live; (sleep 5 > live) & \(launcher) 3<spec 4>status 5<live 6<f 7<l 8<u 9<w; cat status; ls u
                """
            let text = try await run(script, in: scratch)
            #expect(text.contains("0\nbusybox\nNoNewPrivs:\t0\n1\n"), "\(text)")
            #expect(text.contains("\"state\":\"exit\",\"code\":0"), "\(text)")
            #expect(text.contains("made\n"), "\(text)")
        }
    }
}
