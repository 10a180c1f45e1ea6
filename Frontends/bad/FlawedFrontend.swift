// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A small frontend that keeps the protocol, but for one flaw.
///
/// It reads two files of the context, resolves an image, and puts what it learnt into a label of the image's config.
struct FlawedFrontend {
    /// Why a build ends; `nil` as text where there is nothing to say.
    struct Failure: Error {
        let kind: String
        let message: String
    }

    private struct Incoming {
        let json: JSON
        /// The blobs behind it; `nil` where one was given up.
        let blobs: [[UInt8]]?
        let text: String
    }

    let flaw: Flaw
    private var lastID = 0
    private var nextStream = 1
    private var frameLimit = 1 << 20
    private var inFlight = 32
    private var offered: [String] = []
    private var answers: [Int: Incoming] = [:]

    init(_ flaw: Flaw) { self.flaw = flaw }

    /// Serves from the `initialize` request on, which was read already.
    mutating func run(first: [UInt8]) -> Never {
        if let message = incoming(first) { handle(message) }
        while let message = next() { handle(message) }
        if flaw == .ignoresEnd { Misdeeds.hang() }
        exit(0)
    }

    // MARK: Reading

    private mutating func next() -> Incoming? {
        guard let frame = nextFrame() else { return nil }
        return incoming(frame.payload)
    }

    private func nextFrame() -> (stream: UInt32, payload: [UInt8])? {
        flaw == .readsOnce ? frameOfOneRead() : Wire.nextFrame()
    }

    /// What a frontend does that takes a read for a frame: it is right as long as frames are small and come at once.
    private func frameOfOneRead() -> (stream: UInt32, payload: [UInt8])? {
        func oneRead(_ length: Int) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: length)
            let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(STDIN_FILENO, $0.baseAddress, $0.count) }
            return Array(bytes.prefix(max(0, count)))
        }
        let header = oneRead(8)
        if header.isEmpty { return nil }
        let length = header.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard header.count == 8, let stream = header.last else { exit(1) }
        let payload = oneRead(length)
        guard payload.count == length else { exit(1) }
        return (UInt32(stream), payload)
    }

    private func incoming(_ payload: [UInt8]) -> Incoming? {
        guard let json = JSON(payload) else { return nil }
        var blobs: [[UInt8]]? = []
        for size in json.blobSizes {
            if size == 0 || (size < 0 && flaw == .expectsSizes) {
                blobs?.append([])
                continue
            }
            var blob: [UInt8] = []
            while size < 0 || blob.count < size {
                guard let frame = nextFrame() else { return nil }
                if frame.payload.isEmpty {
                    if size > 0, flaw != .acceptsHalfBlobs { blobs = nil }
                    break
                }
                blob += frame.payload
            }
            blobs?.append(blob)
        }
        return Incoming(json: json, blobs: blobs, text: String(decoding: payload, as: UTF8.self))
    }

    /// The bytes a member means: a blob, the first of its message, or a text.
    private func bytes(_ value: JSON?, of message: Incoming) -> [UInt8]? {
        if let text = value?.text { return flaw == .expectsBlobs ? nil : Array(text.utf8) }
        return value?["blob"] == nil ? nil : message.blobs?.first
    }

    // MARK: The engine's requests

    private mutating func handle(_ message: Incoming) {
        let method: String?
        if flaw == .searchesText {
            method = ["initialize", "build"].first { message.text.contains("\"method\":\"\($0)\"") }
        } else {
            method = message.json["method"]?.text
        }
        guard let method, let id = message.json["id"]?.int else { return }
        switch method {
        case "initialize": initialize(id, message.json["params"] ?? .null)
        case "build": build(id, message)
        default: if flaw != .ignoresRequests { refuse(id, "unsupported", "no method \(method)") }
        }
    }

    private func refuse(_ id: Int, _ kind: String, _ text: String, more: String = "") {
        let code = kind == "unsupported" ? -32601 : kind == "invalidParams" ? -32602 : -32000
        let data = "{\"kind\":\(quoted(kind))\(more)}"
        Wire.send(
            "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"error\":{\"code\":\(code),\"message\":\(quoted(text)),\"data\":\(data)}}"
        )
    }

    private mutating func initialize(_ id: Int, _ params: JSON) {
        offered = params["capabilities"]?.elements.compactMap(\.text) ?? []
        frameLimit = params["limits"]?["frame"]?.int ?? frameLimit
        inFlight = params["limits"]?["inFlight"]?.int ?? inFlight
        let versions = params["protocol"]?.elements.compactMap(\.text) ?? []
        if flaw == .refusesUnknownMembers, params.names.contains(where: { $0.hasPrefix("x-") }) {
            return refuse(id, "invalidParams", "there are members I do not know")
        }
        if flaw == .refusesUnknownCapabilities, offered.contains(where: { $0.hasPrefix("x-") }) { exit(4) }
        if params["mustUnderstand"]?.elements.isEmpty == false, flaw != .ignoresMustUnderstand {
            return refuse(id, "unsupported", "there is something that I must understand, and do not")
        }
        let isCommon = versions.contains { version in
            let parts = version.split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 2 && parts[0] == "1" && Int(parts[1]) != nil
        }
        guard isCommon || flaw == .echoesVersion || flaw == .insistsOnVersion else {
            return refuse(id, "incompatible", "speaks protocol 1.0", more: ",\"supported\":[\"1.0\"]")
        }
        let version = flaw == .echoesVersion ? versions.first ?? "1.0" : "1.0"
        let name = flaw == .namesNobody ? "" : "bad/flawed"
        Wire.send(
            "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":{\"protocol\":\(quoted(version)),"
                + "\"frontend\":{\"name\":\(quoted(name)),\"version\":\"1.0.0\"}}}"
        )
    }

    private mutating func build(_ id: Int, _ message: Incoming) {
        let file = message.json["params"]?["buildFile"]
        let content = bytes(file?["content"], of: message) ?? (flaw == .acceptsAnyBuild ? [] : nil)
        guard let content else {
            return refuse(id, "invalidParams", "there is no build file")
        }
        do throws(Failure) {
            if content.contains(1) {
                if flaw == .printsErrors { Misdeeds.say("Buildfile:1: syntax error\n") }
                throw Failure(kind: "buildFile", message: "Buildfile:1: there is nothing to read in it")
            }
            let (ref, label) = try work()
            answer(id, ref: ref, label: label)
        } catch {
            fail(id, error)
        }
    }

    private mutating func fail(_ id: Int, _ failure: Failure) {
        switch flaw {
        case .swallowsFailures: answer(id, ref: nil, label: "nothing")
        case .exitsOnFailure: exit(0)
        case .hangsOnFailure: Misdeeds.hang()
        case .wordless: refuse(id, failure.kind, "")
        default: refuse(id, failure.kind, failure.message)
        }
    }

    private mutating func answer(_ id: Int, ref: String?, label: String) {
        let config = Array(
            "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Labels\":{\"about\":\(quoted(label))}}}".utf8
        )
        if flaw == .evenStream { nextStream = 2 }
        let stream = nextStream
        nextStream += 2
        let name = flaw == .inventsRefs ? "ref-4711" : ref
        let id = flaw == .answersOthers ? id + 1 : id
        for _ in 0..<(flaw == .answersTwice ? 2 : 1) {
            Wire.send(
                "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":{\"refs\":[{\"id\":\"linux/amd64\","
                    + "\"ref\":\(name.map(quoted) ?? "null"),"
                    + "\"config\":{\"blob\":\(stream),\"size\":\(config.count)}}]}}"
            )
            let length = flaw == .ignoresFrameLimit ? config.count : frameLimit
            for start in stride(from: 0, to: config.count, by: length) {
                Wire.write(Wire.frame(UInt32(stream), Array(config[start..<min(start + length, config.count)])))
            }
        }
    }

    // MARK: Requests to the engine

    private mutating func send(_ method: String, _ params: String) -> Int {
        if flaw != .reusesNumbers || lastID == 0 { lastID += 1 }
        Wire.send("{\"jsonrpc\":\"2.0\",\"id\":\(lastID),\"method\":\(quoted(method)),\"params\":\(params)}")
        return lastID
    }

    private mutating func result(of id: Int) throws(Failure) -> (JSON, [UInt8]) {
        while answers[id] == nil {
            guard let message = next() else {
                if flaw == .ignoresEndWhileWaiting { Misdeeds.hang() }
                exit(0)
            }
            if message.json["method"] != nil {
                handle(message)
            } else if let number = message.json["id"]?.int {
                answers[flaw == .expectsOrder ? id : number] = message
            }
        }
        let answer = answers.removeValue(forKey: id)
        if let error = answer?.json["error"] {
            throw Failure(
                kind: error["data"]?["kind"]?.text ?? "internal",
                message: "the engine failed: \(error["message"]?.text ?? "")"
            )
        }
        guard let result = answer?.json["result"], let blobs = answer?.blobs else {
            throw Failure(kind: "cancelled", message: "an answer was given up")
        }
        return (result, blobs.first ?? Array((result["data"]?.text ?? "").utf8))
    }

    private mutating func call(_ method: String, _ params: String) throws(Failure) -> JSON {
        try result(of: send(method, params)).0
    }

    private mutating func solve(_ definition: String) throws(Failure) -> String? {
        try call("solve", "{\"definition\":{\"json\":{\"def\":\(definition)}}}")["ref"]?.text
    }

    private mutating func work() throws(Failure) -> (String?, String) {
        let context = try solve(
            #"{"c":{"source":{"identifier":"local://context"}},"r":{"inputs":[{"digest":"c"}]}}"#
        )
        let ref = context.map(quoted) ?? "null"
        let files = ["a.txt", "b.txt"]
        var texts: [String] = []
        if inFlight >= 2 || flaw == .ignoresInFlight {
            // Both at once.
            let ids = files.map { send("readFile", readParams(ref, $0, 0)) }
            for (id, file) in zip(ids, files) { texts.append(try text(ref, file, id)) }
        } else {
            for file in files { texts.append(try text(ref, file, send("readFile", readParams(ref, file, 0)))) }
        }
        var facts = texts
        if let names = try optional({ frontend throws(Failure) in
            try frontend.call("readDir", "{\"ref\":\(ref),\"path\":\"/\"}")["entries"]?.elements.count
        }) {
            facts.append("\(names ?? 0) entries")
        }
        if let size = try optional({ frontend throws(Failure) in
            try frontend.call("stat", "{\"ref\":\(ref),\"path\":\"a.txt\"}")["size"]?.int
        }) {
            facts.append("\(size ?? 0) bytes")
        }
        if let context { _ = try call("evaluate", "{\"ref\":\(quoted(context))}") }
        let image = try call(
            "resolveSource",
            #"{"identifier":"docker-image://docker.io/library/alpine:3","config":false}"#
        )
        facts.append(image["image"]?["digest"]?.text ?? "")
        let inner = flaw == .nonsenseDefinition ? "missing" : "base"
        let tree = try solve(
            #"{"base":{"source":{"identifier":"docker-image://docker.io/library/alpine:3"}},"#
                + #""made":{"inputs":[{"digest":"\#(inner)"}],"file":{"actions":[{"input":"0","secondaryInput":"-1","#
                + #""output":"0","mkdir":{"path":"/srv/app","mode":493,"makeParents":true,"timestamp":"-1"}}]}},"#
                + #""out":{"inputs":[{"digest":"made"}]}}"#
        )
        return (tree, (facts + confessions).joined(separator: "; "))
    }

    /// What may not be in a result.
    private var confessions: [String] {
        switch flaw {
        case .hashOrder:
            return [Set((0..<20).map { "word-\($0)" }).joined(separator: " ")]
        case .tellsTime:
            var now = timespec()
            unsafe clock_gettime(CLOCK_MONOTONIC, &now)
            return ["\(now.tv_sec).\(now.tv_nsec)"]
        case .tellsHost:
            var name = utsname()
            unsafe uname(&name)
            return [
                unsafe withUnsafeBytes(of: name.nodename) {
                    unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
            ]
        case .tellsEnvironment: return [unsafe getenv("LC_ALL").map { unsafe String(cString: $0) } ?? ""]
        default: return [String(repeating: "padding ", count: 60)]
        }
    }

    private mutating func optional<Value>(
        _ body: (inout FlawedFrontend) throws(Failure) -> Value
    ) throws(Failure) -> Value? {
        do throws(Failure) {
            return try body(&self)
        } catch {
            if error.kind == "notFound" { return nil }
            throw error
        }
    }

    private func readParams(_ ref: String, _ path: String, _ offset: Int) -> String {
        "{\"ref\":\(ref),\"path\":\(quoted(path)),\"offset\":\(offset)}"
    }

    /// The text of a file, from the answer to the first request on.
    private mutating func text(_ ref: String, _ path: String, _ first: Int) throws(Failure) -> String {
        var bytes: [UInt8] = []
        var hoard: [[UInt8]] = []
        var id = first
        while true {
            let answer: (JSON, [UInt8])
            do throws(Failure) {
                answer = try result(of: id)
            } catch {
                if error.kind == "notFound" { return "no \(path)" }
                throw error
            }
            // A long file tells by its beginning and its length.
            bytes += answer.1
            if flaw == .hoardsMemory { for _ in 0..<40 { hoard.append([UInt8](repeating: 1, count: answer.1.count)) } }
            if answer.0["eof"]?.isTrue == true || answer.1.isEmpty || flaw == .readsOnePiece { break }
            id = send("readFile", readParams(ref, path, bytes.count))
        }
        return "\(String(decoding: bytes.prefix(100), as: UTF8.self)) (\(bytes.count))"
    }
}
