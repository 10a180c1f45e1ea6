// SPDX-License-Identifier: Apache-2.0

import LinuxSystem
import Testing

@testable import Sandbox

#if arch(x86_64)
/// What the compiled filters answer, call by call, without making any.
@Suite(.enabled(if: isRoot, "the fixture needs root"))
struct FilterTests {
    private static let native: UInt32 = 0xc000_003e
    private static let i386: UInt32 = 0x4000_0003
    private static let notPermitted = FilterAnswer.error(1)
    private static let notImplemented = FilterAnswer.error(38)

    private func filter(_ profile: String) throws -> FilterProgram {
        let launcher = try LauncherExecutable(try LauncherFile(path: Fixture.shared.get().launcherPath))
        return FilterProgram(try #require(try launcher.answer(to: ["--compile-seccomp", profile])))
    }

    @Test(arguments: [
        ("read", 0), ("openat", 257), ("execve", 59), ("chroot", 161), ("mknod", 133),
        ("setuid", 105), ("ptrace", 101),
        ("capset", 126), ("mseal, newer than the library", 462),
        ("statmount, newer than the library", 457),
    ])
    func `a step may call`(_ name: String, _ number: UInt32) throws {
        #expect(try filter("step").answer(number) == .allow, "\(name)")
    }

    @Test(arguments: [
        ("mount", 165), ("umount2", 166), ("pivot_root", 155), ("keyctl", 250), ("add_key", 248),
        ("request_key", 249), ("bpf", 321),
        ("unshare", 272), ("setns", 308), ("kexec_load", 246), ("init_module", 175),
        ("reboot", 169), ("swapon", 167), ("settimeofday", 164),
        ("open_by_handle_at", 304), ("perf_event_open", 298), ("userfaultfd", 323),
        ("io_uring_setup", 425), ("open_tree", 428),
        ("move_mount", 429), ("fsopen", 430), ("mount_setattr", 442), ("quotactl", 179),
        ("syslog", 103), ("kcmp", 312),
    ])
    func `a step may not call`(_ name: String, _ number: UInt32) throws {
        #expect(try filter("step").answer(number) == Self.notPermitted, "\(name)")
        #expect(try filter("frontend").answer(number) == Self.notPermitted, "\(name)")
    }

    @Test func `looks at the arguments of some calls`() throws {
        let step = try filter("step")
        let socket: UInt32 = 41
        for family in [1, 2, 10, 16, 17] as [UInt64] {
            #expect(step.answer(socket, family) == .allow)
        }
        for family in [38, 40] as [UInt64] {
            #expect(step.answer(socket, family) == Self.notPermitted)
        }
        let clone: UInt32 = 56
        #expect(step.answer(clone, 0x0120_0011) == .allow)
        for namespace in [0x1000_0000, 0x2_0000, 0x2000_0000, 0x4000_0000] as [UInt64] {
            #expect(step.answer(clone, namespace | 17) == Self.notPermitted)
        }
        let personality: UInt32 = 135
        #expect(step.answer(personality, 0) == .allow)
        #expect(step.answer(personality, 0xffff_ffff) == .allow)
        #expect(step.answer(personality, 0x40000) == Self.notPermitted)
    }

    @Test func `says of unknown calls that they do not exist, so that programs fall back`() throws {
        for profile in ["step", "frontend"] {
            let filter = try filter(profile)
            #expect(filter.answer(435) == Self.notImplemented)
            for number in [467, 500, 0x4000_0000, 0x4000_0029, 0xffff_ffff] as [UInt32] {
                #expect(filter.answer(number) == Self.notImplemented)
            }
        }
    }

    @Test func `holds on the 32-bit side, where a frontend may not go at all`() throws {
        let step = try filter("step")
        #expect(step.answer(3, architecture: Self.i386) == .allow)
        #expect(step.answer(21, architecture: Self.i386) == Self.notPermitted)
        #expect(step.answer(288, architecture: Self.i386) == Self.notPermitted)
        #expect(try filter("frontend").answer(3, architecture: Self.i386) == .kill)
    }

    @Test(arguments: [
        ("socket", 41), ("connect", 42), ("bind", 49), ("sendto", 44), ("chmod", 90), ("chown", 92),
        ("mknod", 133), ("chroot", 161),
        ("ptrace", 101), ("process_vm_readv", 310), ("link", 86), ("setuid", 105), ("shmget", 29),
        ("symlink", 88), ("setxattr", 188),
    ])
    func `a frontend may not call what a step may`(_ name: String, _ number: UInt32) throws {
        #expect(try filter("frontend").answer(number) == Self.notPermitted, "\(name)")
    }

    @Test func `knows only its own profiles`() throws {
        let launcher = try LauncherExecutable(try LauncherFile(path: Fixture.shared.get().launcherPath))
        #expect(try launcher.answer(to: ["--compile-seccomp", "../../etc/passwd"]) == nil)
    }
}

enum FilterAnswer: Equatable {
    case allow
    case error(UInt32)
    case kill
    case unknown(UInt32)
}

/// A filter program, run as the kernel runs it.
struct FilterProgram {
    private struct Instruction {
        var code: UInt16
        var ifTrue: UInt8
        var ifFalse: UInt8
        var value: UInt32
    }

    private let instructions: [Instruction]

    init(_ bytes: [UInt8]) {
        instructions = stride(from: 0, to: bytes.count, by: 8).map { (base: Int) -> Instruction in
            var value: UInt32 = 0
            for index in (4..<8).reversed() { value = value << 8 | UInt32(bytes[base + index]) }
            return Instruction(
                code: UInt16(bytes[base]) | UInt16(bytes[base + 1]) << 8,
                ifTrue: bytes[base + 2],
                ifFalse: bytes[base + 3],
                value: value
            )
        }
    }

    func answer(
        _ number: UInt32,
        _ argument: UInt64 = 0,
        architecture: UInt32 = 0xc000_003e
    ) -> FilterAnswer {
        // struct seccomp_data: number, architecture, instruction pointer, six arguments.
        var data = [UInt32](repeating: 0, count: 16)
        data[0] = number
        data[1] = architecture
        data[4] = UInt32(truncatingIfNeeded: argument)
        data[5] = UInt32(truncatingIfNeeded: argument >> 32)
        var position = 0
        var accumulator: UInt32 = 0
        while position < instructions.count {
            let instruction = instructions[position]
            position += 1
            switch instruction.code {
            case 0x20: accumulator = data[Int(instruction.value) / 4]
            case 0x54: accumulator &= instruction.value
            case 0x05: position += Int(instruction.value)
            case 0x15, 0x25, 0x35, 0x45:
                let holds =
                    switch instruction.code {
                    case 0x15: accumulator == instruction.value
                    case 0x25: accumulator > instruction.value
                    case 0x35: accumulator >= instruction.value
                    default: accumulator & instruction.value != 0
                    }
                position += Int(holds ? instruction.ifTrue : instruction.ifFalse)
            case 0x06: return Self.meaning(of: instruction.value)
            default: return .unknown(UInt32(instruction.code))
            }
        }
        return .unknown(0)
    }

    private static func meaning(of action: UInt32) -> FilterAnswer {
        switch action & 0xffff_0000 {
        case 0x7fff_0000: .allow
        case 0x0005_0000: .error(action & 0xffff)
        case 0x8000_0000, 0: .kill
        default: .unknown(action)
        }
    }
}
#endif
