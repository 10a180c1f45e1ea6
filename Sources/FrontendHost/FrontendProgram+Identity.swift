// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI
internal import Sandbox
package import SystemPackage

extension FrontendProgram {
    /// Names the bytes of a single file and of the shared libraries it gets, as they stand on this machine now.
    ///
    /// Made of what the file system says of them, not of their content: what is written anew has another name, and nothing
    /// is read. Blocks.
    package static func fileIdentity(of path: FilePath) throws -> String {
        let file = try LinuxSystem.Descriptor.open(host: path)
        var text = try file.status().contentIdentity + "\n"
        for mount in try SharedLibraries(of: file, at: path).mounts {
            guard case .bind(let library, _) = mount.source else { continue }
            text += "\(mount.target) \(try library.status().contentIdentity)\n"
        }
        return "file:" + Digest.of(text).hex
    }
}
