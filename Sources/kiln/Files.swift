// SPDX-License-Identifier: Apache-2.0

internal import Engine
internal import Glibc
internal import LinuxSystem
internal import OCI
internal import SystemPackage

/// Largest build file or definition read from a file or the standard input, in bytes.
private let inputByteLimit = 256 << 20

extension FilePath {
    /// The directory a path's last component stands in; `.` for a bare name.
    var parent: FilePath {
        let parent = removingLastComponent()
        return parent.isEmpty ? "." : parent
    }
}

/// Reads a file the user named; `-` is the standard input.
func readFile(_ path: String, what: String) throws -> [UInt8] {
    do {
        let descriptor =
            path == "-"
            ? try Descriptor.open(host: "/dev/stdin") : try Descriptor.open(host: FilePath(path))
        return try descriptor.readToEnd(byteLimit: inputByteLimit)
    } catch let error {
        throw UsageError("cannot read \(what): \(error)")
    }
}

/// Writes a small file the user named, whole or not at all.
func writeFile(_ path: String, _ text: String) throws {
    let target = FilePath(path)
    guard let name = target.lastComponent?.string else {
        throw UsageError("cannot write \"\(path)\": it is no file name")
    }
    let directory = try Directory(host: target.parent)
    try put(text.utf8, as: name, in: directory, mode: 0o644)
}

/// Replaces the content of a file, whole or not at all; it is on the disk when this returns.
///
/// A symbolic link is followed. The file keeps its mode, and its owner where this process may give files away.
func replaceFile(_ path: String, _ bytes: [UInt8]) throws {
    guard let resolved = unsafe realpath(path, nil) else {
        throw UsageError("cannot write \"\(path)\": \(Errno(rawValue: errno))")
    }
    let target = FilePath(unsafe String(cString: resolved))
    unsafe free(resolved)
    guard let name = target.lastComponent?.string else {
        throw UsageError("cannot write \"\(path)\": it is no file name")
    }
    let directory = try Directory(host: target.removingLastComponent())
    let status = try directory.status(name: name)
    try put(bytes, as: name, in: directory, mode: 0o600) { file in
        try? file.setOwner(user: status.owner, group: status.group)
        try file.setMode(status.mode & 0o7777)
        try file.sync()
    }
    try directory.sync()
}

private func put(
    _ bytes: some Sequence<UInt8>,
    as name: String,
    in directory: borrowing Directory,
    mode: UInt32,
    finish: (LinuxSystem.Descriptor) throws -> Void = { _ in }
) throws {
    let temporary = ".\(name).\(randomToken(count: 8))"
    let file = try directory.createFile(temporary, mode: mode)
    do {
        try file.write(bytes)
        try finish(file)
        try directory.rename(temporary, to: directory, name, replacing: true)
    } catch {
        try? directory.remove(name: temporary)
        throw error
    }
}

/// The exporters' answers as one JSON object, keys sorted; values that are JSON in base64 are shown as JSON.
func metadataJSON(_ response: [String: String]) -> String {
    let members = response.sorted { $0.key < $1.key }.map { key, value in
        let decoded = key.hasSuffix(".descriptor") ? decodeBase64(value).flatMap { try? JSONValue(parsing: $0) } : nil
        return JSONMember(key, decoded ?? .string(value))
    }
    return JSONValue.object(members).encodedPretty() + "\n"
}
