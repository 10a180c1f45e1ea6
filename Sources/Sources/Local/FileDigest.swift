// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem

/// What stands before a regular file's bytes in its file digest: mode, owner 0:0, size and attributes as BuildKit's
/// content hash writes them.
///
/// Source: BuildKit's tarsum version 1 header without name and time.
func fileDigestHeader(_ status: FileStatus, _ attributes: [String: [UInt8]]) -> [UInt8] {
    var header = Array(
        "namemode\(status.permissions)uid0gid0size\(status.size)typeflag0linknameunamegnamedevmajor0devminor0".utf8
    )
    for (name, value) in attributes.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
        header += name.utf8
        header += value
    }
    return header
}

/// The extended attributes of an open file that a build carries: those that mean the same on every machine.
///
/// Security labels and access lists belong to the client's machine, and overlayfs would obey its own.
func carriedAttributes(of file: Descriptor) throws -> [String: [UInt8]] {
    var carried: [String: [UInt8]] = [:]
    for name in try file.attributeNames() where isCarried(attribute: name) {
        carried[name] = try file.attribute(name)
    }
    return carried
}

private func isCarried(attribute name: String) -> Bool {
    if name == "security.capability" { return true }
    let foreign = ["security.", "system.", "trusted.overlay.", "user.overlay.", "com.apple."]
    return !foreign.contains { name.hasPrefix($0) }
}
