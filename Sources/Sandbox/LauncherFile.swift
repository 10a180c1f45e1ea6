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
            identity = Digest.of(try file.status().contentIdentity).hex
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
        return (runningProgram() ?? "").removingLastComponent().appending(name)
    }
}
