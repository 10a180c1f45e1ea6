// SPDX-License-Identifier: Apache-2.0

import ContentStore
import LinuxSystem
import SystemPackage

/// Runs a test with an empty directory of its own, which goes with it.
func withScratchPath<Value>(_ body: (FilePath) throws -> Value) throws -> Value {
    let parent = try Directory(host: "/tmp")
    let name = "kiln-store-\(randomToken())"
    try parent.makeDirectory(name, mode: 0o700)
    defer { try? parent.removeTree(name: name) }
    return try body(FilePath("/tmp/\(name)/state"))
}

/// Runs a test with a store of its own.
func withScratchStore<Value>(_ body: (ContentStore) throws -> Value) throws -> Value {
    try withScratchPath { path in
        try body(ContentStore(state: StateDirectory(path: path)))
    }
}

/// The code of the error a function throws, `nil` when it throws none or another kind.
func code(of body: () throws -> Void) -> ContentStoreError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? ContentStoreError)?.code
    }
}
