// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
internal import Glibc
internal import SystemPackage

let traceEntries = [
    FuzzEntry("trace", dictionary: traceWords, readTrace)
]

private let traceWords = [
    "{\"trace\":1,\"engine\":{\"name\":\"kiln\",\"version\":\"1\"},\"frontend\":{\"name\":\"a\",\"version\":\"1\"}}\n",
    "{\"from\":\"engine\",\"at\":1,\"message\":{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"build\",\"params\":{}}}\n",
    "{\"from\":\"frontend\",\"at\":2,\"blobs\":[\"sha256:", "\"message\":{", "\"blob\":1,\"size\":3", "\"result\":{",
    "\"at\":-1", "\n",
]

/// A directory that only holds these bytes as a trace: it is read, or refused with the line.
private func readTrace(_ bytes: [UInt8]) async throws {
    let directory = try TraceDirectory(bytes)
    defer { directory.remove() }
    do {
        let session = try RecordedSession(directory: directory.path)
        _ = SessionReplay(session)
        try require(session.messages.count <= bytes.count { $0 == 0x0A } + 1, "more messages than lines")
    } catch let error as RecordedSession.Unreadable {
        try require(
            error.description.contains(": line ") || error.description.contains("no header"),
            "an error names no line: \(error)"
        )
    }
}

private struct TraceDirectory {
    let path: FilePath

    init(_ bytes: [UInt8]) throws {
        var path = FilePath("/tmp")
        path.append("kiln-fuzz-trace-\(UInt64.random(in: 0...UInt64.max))")
        guard unsafe mkdir(path.string, 0o700) == 0 else {
            throw FuzzFinding("cannot make a directory for a trace")
        }
        self.path = path
        let file = try FileDescriptor.open(
            path.appending("trace.jsonl"),
            .writeOnly,
            options: [.create, .exclusiveCreate],
            permissions: .ownerReadWrite
        )
        _ = try file.closeAfter { try file.writeAll(bytes) }
    }

    func remove() {
        _ = unsafe unlink(path.appending("trace.jsonl").string)
        _ = unsafe rmdir(path.string)
    }
}
