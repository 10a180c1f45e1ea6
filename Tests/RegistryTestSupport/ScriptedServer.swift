// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Glibc
internal import Synchronization

/// An HTTP server on loopback that answers as a test tells it, down to the byte at which the
/// connection breaks.
///
/// It stops when it is let go.
package final class ScriptedServer: Sendable {
    package struct Request: Sendable {
        package var method: String
        /// Path and query as they were sent.
        package var target: String
        /// Header values by name in lower case; repeated ones joined by a comma.
        package var headers: [String: String] = [:]
        package var body: [UInt8] = []

        package var path: String { String(target.prefix { $0 != "?" }) }
    }

    package struct Reply: Sendable {
        package var status = 200
        package var headers: [(name: String, value: String)] = []
        package var body: [UInt8] = []
        /// The length that is announced; `nil` means that of the body.
        package var announcedLength: String?
        /// Break the connection when this much of the body was sent.
        package var cutAfter: Int?
        /// Wait before the answer, in milliseconds.
        package var delay: UInt32 = 0
        /// Send the body in pieces of this many bytes with a pause, in milliseconds, after each.
        package var drip: (byteCount: Int, pause: UInt32)?

        package init(
            status: Int = 200,
            headers: [(name: String, value: String)] = [],
            body: [UInt8] = [],
            announcedLength: String? = nil,
            cutAfter: Int? = nil,
            delay: UInt32 = 0,
            drip: (byteCount: Int, pause: UInt32)? = nil
        ) {
            self.status = status
            self.headers = headers
            self.body = body
            self.announcedLength = announcedLength
            self.cutAfter = cutAfter
            self.delay = delay
            self.drip = drip
        }

        package static func json(
            _ text: String,
            status: Int = 200,
            headers: [(name: String, value: String)] = []
        ) -> Reply {
            Reply(
                status: status,
                headers: [("Content-Type", "application/json")] + headers,
                body: Array(text.utf8)
            )
        }
    }

    package typealias Handler = @Sendable (Request) -> Reply

    private struct State {
        var requests: [Request] = []
        var connections: Set<CInt> = []
        var isStopped = false
    }

    package let port: UInt16
    private let listener: CInt
    private let shared: Shared

    /// What connection threads hold; they must not keep the server itself alive.
    private final class Shared: Sendable {
        let state = Mutex(State())
        let handler: Handler
        init(handler: @escaping Handler) { self.handler = handler }
    }

    package init(_ handler: @escaping Handler) throws {
        shared = Shared(handler: handler)
        listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = unsafe withUnsafeMutablePointer(to: &address) { [listener] pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe bind(listener, generic, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, generic, &length) == 0
            }
        }
        guard bound else { throw TestFailure("no port for the scripted server") }
        port = UInt16(bigEndian: address.sin_port)
        let (listener, shared) = (listener, shared)
        // Threads of its own: those of Dispatch are few, and the code under test needs them.
        Thread.detachNewThread { Self.serve(listener, shared) }
    }

    deinit {
        let connections = shared.state.withLock { state in
            state.isStopped = true
            return state.connections
        }
        shutdown(listener, CInt(SHUT_RDWR))
        close(listener)
        for connection in connections { shutdown(connection, CInt(SHUT_RDWR)) }
    }

    package var host: String { "127.0.0.1:\(port)" }

    /// All requests so far.
    package var requests: [Request] { shared.state.withLock { $0.requests } }

    // MARK: Serving

    private static func serve(_ listener: CInt, _ shared: Shared) {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 { return }
            let isStopped = shared.state.withLock { state in
                state.connections.insert(connection)
                return state.isStopped
            }
            if isStopped {
                close(connection)
                return
            }
            Thread.detachNewThread {
                converse(connection, shared)
                shared.state.withLock { _ = $0.connections.remove(connection) }
                close(connection)
            }
        }
    }

    private static func converse(_ connection: CInt, _ shared: Shared) {
        var reader = Reader(connection: connection)
        while let request = reader.request() {
            shared.state.withLock { $0.requests.append(request) }
            let reply = shared.handler(request)
            usleep(reply.delay * 1000)
            var head = "HTTP/1.1 \(reply.status) Scripted\r\n"
            for header in reply.headers { head += "\(header.name): \(header.value)\r\n" }
            if reply.status != 204, request.method != "CONNECT" {
                head += "Content-Length: \(reply.announcedLength ?? String(reply.body.count))\r\n"
            }
            guard write(connection, Array((head + "\r\n").utf8)) else { return }
            if request.method == "HEAD" { continue }
            let body = reply.cutAfter.map { Array(reply.body.prefix($0)) } ?? reply.body
            let step = max(1, reply.drip?.byteCount ?? body.count)
            for start in stride(from: 0, to: body.count, by: step) {
                guard write(connection, Array(body[start..<min(start + step, body.count)])) else {
                    return
                }
                if let drip = reply.drip { usleep(drip.pause * 1000) }
            }
            if reply.cutAfter != nil || reply.announcedLength != nil { return }
        }
    }

    private static func write(_ connection: CInt, _ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe send(
                    connection,
                    buffer.baseAddress?.advanced(by: offset),
                    buffer.count - offset,
                    CInt(MSG_NOSIGNAL)
                )
            }
            if count <= 0 { return false }
            offset += count
        }
        return true
    }

    private struct Reader {
        let connection: CInt
        var buffer: [UInt8] = []

        mutating func request() -> Request? {
            guard let line = line() else { return nil }
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 2 else { return nil }
            var request = Request(method: words[0], target: words[1])
            while let header = self.line(), !header.isEmpty {
                guard let colon = header.firstIndex(of: ":") else { return nil }
                let name = header[..<colon].lowercased()
                let value = header[header.index(after: colon)...].drop { $0 == " " }
                request.headers[name] =
                    request.headers[name].map { "\($0), \(value)" } ?? String(value)
            }
            guard let length = Int(request.headers["content-length"] ?? "0") else { return nil }
            while buffer.count < length { if !fill() { return nil } }
            request.body = Array(buffer.prefix(length))
            buffer.removeFirst(length)
            return request
        }

        private mutating func line() -> String? {
            while true {
                // A TLS handshake: nobody here speaks it, so hang up.
                if buffer.first == 0x16 { return nil }
                if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                    let text = String(decoding: buffer[..<end], as: UTF8.self)
                    buffer.removeFirst(end + 1)
                    return text.hasSuffix("\r")
                        ? String(text.dropLast()) : text.filter { $0 != "\r\n" && $0 != "\r" }
                }
                if !fill() { return nil }
            }
        }

        private mutating func fill() -> Bool {
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            let count = unsafe recv(connection, &chunk, chunk.count, 0)
            if count <= 0 { return false }
            buffer += chunk[..<count]
            return true
        }
    }
}

package struct TestFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
