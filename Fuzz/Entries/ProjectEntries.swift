// SPDX-License-Identifier: Apache-2.0

internal import OCI
internal import ProjectFiles

let projectEntries = [
    FuzzEntry("kiln-toml", dictionary: tomlWords, readProject),
    FuzzEntry("kiln-lock", dictionary: lockWords, readLock),
    FuzzEntry(
        "version",
        dictionary: ["^", "~", ">=", "<", "||", " - ", "1.2.3", "-rc.1", "+build", "*", ".x"],
        readVersions
    ),
]

private let tomlWords = [
    "version = 1\n", "[frontends]\n", "[files]\n", "[grant.\"a/b\"]\n", "[policy]\n", "unlisted = \"deny\"\n",
    "[[mirrors]]\n", "[trust]\n",
    "platforms = [\"linux/amd64\"]\n", "\"\"\"", "'''", "\\u0000", "\\U0010FFFF", "0x", "0o", "0b1", "1_0", "inf",
    "nan",
    "1979-05-27T07:32:00Z", " = {", "}", "#", "\r\n", "a.b.c = ", "true", "[protocol]\n", "kind = \"native\"\n",
]

private let lockWords = [
    "{\"lockVersion\":1,\"minReader\":\"0.1.0\"", ",\"frontends\":{\"a\":{",
    ",\"sources\":{\"docker-image://docker.io/library/a:1\":{",
    "\"digest\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
    "\"platforms\":{\"linux/amd64\":\"",
    "\"commit\":\"", "\"constraint\":\"", "\"permissions\":{", "\"protocol\":\"native 1.0\"", "\"release\":\"",
    "\"version\":\"", "t1:",
]

/// The files people write, in TOML; an error names file, line and column.
private func readProject(_ bytes: [UInt8]) throws {
    let readings: [() throws -> Void] = [
        { _ = try ProjectFile(toml: bytes) },
        { _ = try FrontendManifest(toml: bytes) },
        { _ = try LocalOverrides(toml: bytes) },
        { _ = try OriginRules(toml: bytes, file: "origins.toml") },
    ]
    for reading in readings {
        do {
            try reading()
        } catch let error as ProjectError {
            try check(error)
        }
    }
}

private func check(_ error: ProjectError) throws(FuzzFinding) {
    let text = error.description
    try require(text.utf8.count < 8 << 10, "an error has \(text.utf8.count) bytes: \(text.prefix(200))")
    try require(
        text.unicodeScalars.allSatisfy { $0.value >= 0x20 || $0 == "\n" },
        "an error can move the cursor: \(text)"
    )
    try require(text.contains(".toml") || text.contains(".lock"), "an error names no file: \(text)")
}

/// A lock that is accepted is written in one way and read back as the same.
private func readLock(_ bytes: [UInt8]) throws {
    let lock: LockFile
    do {
        lock = try LockFile(json: bytes)
    } catch {
        return try check(error)
    }
    do {
        let again = try LockFile(json: lock.json)
        try require(again == lock, "a lock written again says something else")
        try require(again.json == lock.json, "a lock is written in two ways")
    } catch let error as ProjectError {
        throw FuzzFinding("a lock cannot be read again: \(error)")
    }
}

/// A version or a constraint on versions; one that is accepted reads back as the same.
private func readVersions(_ bytes: [UInt8]) throws {
    let text = String(decoding: bytes, as: UTF8.self)
    if let version = try? SemanticVersion(parsing: text) {
        let again = try? SemanticVersion(parsing: version.description)
        try require(again == version, "version \(version) reads as another one")
        try require(VersionConstraint(exactly: version).contains(version), "\(version) is not itself")
    }
    if let constraint = try? VersionConstraint(parsing: text) {
        let again = try? VersionConstraint(parsing: constraint.description)
        try require(again == constraint, "constraint \(constraint) reads as another one")
        _ = constraint.contains(SemanticVersion(1, 2, 3))
    }
    _ = try? VersionTag(parsing: text)
}
