// SPDX-License-Identifier: Apache-2.0

import LinuxSystem
import SystemPackage

/// Lends an empty directory and removes it.
func withDirectory(_ body: (Directory) throws -> Void) throws {
    let name = "kiln-linux-system-\(randomToken(count: 8))"
    let parent = try Directory(host: "/tmp")
    try parent.makeDirectory(name, mode: 0o700)
    defer { try? parent.removeTree(name: name) }
    try body(try parent.directory(name))
}
