// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A frontend that does what no frontend should, one way at a time.
///
/// The way is named by the build file's first line, or, for what happens before there is a build file, by the name the
/// engine gives itself: `bad:MODE`. It knows only the bytes of the protocol and none of Kiln's modules, so it also shows that the
/// protocol can be spoken without them.
enum BadFrontend {
    static func run() {
        signal(SIGPIPE, SIG_IGN)
        if CommandLine.arguments.contains("--help") { Misdeeds.say("usage: bad [--help]\n") }
        if CommandLine.arguments.contains("--speak-first") { Wire.send(#"{"jsonrpc":"2.0","method":"log"}"#) }
        guard let (_, text) = Wire.nextFrame() else { exit(0) }
        let hello = Wire.Message(text: String(decoding: text, as: UTF8.self), blob: [])
        if let name = JSON(text)?["params"]?["engine"]?["name"]?.text, name.hasPrefix("bad:") {
            let mode = String(name.dropFirst(4))
            if let flaw = Flaw(rawValue: mode) {
                var frontend = FlawedFrontend(flaw)
                frontend.run(first: text)
            }
            Misdeeds.early[mode]?(hello.id)
        }
        Wire.send(
            #"{"jsonrpc":"2.0","id":\#(hello.id),"result":{"protocol":"1.0","frontend":{"name":"bad/frontend","version":"0.1.0"}}}"#
        )
        guard let build = Wire.nextMessage() else { exit(0) }
        let mode = String(decoding: build.blob.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        guard let misdeed = Misdeeds.late[mode] else {
            Wire.fail(build.id, "no misdeed is called \(mode)")
            Wire.waitForEnd()
        }
        misdeed(build.id)
        Wire.waitForEnd()
    }
}

/// Just enough of the protocol, byte by byte.
enum Wire {
    /// A message with the bytes of all blobs behind it.
    struct Message {
        let text: String
        let blob: [UInt8]

        /// The number of the request or answer.
        var id: Int { number(after: "\"id\":") ?? 0 }

        func number(after key: String) -> Int? {
            guard let range = text.firstRange(of: key) else { return nil }
            return Int(text[range.upperBound...].prefix { $0.isNumber })
        }
    }

    /// Reads the next message and its blobs; `nil` at the end.
    static func nextMessage() -> Message? {
        guard let (_, payload) = nextFrame() else { return nil }
        let message = Message(text: String(decoding: payload, as: UTF8.self), blob: [])
        guard let size = message.number(after: "\"size\":"), message.text.contains("\"blob\":")
        else {
            return message
        }
        var blob: [UInt8] = []
        while blob.count < size, let frame = nextFrame() { blob += frame.payload }
        return Message(text: message.text, blob: blob)
    }

    static func nextFrame() -> (stream: UInt32, payload: [UInt8])? {
        guard let header = read(8) else { return nil }
        let length = header[0..<4].reduce(0) { $0 << 8 | Int($1) }
        let stream = header[4..<8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard let payload = read(length) else { return nil }
        return (stream, payload)
    }

    private static func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let step = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(
                    STDIN_FILENO,
                    buffer.baseAddress?.advanced(by: done),
                    count - done
                )
            }
            guard step > 0 else { return nil }
            done += step
        }
        return bytes
    }

    static func frame(_ stream: UInt32, _ payload: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = UInt32(truncatingIfNeeded: length ?? payload.count)
        let header = [length, stream].flatMap { number in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
        }
        return header + payload
    }

    static func send(_ text: String) { write(frame(0, Array(text.utf8))) }

    static func succeed(_ id: Int, metadata: String = "{}") {
        send(
            #"{"jsonrpc":"2.0","id":\#(id),"result":{"refs":[{"id":"linux/amd64","ref":null}],"metadata":\#(metadata)}}"#
        )
    }

    static func fail(_ id: Int, _ message: String) {
        send(
            #"{"jsonrpc":"2.0","id":\#(id),"error":{"code":-32000,"message":"\#(message)","data":{"kind":"buildFile"}}}"#
        )
    }

    static func write(_ bytes: [UInt8], to descriptor: CInt = STDOUT_FILENO) {
        var done = 0
        while done < bytes.count {
            let step = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(
                    descriptor,
                    buffer.baseAddress?.advanced(by: done),
                    bytes.count - done
                )
            }
            guard step > 0 else { return }
            done += step
        }
    }

    static func complain(_ text: String) { write(Array((text + "\n").utf8), to: STDERR_FILENO) }

    /// Exits as a good frontend does: when stdin ends.
    static func waitForEnd() -> Never {
        while nextFrame() != nil {}
        exit(0)
    }
}
