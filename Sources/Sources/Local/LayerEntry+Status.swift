// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import Snapshots

/// The extended attributes of an open file that a build carries: those that mean the same on every
/// machine.
///
/// Security labels and access lists belong to the client's machine, and overlayfs would obey its
/// own.
func carriedAttributes(of file: Descriptor) throws -> [ExtendedAttribute] {
    var carried: [ExtendedAttribute] = []
    for name in try file.attributeNames() where isCarried(attribute: name) {
        if let value = try file.attribute(name) {
            carried.append(ExtendedAttribute(name: name, value: value))
        }
    }
    return carried
}

private func isCarried(attribute name: String) -> Bool {
    if name == "security.capability" { return true }
    let foreign = ["security.", "system.", "trusted.overlay.", "user.overlay.", "com.apple."]
    return !foreign.contains { name.hasPrefix($0) }
}

extension LayerEntry {
    /// A file of the client as a build sees it: owner and group are 0.
    init(_ status: FileStatus, target: String) {
        let kind: Kind =
            switch status.kind {
            case .directory: .directory(opaque: false)
            case .symbolicLink: .symbolicLink(target: target)
            case .fifo: .fifo
            case .socket: .socket
            case .characterDevice:
                .characterDevice(major: status.deviceMajor, minor: status.deviceMinor)
            case .blockDevice: .blockDevice(major: status.deviceMajor, minor: status.deviceMinor)
            case .regular: .regular
            }
        self.init(
            kind: kind,
            mode: status.permissions,
            size: status.isRegular ? status.size : 0,
            mtime: status.modified,
            link: status.linkCount > 1 && !status.isDirectory
                ? Identity(device: status.device, inode: status.inode) : nil
        )
    }
}
