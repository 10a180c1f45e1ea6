// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import OCI

/// What one frontend asked and was answered in one build, and what it made of it.
///
/// A result is a function of the program, of what it was told at the start, and of these answers. So it may be used again
/// where all of them are the same.
struct SessionRecord: Sendable, Hashable {
    /// One request with what names its answer.
    struct Exchange: Sendable, Hashable {
        let method: String
        /// Refs in it are names of the recorded session.
        let params: WireObject
        let isFailure: Bool
        /// Of the answer, names of refs left out.
        let answer: Digest
        /// The refs of the answer, in order.
        let refs: [String]
    }

    /// Something the frontend said.
    enum Notice: Sendable, Hashable {
        case log(FrontendLogEntry)
        case diagnostic(Diagnostic)
    }

    let frontend: Wire.Program
    let exchanges: [Exchange]
    let notices: [Notice]
    /// The members of the answer to `build`.
    let result: WireObject
}

extension SessionRecord.Exchange {
    init(method: String, params: WireObject, answer: Result<WireObject, ProtocolFailure>) {
        var refs: [String] = []
        let members: WireObject
        switch answer {
        case .success(let result):
            members = result.mappingRefs { name in
                refs.append(name)
                return ""
            }
            isFailure = false
        case .failure(let failure):
            members = failure.members
            isFailure = true
        }
        self.method = method
        self.params = params
        self.answer = members.digest
        self.refs = refs
    }
}

extension WireObject {
    /// The object with other names for the refs in it, where messages have them: in `ref`, in `inputs` and in `refs`.
    ///
    /// - Parameter rename: Gets the names in order; `nil` keeps one.
    func mappingRefs(_ rename: (String) -> String?) -> WireObject {
        func renamed(_ object: WireObject) -> WireObject {
            guard case .string(let name)? = object["ref"], let new = rename(name) else { return object }
            var copy = object
            copy["ref"] = .string(new)
            return copy
        }
        var copy = renamed(self)
        if case .object(var inputs)? = copy["inputs"] {
            for member in inputs.members {
                if case .object(let input) = member.value { inputs[member.name] = .object(renamed(input)) }
            }
            copy["inputs"] = .object(inputs)
        }
        if case .array(let entries)? = copy["refs"] {
            copy["refs"] = .array(
                entries.map { entry in
                    if case .object(let object) = entry { .object(renamed(object)) } else { entry }
                }
            )
        }
        return copy
    }
}

// MARK: On disk

extension SessionRecord {
    /// Grows with every change of the form: files of another one are not read.
    private static let form: Int64 = 1
    private static let method = "record"
    /// What a record may hold, so that one can be read back in bounded memory.
    private static let limits = ProtocolLimits(
        frameBytes: ProtocolLimits.frameCeiling,
        messageBytes: ProtocolLimits.frameCeiling,
        blobBytes: byteLimit
    )
    /// Size of a file, in bytes.
    static let byteLimit = 32 << 20

    /// Size of the digest at a file's beginning, in bytes.
    static let checkByteCount = 64

    /// The record as bytes: the digest of the rest, then one message of the protocol's own framing.
    ///
    /// - Returns: `nil` for one that is too large to be kept.
    func encoded() -> [UInt8]? {
        var connection = ProtocolConnection(role: .engine, limits: Self.limits)
        guard let pieces = try? connection.notify(Self.method, members) else { return nil }
        let body = Array(pieces.joined())
        guard body.count <= Self.byteLimit else { return nil }
        return Array(Digest.of(body).hex.utf8) + body
    }

    /// Reads a record; `nil` for anything that is none of this form.
    init?(_ bytes: [UInt8]) {
        let (check, body) = (Array(bytes.prefix(Self.checkByteCount)), Array(bytes.dropFirst(Self.checkByteCount)))
        guard !body.isEmpty, Array(Digest.of(body).hex.utf8) == check else { return nil }
        var connection = ProtocolConnection(role: .frontend, limits: Self.limits)
        connection.receive(body)
        guard case .notification(Self.method, let members)? = try? connection.nextEvent(),
            let record = try? SessionRecord(members: MemberReader(members, path: "record"))
        else { return nil }
        self = record
    }

    private var members: WireObject {
        [
            "form": .integer(Self.form),
            "frontend": .object(frontend.members),
            "exchanges": .array(exchanges.map { .object($0.members) }),
            "notices": .array(notices.map { .object($0.members) }),
            "result": .object(result),
        ]
    }

    private init(members: MemberReader) throws(MemberError) {
        guard try members.integer("form") == Self.form else { throw members.invalid("form", "is another one") }
        frontend = try Wire.Program(members: members.reader("frontend"))
        var exchanges: [Exchange] = []
        for reader in try members.objects("exchanges") { exchanges.append(try Exchange(members: reader)) }
        self.exchanges = exchanges
        var notices: [Notice] = []
        for reader in try members.objects("notices") { notices.append(try Notice(members: reader)) }
        self.notices = notices
        result = try members.reader("result").object
    }
}

extension SessionRecord.Exchange {
    fileprivate var members: WireObject {
        [
            "method": .string(method), "params": .object(params), "failed": .bool(isFailure),
            "answer": .string(answer.description), "refs": .array(refs.map { .string($0) }),
        ]
    }

    fileprivate init(members: MemberReader) throws(MemberError) {
        method = try members.string("method")
        params = try members.reader("params").object
        isFailure = try members.bool("failed")
        guard let answer = Digest(try members.string("answer")) else {
            throw members.invalid("answer", "is no digest")
        }
        self.answer = answer
        refs = try members.strings("refs")
    }
}

extension SessionRecord.Notice {
    fileprivate var members: WireObject {
        switch self {
        case .diagnostic(let diagnostic): ["diagnostic": .object(diagnostic.members)]
        case .log(let entry):
            [
                "log": .object(Wire.Log(level: entry.level, message: entry.text).members),
                "stderr": .bool(entry.origin == .standardError),
            ]
        }
    }

    fileprivate init(members: MemberReader) throws(MemberError) {
        if let reader = try members.optionalObject("diagnostic") {
            self = .diagnostic(try Diagnostic(members: reader))
            return
        }
        let log = try Wire.Log(members: members.reader("log"))
        let isError = try members.bool("stderr")
        self = .log(
            FrontendLogEntry(origin: isError ? .standardError : .message, level: log.level, text: log.message)
        )
    }
}
