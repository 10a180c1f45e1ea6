// SPDX-License-Identifier: Apache-2.0

extension Wire {
    /// A line for the build's log.
    public struct Log: WireNotification {
        package static let method = Method.log

        /// How much a line matters.
        public enum Level: String, Sendable, Hashable, CaseIterable {
            case debug, info, warning, error
        }

        /// How much the line matters.
        public var level: Level
        /// What is said; one line.
        public var message: String

        /// Makes a value of its members.
        public init(level: Level = .info, message: String) {
            self.level = level
            self.message = message
        }

        package init(members: MemberReader) throws(MemberError) {
            level = try members.word("level", Level.self) ?? .info
            message = try members.string("message")
        }

        package var members: WireObject {
            ["level": .string(level.rawValue), "message": .string(message)]
        }
    }

    /// Tells how far a piece of the frontend's own work is.
    public struct Progress: WireNotification {
        package static let method = Method.progress

        /// Names the piece; messages with one id tell about one piece.
        public var id: String
        /// What to show for the piece.
        public var name: String
        /// How much is done, of ``total``; both in units the name tells.
        public var current: Int64?
        /// How much there is in all; `nil` when that is not known.
        public var total: Int64?
        /// Whether it is over.
        public var isCompleted: Bool

        /// Makes a value of its members.
        public init(
            id: String,
            name: String,
            current: Int64? = nil,
            total: Int64? = nil,
            isCompleted: Bool = false
        ) {
            self.id = id
            self.name = name
            self.current = current
            self.total = total
            self.isCompleted = isCompleted
        }

        package init(members: MemberReader) throws(MemberError) {
            id = try members.string("id")
            name = try members.string("name")
            current = try members.optionalInteger("current")
            total = try members.optionalInteger("total")
            isCompleted = try members.optionalBool("completed") ?? false
        }

        package var members: WireObject {
            var members: WireObject = ["id": .string(id), "name": .string(name)]
            members["current"] = current.map { .wide($0) }
            members["total"] = total.map { .wide($0) }
            members["completed"] = .bool(isCompleted)
            return members
        }
    }

    /// Gives a request up.
    ///
    /// It is answered all the same, exactly once.
    package struct Cancel: WireNotification {
        package static let method = Method.cancel

        package var id: Int64

        package init(id: Int64) { self.id = id }

        package init(members: MemberReader) throws(MemberError) { id = try members.integer("id") }

        package var members: WireObject { ["id": .integer(id)] }
    }
}

/// A place in a build file: the first character inside and the first one behind it.
///
/// Lines and columns count from 1.
public struct TextRange: WireRepresentable {
    /// The line of the first character.
    public var startLine: Int
    /// In bytes; 0 where only lines are known.
    public var startColumn: Int
    /// The line of the last character.
    public var endLine: Int
    /// The column behind the last character, in bytes; 0 where only lines are known.
    public var endColumn: Int

    /// Makes a value of its members.
    public init(startLine: Int, startColumn: Int = 0, endLine: Int? = nil, endColumn: Int = 0) {
        self.startLine = startLine
        self.startColumn = startColumn
        self.endLine = endLine ?? startLine
        self.endColumn = endColumn
    }

    package init(members: MemberReader) throws(MemberError) {
        func number(_ name: String) throws(MemberError) -> Int {
            let value = try members.optionalInteger(name) ?? 0
            guard let number = Int32(exactly: value), number >= 0 else {
                throw members.invalid(name, "is out of range")
            }
            return Int(number)
        }
        _ = try members.integer("startLine")
        self.init(
            startLine: try number("startLine"),
            startColumn: try number("startColumn"),
            endLine: try number("endLine"),
            endColumn: try number("endColumn")
        )
        if endLine == 0 { endLine = startLine }
    }

    package var members: WireObject {
        [
            "startLine": .integer(Int64(startLine)), "startColumn": .integer(Int64(startColumn)),
            "endLine": .integer(Int64(endLine)), "endColumn": .integer(Int64(endColumn)),
        ]
    }
}

/// A warning or hint about a build file.
public struct Diagnostic: WireNotification {
    package static let method = Method.diagnostic

    /// How bad it is.
    ///
    /// Errors that end a build are answers to `build`, not diagnostics.
    public enum Severity: String, Sendable, Hashable, CaseIterable {
        case error, warning, hint
    }

    /// How bad it is.
    public var severity: Severity
    /// A stable name of the rule: `FromAsCasing`.
    public var code: String?
    /// What is said; one line.
    public var message: String
    /// Further lines.
    public var detail: [String]
    /// Where to read more.
    public var url: String?
    /// The build file's name.
    public var fileName: String?
    /// Where in the file it is.
    public var ranges: [TextRange]
    /// What would remove its cause, the best first; only those of a lint are looked at.
    public var fixes: [Fix]

    /// Makes a value of its members.
    public init(
        severity: Severity,
        code: String? = nil,
        message: String,
        detail: [String] = [],
        url: String? = nil,
        fileName: String? = nil,
        ranges: [TextRange] = [],
        fixes: [Fix] = []
    ) {
        self.severity = severity
        self.code = code
        self.message = message
        self.detail = detail
        self.url = url
        self.fileName = fileName
        self.ranges = ranges
        self.fixes = fixes
    }

    package init(members: MemberReader) throws(MemberError) {
        severity = try members.word("severity", Severity.self) ?? .warning
        code = try members.optionalString("code")
        message = try members.string("message")
        detail = try members.optionalStrings("detail") ?? []
        url = try members.optionalString("url")
        fileName = try members.optionalString("file")
        ranges = try members.ranges()
        fixes = []
        for reader in try members.optionalObjects("fixes") ?? [] { fixes.append(try Fix(members: reader)) }
    }

    package var members: WireObject {
        var members: WireObject = [
            "severity": .string(severity.rawValue), "message": .string(message),
            "detail": .array(detail.map { .string($0) }),
            "ranges": .array(ranges.map { .object($0.members) }),
        ]
        members["code"] = code.map { .string($0) }
        members["url"] = url.map { .string($0) }
        members["file"] = fileName.map { .string($0) }
        if !fixes.isEmpty { members["fixes"] = .array(fixes.map { .object($0.members) }) }
        return members
    }
}
