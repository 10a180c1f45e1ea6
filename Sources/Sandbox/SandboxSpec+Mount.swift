// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem

extension SandboxSpec {
    /// One thing shown at a path of the sandbox.
    ///
    /// A mount point that is missing is made, as an empty directory or file, and removed when the sandbox has ended, if it
    /// is still empty. Symlinks on the way to it are resolved inside the sandbox. Mounts on or below `/proc`, `/sys` and
    /// onto `/` or `/dev` itself are refused.
    package struct Mount: Sendable {
        /// What is shown.
        package enum Source: Sendable {
            /// A file or directory of the host. `subpath` is resolved beneath it as if it were `/`; "" is all of it.
            case bind(Descriptor, subpath: String = "")
            /// Layer directories, topmost first, joined as for ``Root/overlay(lower:upper:work:)``, and the part at
            /// `subpath` of them; "" is all of it.
            case overlay(
                lower: [Descriptor],
                upper: Descriptor?,
                work: Descriptor?,
                subpath: String = ""
            )
            /// An empty file system in memory; `byteLimit` `nil` leaves the kernel's limit of half the memory.
            case tmpfs(byteLimit: UInt64?, mode: UInt32 = 0o1777)
            /// A file with these bytes that exists only in the sandbox's memory: secrets, generated configuration.
            case file([UInt8], mode: UInt32, user: UInt32 = 0, group: UInt32 = 0)
        }

        package var source: Source
        /// Absolute path in the sandbox.
        package var target: String
        package var isReadOnly: Bool
        /// Whether files here may be run.
        package var allowsExecution = true
        /// Whether set-user-id bits and devices count here.
        ///
        /// Device access is checked besides.
        package var allowsPrivileges: Bool

        /// - Parameter allowsPrivileges: On by default for trees an image or a step wrote, as in BuildKit.
        package init(
            _ source: Source,
            at target: String,
            isReadOnly: Bool = false,
            allowsPrivileges: Bool? = nil
        ) {
            self.source = source
            self.target = target
            self.isReadOnly = isReadOnly
            switch source {
            case .bind, .overlay: self.allowsPrivileges = allowsPrivileges ?? true
            case .tmpfs, .file: self.allowsPrivileges = allowsPrivileges ?? false
            }
        }
    }
}
