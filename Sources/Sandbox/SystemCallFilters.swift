// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem

/// The compiled system call filters, one a profile.
///
/// Compiling takes libseccomp some 7 ms and loading 0.1 ms, so it is done once and kept on disk: by launcher (which holds
/// the rules and the library) and kernel. What older launchers left there is a few kilobytes each, and stays.
struct SystemCallFilters: Sendable {
    private static let byteLimit = 1 << 20
    private static let profiles: [SandboxSpec.Profile] = [.step, .frontend]

    private let filters: [SandboxSpec.Profile: Descriptor]

    /// Takes the filters from the cache, or compiles them and keeps them there.
    init(launcher: LauncherExecutable, cache: Directory) throws(SandboxError) {
        var filters: [SandboxSpec.Profile: Descriptor] = [:]
        for profile in Self.profiles {
            let name =
                "seccomp-\(profile.rawValue)-\(launcher.identity.prefix(16))-\(Self.kernelRelease).bpf"
            do {
                let bytes =
                    try Self.cached(name, in: cache)
                    ?? Self.compile(profile, launcher: launcher, keepingAs: name, in: cache)
                let file = try Descriptor.memory(name, sealable: true)
                try file.write(bytes)
                try file.seal()
                filters[profile] = file
            } catch let error as SandboxError {
                throw error
            } catch {
                throw SandboxError(
                    .unavailable,
                    "cannot prepare the system call filter \(profile.rawValue): \(error)",
                    cause: error
                )
            }
        }
        self.filters = filters
    }

    /// The filter of a profile; `insecure` has none.
    subscript(profile: SandboxSpec.Profile) -> Descriptor? { filters[profile] }

    private static func cached(
        _ name: String,
        in cache: Directory
    ) throws(SystemCallError) -> [UInt8]? {
        do {
            let bytes = try cache.open(name, scope: .noSymlinks).readToEnd(byteLimit: byteLimit)
            // A power cut can leave an empty file. Every instruction has eight bytes.
            return bytes.isEmpty || !bytes.count.isMultiple(of: 8) ? nil : bytes
        } catch  where error.isNotFound {
            return nil
        }
    }

    private static func compile(
        _ profile: SandboxSpec.Profile,
        launcher: LauncherExecutable,
        keepingAs name: String,
        in cache: Directory
    ) throws -> [UInt8] {
        guard let bytes = try launcher.answer(to: ["--compile-seccomp", profile.rawValue]) else {
            throw SandboxError(
                .unavailable,
                "cannot compile the system call filter \(profile.rawValue): the launcher failed"
            )
        }
        let temporary = ".\(name).\(randomToken(count: 8))"
        try cache.createFile(temporary, mode: 0o600).write(bytes)
        try cache.rename(temporary, to: cache, name, replacing: true)
        return bytes
    }

    private static var kernelRelease: String {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return "unknown" }
        let release = unsafe withUnsafeBytes(of: &names.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return String(release.map { $0.isLetter || $0.isNumber || $0 == "." ? $0 : "_" })
    }
}
