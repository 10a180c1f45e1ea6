// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxSystem
import SystemPackage
import Testing

struct ProcessTests {
    @Test func `starts a program with exactly the descriptors it is given`() throws {
        let (read, write) = try Descriptor.pipe()
        let null = try Descriptor.open(host: "/dev/null")
        let child = try ChildProcess(
            .path("/bin/busybox"),
            arguments: [
                "sh", "-c",
                "for n in $(busybox seq 0 99); do [ -e /proc/$$/fd/$n ] && echo $n >&1; done; exit 5",
            ],
            environment: ["A=b"],
            descriptors: [null, write, null]
        )
        #expect(try child.wait() == .exited(5))
        let text = String(decoding: try read.readNow(), as: UTF8.self)
        #expect(text == "0\n1\n2\n")
    }

    @Test func `tells the signal that ended a program`() throws {
        let child = try ChildProcess(
            .path("/bin/busybox"),
            arguments: ["sleep", "100"],
            descriptors: [nil, nil, nil]
        )
        child.signal(SIGKILL)
        #expect(try child.wait() == .signalled(SIGKILL))
        child.signal(SIGKILL)
    }

    @Test func `names the program that cannot be started`() throws {
        let error = #expect(throws: SystemCallError.self) {
            try ChildProcess(.path("/no/such/program"), arguments: ["program"], descriptors: [])
        }
        #expect(error?.description == "cannot start program: no such file or directory")
    }

    @Test func `tells a process from a later one of the same number`() {
        let own = ProcessIdentity.current
        #expect(own.isAlive)
        #expect(!ProcessIdentity(pid: own.pid, startTicks: own.startTicks &+ 1).isAlive)
        #expect(!ProcessIdentity(pid: Int32.max, startTicks: 1).isAlive)
    }

    @Test func `polls descriptors and gives up in time`() throws {
        let (read, write) = try Descriptor.pipe()
        let (silent, keep) = try Descriptor.pipe()
        #expect(try pollReadable([read, silent], timeout: .milliseconds(1)) == [false, false])
        try write.write([1])
        #expect(try pollReadable([read, silent], timeout: .seconds(1)) == [true, false])
        withExtendedLifetime(keep) {}
    }

    @Test func `runs blocking work beside the pool`() async throws {
        let values = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<20 {
                group.addTask {
                    try await blocking {
                        usleep(50_000)
                        return index
                    }
                }
            }
            var sum = 0
            for try await value in group { sum += value }
            return sum
        }
        #expect(values == 190)
    }
}

extension Descriptor {
    /// What can be read at once, of a pipe whose writer may still be open here.
    fileprivate func readNow() throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe read(into: $0) }
        return Array(buffer[0..<count])
    }
}
