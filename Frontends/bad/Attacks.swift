// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Tries at the sandbox from inside.
///
/// None does harm where the sandbox is missing: each only asks whether it could.
enum Attacks {
    /// Tries everything and answers `build` with what succeeded; an empty list is what a sandbox is for.
    @Sendable static func report(_ id: Int) {
        let succeeded = attempts.filter { $0.attempt() }.map { "\"\($0.name)\"" }
        Wire.succeed(
            id,
            metadata:
                #"{"succeeded":"\#(succeeded.joined(separator: " ").replacing("\"", with: ""))"}"#
        )
    }

    private static let attempts: [(name: String, attempt: @Sendable () -> Bool)] = [
        ("read-passwd", { canOpen("/etc/passwd", O_RDONLY) }),
        ("read-shadow", { canOpen("/etc/shadow", O_RDONLY) }),
        ("read-sys", { canOpen("/sys/kernel", O_RDONLY) }),
        ("see-other-processes", seesOtherProcesses),
        ("read-kernel-facts", { canOpenAny(["/proc/sys/kernel/hostname", "/proc/meminfo"], O_RDONLY) }),
        ("read-kernel-memory", { canOpenAny(["/proc/kcore", "/proc/kallsyms"], O_RDONLY) }),
        ("write-proc", { canOpenAny(["/proc/self/oom_score_adj", "/proc/sysrq-trigger"], O_WRONLY) }),
        ("map-users", { canOpenAny(["/proc/self/uid_map", "/proc/self/setgroups"], O_WRONLY) }),
        ("open-device", { canOpenAny(["/dev/mem", "/dev/kmsg", "/dev/tty", "/dev/sda"], O_RDONLY) }),
        ("climb-out", { canOpen("../../../../../etc/passwd", O_RDONLY) }),
        ("climb-out-by-proc", { canOpenAny(["/proc/self/root/etc/passwd", "/proc/1/cwd/etc/passwd"], O_RDONLY) }),
        ("create-file", { canOpenAny(["/new", "/dev/new", "/frontend/new", "/proc/new"], O_RDWR | O_CREAT) }),
        ("write-own-program", { canOpenAny(["/.kiln-executable", "/proc/self/exe"], O_RDWR) }),
        ("make-directory", { unsafe mkdir("/d", 0o755) == 0 }),
        ("make-link", { unsafe symlink("/etc", "/tmp/link") == 0 }),
        ("run-from-tmp", canRunFromScratch),
        ("fill-tmp", canFillScratch),
        ("open-descriptors", { (3..<64).contains { fcntl($0, F_GETFD) >= 0 } }),
        (
            "inherit-environment",
            { unsafe getenv("KILN_CANARY") != nil || getenv("KILN_SANDBOX") != nil }
        ),
        ("unix-socket", { canMakeSocket(AF_UNIX) }),
        ("inet-socket", { canMakeSocket(AF_INET) }),
        ("inet6-socket", { canMakeSocket(AF_INET6) }),
        ("netlink-socket", { canMakeSocket(AF_NETLINK) }),
        ("packet-socket", { canMakeSocket(17) }),
        ("vsock", { canMakeSocket(40) }),
        ("see-parent", { getppid() > 0 && kill(getppid(), 0) == 0 }),
        ("signal-others", { kill(-1, 0) == 0 || (2..<1000).contains { kill($0, 0) == 0 } }),
        ("be-root-outside", { setuid(1) == 0 || setgid(1) == 0 }),
        ("chroot", { unsafe chroot("/") == 0 }),
        ("run-shell", canRunShell),
        ("ptrace", { call(Number.ptrace, 16, 1) }),
        ("mount", { call(Number.mount, 0, 0, 0, 0) }),
        ("fsopen", { call(Number.fsopen, 0, 0) }),
        ("open-tree", { call(Number.openTree, -100, 0, 1) }),
        ("pivot-root", { call(Number.pivotRoot, 0, 0) }),
        ("join-namespace", { call(Number.setns, -1, 0) }),
        ("read-memory", { call(Number.processReadMemory, 1, 0, 0, 0, 0) }),
        ("memfd", { call(Number.memfdCreate, 0, 0) }),
        ("clone-user-namespace", { canCloneInto(0x1000_0000) }),
        ("clone-mount-namespace", { canCloneInto(0x2_0000) }),
        ("request-key", { call(Number.requestKey, 0, 0, 0, 0) }),
        ("unshare-user", { call(Number.unshare, 0x1000_0000) }),
        ("unshare-net", { call(Number.unshare, 0x4000_0000) }),
        ("bpf", { call(Number.bpf, 0, 0, 0) }),
        ("perf", { call(Number.perfEventOpen, 0, 0, -1, -1, 0) }),
        ("io-uring", { call(Number.ioUringSetup, 1, 0) }),
        ("userfaultfd", { call(Number.userfaultfd, 0) }),
        ("keyctl", { call(Number.keyctl, 0, -3, 0) }),
        ("add-key", { call(Number.addKey, 0, 0, 0, 0, -3) }),
        ("open-by-handle", { call(Number.openByHandleAt, -1, 0, 0) }),
        ("kernel-log", { call(Number.syslog, 10, 0, 0) }),
        ("reboot", { call(Number.reboot, 0, 0, 0, 0) }),
        ("hostname", { call(Number.sethostname, 0, 0) }),
        ("personality", { call(Number.personality, 8) }),
    ]

    private static func canOpen(_ path: String, _ flags: CInt) -> Bool {
        let descriptor = unsafe open(path, flags, 0o600)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    private static func canOpenAny(_ paths: [String], _ flags: CInt) -> Bool {
        paths.contains { canOpen($0, flags) }
    }

    private static func canMakeSocket(_ family: CInt) -> Bool {
        let descriptor = socket(family, CInt(SOCK_DGRAM.rawValue), 0)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    @Sendable private static func canRunShell() -> Bool {
        var pid: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe [strdup("sh"), nil]
        return unsafe posix_spawn(&pid, "/bin/sh", nil, nil, &arguments, nil) == 0
    }

    /// Whether `/proc` names any process but this one.
    @Sendable private static func seesOtherProcesses() -> Bool {
        guard let directory = unsafe opendir("/proc") else { return false }
        defer { unsafe closedir(directory) }
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let pid = Int32(name), pid != getpid() { return true }
        }
        return false
    }

    @Sendable private static func canRunFromScratch() -> Bool {
        let file = unsafe open("/tmp/program", O_WRONLY | O_CREAT, 0o755)
        guard file >= 0 else { return false }
        Wire.write(Array("#!/.kiln-executable\n".utf8), to: file)
        close(file)
        var pid: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe [strdup("program"), nil]
        return unsafe posix_spawn(&pid, "/tmp/program", nil, nil, &arguments, nil) == 0
    }

    /// Whether `/tmp` takes more than its 64 MiB.
    @Sendable private static func canFillScratch() -> Bool {
        signal(SIGXFSZ, SIG_IGN)
        let block = [UInt8](repeating: 1, count: 1 << 20)
        var written = 0
        for name in ["/tmp/a", "/tmp/b"] {
            let file = unsafe open(name, O_WRONLY | O_CREAT, 0o600)
            guard file >= 0 else { continue }
            for _ in 0..<50 {
                written += max(0, unsafe block.withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) })
            }
            close(file)
        }
        for name in ["/tmp/a", "/tmp/b"] { unsafe unlink(name) }
        return written > 70 << 20
    }

    private static func canCloneInto(_ namespace: Int) -> Bool {
        let pid = raw(Number.clone, namespace | Int(SIGCHLD), 0, 0, 0, 0)
        if pid == 0 { _exit(0) }
        return pid > 0
    }

    // MARK: System calls that libc hides

    /// The numbers differ by processor.
    private enum Number {
        #if arch(x86_64)
        static let ptrace = 101, mount = 165, unshare = 272, bpf = 321, perfEventOpen = 298
        static let ioUringSetup = 425, userfaultfd = 323, keyctl = 250, addKey = 248
        static let openByHandleAt = 304, syslog = 103, reboot = 169, sethostname = 170
        static let personality = 135, clone = 56, setns = 308, pivotRoot = 155, fsopen = 430, openTree = 428
        static let processReadMemory = 310, memfdCreate = 319, requestKey = 249
        #else
        static let ptrace = 117, mount = 40, unshare = 97, bpf = 280, perfEventOpen = 241
        static let ioUringSetup = 425, userfaultfd = 282, keyctl = 219, addKey = 217
        static let openByHandleAt = 265, syslog = 116, reboot = 142, sethostname = 161
        static let personality = 92, clone = 220, setns = 268, pivotRoot = 41, fsopen = 430, openTree = 428
        static let processReadMemory = 270, memfdCreate = 279, requestKey = 218
        #endif
    }

    private typealias SystemCall = @convention(c) (Int, Int, Int, Int, Int, Int, Int) -> Int

    private static func raw(_ number: Int, _ a: Int, _ b: Int, _ c: Int, _ d: Int, _ e: Int) -> Int {
        guard let symbol = unsafe dlsym(nil, "syscall") else { return -1 }
        let function = unsafe unsafeBitCast(symbol, to: SystemCall.self)
        return function(number, a, b, c, d, e, 0)
    }

    /// Whether the kernel would do it: any answer but "not permitted" and "no such call" means the filter let it pass.
    private static func call(
        _ number: Int,
        _ a: Int = 0,
        _ b: Int = 0,
        _ c: Int = 0,
        _ d: Int = 0,
        _ e: Int = 0
    ) -> Bool {
        if raw(number, a, b, c, d, e) >= 0 { return true }
        return ![EPERM, EACCES, ENOSYS].contains(errno)
    }

    private static func forkOnce() -> Int { raw(Number.clone, Int(SIGCHLD), 0, 0, 0, 0) }

    // MARK: Gluttony

    /// Starts processes until it may not; they stay.
    @Sendable static func forkBomb(_ id: Int) {
        var count = 0
        while count < 2000 {
            let pid = forkOnce()
            if pid == 0 { while true { pause() } }
            if pid < 0 { break }
            count += 1
        }
        Wire.succeed(id, metadata: #"{"count":"\#(count)"}"#)
    }

    /// Fills memory up to 2 GiB.
    @Sendable static func memoryHog(_ id: Int) {
        Wire.succeed(id, metadata: #"{"kept":"\#(fillMemory())"}"#)
    }

    @discardableResult static func fillMemory() -> Int {
        var kept: [[UInt8]] = []
        for _ in 0..<32 { kept.append([UInt8](repeating: 1, count: 64 << 20)) }
        return kept.count
    }

    /// Leaves processes behind that hold its streams, in a session of their own, and ends.
    @Sendable static func leaveChildren(_ id: Int) {
        for _ in 0..<5 where forkOnce() == 0 {
            setsid()
            signal(SIGTERM, SIG_IGN)
            if forkOnce() >= 0 { while true { pause() } }
        }
        Wire.succeed(id)
        exit(0)
    }
}
