// SPDX-License-Identifier: Apache-2.0

package import FrontendProtocol
package import LinuxSystem
internal import OCI
package import SystemPackage

/// A session that was written down by ``SessionTrace``.
package struct RecordedSession: Sendable {
    /// One message of either side.
    package struct Message: Sendable, Hashable {
        package let sender: PeerRole
        /// In microseconds from the start of the process.
        package let micros: Int64
        /// Byte strings in place.
        package let content: WireObject
    }

    /// Why a directory is no trace.
    package struct Unreadable: Error, CustomStringConvertible, FaultClassified {
        package let description: String
        package var fault: Fault { .input }
    }

    package let engine: Wire.Program
    package let frontend: Wire.Program
    /// In the order in which the engine wrote and read them.
    package let messages: [Message]

    private static let traceByteLimit = 1 << 30
    private static let blobByteLimit = 64 << 20

    /// Reads a trace.
    ///
    /// Blocks.
    ///
    /// - Throws: ``Unreadable``, naming the line.
    package init(directory path: FilePath) throws {
        let directory: Directory
        let bytes: [UInt8]
        do {
            directory = try Directory(host: path)
            bytes = try directory.open("trace.jsonl").readToEnd(byteLimit: Self.traceByteLimit)
        } catch {
            throw Unreadable(description: "cannot read the trace \(path): \(error)")
        }
        var messages: [Message] = []
        var header: (engine: Wire.Program, frontend: Wire.Program)?
        for (index, line) in bytes.split(separator: 0x0A).enumerated() {
            do {
                let object = try WireObject(json: Array(line))
                let reader = MemberReader(object, path: "line")
                if object["trace"] != nil {
                    guard try reader.integer("trace") == SessionTrace.form else {
                        throw reader.invalid("trace", "is of another form")
                    }
                    header = (
                        try Wire.Program(members: reader.reader("engine")),
                        try Wire.Program(members: reader.reader("frontend"))
                    )
                } else if object["message"] != nil {
                    messages.append(try Self.message(reader, directory))
                }
            } catch {
                throw Unreadable(description: "cannot read the trace \(path): line \(index + 1): \(error)")
            }
        }
        guard let header else { throw Unreadable(description: "cannot read the trace \(path): it has no header") }
        engine = header.engine
        frontend = header.frontend
        self.messages = messages
    }

    private static func message(_ line: MemberReader, _ directory: Directory) throws -> Message {
        let side = try line.string("from")
        guard side == "engine" || side == "frontend" else { throw line.invalid("from", "is no side") }
        let sender: PeerRole = side == "engine" ? .engine : .frontend
        let blobs = try (line.optionalStrings("blobs") ?? []).map { name in
            guard let digest = Digest(name) else { throw line.invalid("blobs", "holds what is no digest") }
            let blob = try directory.open("blobs/sha256/\(digest.hex)", scope: .noSymlinks)
                .readToEnd(byteLimit: blobByteLimit)
            guard Digest.of(blob) == digest else { throw line.invalid("blobs", "names \(name), whose file is damaged") }
            return blob
        }
        // The line's own reader left announcements as they are.
        let text = try line.reader("message").object.json
        return Message(
            sender: sender,
            micros: try line.integer("at"),
            content: try MessageTap.message(text, blobs: blobs, sender: sender)
        )
    }
}
