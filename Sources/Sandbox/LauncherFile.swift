// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
internal import OCI
internal import SystemPackage

/// The file `kiln-sandbox` on disk.
struct LauncherFile: Sendable {
    private static let name = "kiln-sandbox"

    /// Where it is, for messages.
    let path: FilePath
    let file: LinuxSystem.Descriptor
    /// 64 hexadecimal digits made of what the file system says of it: a file that was written anew has others.
    let identity: String

    /// - Parameter path: The program; `nil` takes `KILN_SANDBOX`, else the one beside the running program.
    init(path: FilePath?) throws(SandboxError) {
        self.path = path ?? Self.standardPath
        do {
            file = try LinuxSystem.Descriptor.open(host: self.path)
            let status = try file.status()
            let times = [status.modified, status.changed].map { "\($0.seconds).\($0.nanoseconds)" }
            identity = Digest.of("\(status.device) \(status.inode) \(status.size) \(times[0]) \(times[1])").hex
        } catch {
            throw Self.unusable(self.path, error)
        }
    }

    static func unusable(_ path: FilePath, _ error: SystemCallError) -> SandboxError {
        SandboxError(
            .unavailable,
            "cannot use the sandbox launcher \(path): \(error.errno.description.lowercased()); set KILN_SANDBOX to "
                + "the path of \(name)",
            cause: error
        )
    }

    /// `KILN_SANDBOX`, else the file beside the running program.
    static var standardPath: FilePath {
        if let variable = unsafe getenv("KILN_SANDBOX") {
            return FilePath(unsafe String(cString: variable))
        }
        return runningProgram.removingLastComponent().appending(name)
    }

    static var runningProgram: FilePath {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let path = buffer[0..<max(0, count)].map { UInt8(bitPattern: $0) }
        return FilePath(String(decoding: path, as: UTF8.self))
    }
}
