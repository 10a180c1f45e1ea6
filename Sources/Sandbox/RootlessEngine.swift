// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
package import SystemPackage

/// How an engine that an ordinary user starts comes to run sandboxes: the whole program runs again as root of a user
/// namespace, where it may mount and make further namespaces.
package enum RootlessEngine {
    /// Set in the environment of the program once it runs in the namespace.
    private static let mark = "KILN_USER_NAMESPACE"

    /// Whether this process is an ordinary user's and not in the namespace yet.
    package static var isNeeded: Bool { unsafe geteuid() != 0 && getenv(mark) == nil }

    /// Replaces this process by the same program in a user namespace: same arguments, environment, open descriptors
    /// that are not close-on-exec, and process number.
    ///
    /// To be called first of all, before threads are started.
    ///
    /// - Parameter launcher: Path of `kiln-sandbox`; `nil` finds it as ``Launcher`` does.
    /// - Throws: ``SandboxError`` with `unavailable`; on success it does not return.
    package static func enter(
        arguments: [String] = CommandLine.arguments,
        launcher: FilePath? = nil
    ) throws(SandboxError) -> Never {
        let path = launcher ?? LauncherFile.standardPath
        unsafe setenv(mark, "1", 1)
        let command =
            [path.string, "--enter-userns", "--", (runningProgram() ?? "").string]
            + arguments.dropFirst()
        do {
            try replaceProcess(by: path, arguments: command)
        } catch {
            unsafe unsetenv(mark)
            throw SandboxError(
                .unavailable,
                "cannot enter a user namespace: \(error)",
                cause: error
            )
        }
    }
}
