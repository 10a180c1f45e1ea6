// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol

extension ConformanceCase {
    /// Reads a case file.
    ///
    /// - Parameter file: Its name, for messages.
    /// - Throws: ``CaseTextError``; also for members nobody knows, so that a misspelt one does not pass.
    package init(toml bytes: [UInt8], file: String) throws {
        let text = try CaseText(bytes, file: file)
        try text.checkNames(["name", "rules", "summary", "build", "work", "engine", "send", "expect"])
        self.init(
            try text.required("name"),
            rules: try text.list("rules") ?? [],
            try text.text("summary") ?? ""
        )
        guard suite != nil, !rules.isEmpty else {
            let suites = Suite.allCases.map(\.rawValue).joined(separator: ", ")
            throw text.error(
                "\"name\" must begin with a suite (\(suites)) and a slash, and \"rules\" name one at least"
            )
        }
        build = try text.word("build") ?? .samples
        work = try text.text("work") ?? work
        if let table = try text.table("engine") { engine = try EngineBehaviour(table) }
        messages = try text.tables("send").map { try ExtraMessage($0) }
        if let table = try text.table("expect") { expectation = try Expectation(table) }
    }
}

extension EngineBehaviour {
    fileprivate init(_ text: CaseText) throws {
        try text.checkNames([
            "protocol", "capabilities", "llb", "members", "answer-members", "limits", "pipe", "write", "read",
            "blob-frame", "blob", "json", "order", "read-answer", "pad-files", "pad-directories", "pad-build",
            "pad-messages",
            "arguments", "close", "pause", "failures",
        ])
        protocolVersions = try text.list("protocol") ?? protocolVersions
        capabilities = try text.list("capabilities")
        llbCapabilities = try text.list("llb")
        members = try text.json("members") ?? [:]
        answerMembers = try text.json("answer-members") ?? [:]
        if let table = try text.table("limits") {
            try table.checkNames(["frame", "message", "blob", "inFlight", "refs"])
            limits = ProtocolLimits(
                frameBytes: try table.number("frame") ?? limits.frameBytes,
                messageBytes: try table.number("message") ?? limits.messageBytes,
                blobBytes: try table.number("blob") ?? limits.blobBytes,
                inFlight: try table.number("inFlight") ?? limits.inFlight,
                refs: try table.number("refs") ?? limits.refs
            )
        }
        pipeByteCount = try text.number("pipe")
        writeByteCount = try text.number("write").map { max(1, $0) }
        readByteCount = try text.number("read").map { max(1, $0) }
        blobFrameByteCount = try text.number("blob-frame").map { max(1, $0) }
        blobForm = try text.word("blob") ?? .sized
        jsonForm = try text.word("json") ?? .compact
        order = try text.word("order") ?? .asked
        readAnswerByteCount = try text.number("read-answer").map { max(1, $0) }
        paddedFileByteCount = try text.number("pad-files")
        paddedDirectoryCount = try text.number("pad-directories")
        unknownFileByteCount = try text.number("pad-build")
        paddedMessageByteCount = try text.number("pad-messages")
        arguments = try text.list("arguments") ?? []
        close = try text.word("close")
        pauseMilliseconds = try text.number("pause")
        failures = try text.strings(in: "failures")
    }
}

extension ExtraMessage {
    fileprivate init(_ text: CaseText) throws {
        try text.checkNames(["at", "request", "notification", "params", "hex", "abort"])
        let params = try text.json("params") ?? [:]
        let content: Content
        if let method = try text.text("request") {
            content = .request(method, params)
        } else if let method = try text.text("notification") {
            content = .notification(method, params)
        } else if let hex = try text.text("hex") {
            guard let bytes = Self.bytes(hex: hex) else { throw text.error("hex must be pairs of hexadecimal digits") }
            content = .raw(bytes)
        } else if try text.flag("abort") == true {
            content = .abortedBuild
        } else {
            throw text.error("has none of \"request\", \"notification\", \"hex\" and \"abort\"")
        }
        self.init(try text.word("at") ?? .initialized, content)
    }

    private static func bytes(hex: String) -> [UInt8]? {
        let digits = hex.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == hex.utf8.count, digits.count % 2 == 0 else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}

extension Expectation {
    fileprivate init(_ text: CaseText) throws {
        try text.checkNames(["protocol", "failure", "build", "request", "output"])
        build = try text.word("build") ?? .any
        protocolVersion = try text.text("protocol")
        initializeFailure = try text.text("failure")
        requestFailure = try text.text("request")
        if let output = try text.text("output") {
            guard output == "none" else { throw text.error("output can only be \"none\"") }
            hasNoOutput = true
        }
    }
}

extension CaseText {
    /// An object written as JSON in a string.
    fileprivate func json(_ name: String) throws(CaseTextError) -> WireObject? {
        guard let text = try text(name) else { return nil }
        do throws(JSONError) {
            return try JSONParser.object(Array(text.utf8))
        } catch {
            throw self.error("\(name) is no JSON object: \(error)")
        }
    }
}
