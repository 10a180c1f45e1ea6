// SPDX-License-Identifier: Apache-2.0

/// What is weak or wrong in a build file: the answer to `lint`.
public struct LintFindings: WorkAnswer {
    package static let method = Method.lint

    /// Why linting ended before the end of the file.
    public struct Failure: WireRepresentable {
        /// What is wrong.
        public var message: String
        /// The build file's name.
        public var fileName: String?
        /// Where in the file it is.
        public var ranges: [TextRange]

        /// Makes a value of its members.
        public init(message: String, fileName: String? = nil, ranges: [TextRange] = []) {
            self.message = message
            self.fileName = fileName
            self.ranges = ranges
        }

        package init(members: MemberReader) throws(MemberError) {
            message = try members.string("message")
            fileName = try members.optionalString("file")
            ranges = try members.ranges()
        }

        package var members: WireObject {
            var members: WireObject = ["message": .string(message)]
            members["file"] = fileName.map { .string($0) }
            members["ranges"] = .array(ranges.map { .object($0.members) })
            return members
        }
    }

    /// In the order of the file.
    public var diagnostics: [Diagnostic]
    /// Set when the file cannot be built at all.
    public var error: Failure?

    /// Makes a value of its members.
    public init(diagnostics: [Diagnostic], error: Failure? = nil) {
        self.diagnostics = diagnostics
        self.error = error
    }

    /// Whether nothing was found.
    public var isClean: Bool { diagnostics.isEmpty && error == nil }

    package init(members: MemberReader) throws(MemberError) {
        diagnostics = []
        for reader in try members.objects("diagnostics") {
            diagnostics.append(try Diagnostic(members: reader))
        }
        error = try members.optionalObject("error").map { reader throws(MemberError) in
            try Failure(members: reader)
        }
    }

    package var members: WireObject {
        var members: WireObject = ["diagnostics": .array(diagnostics.map { .object($0.members) })]
        members["error"] = error.map { .object($0.members) }
        return members
    }
}

extension Wire {
    /// The graph a build file makes: the answer to `convert`.
    package struct Converted: WorkAnswer {
        package static let method = Method.convert

        /// `nil` is the empty tree.
        package var definition: Definition?

        package init(definition: Definition?) { self.definition = definition }

        package init(members: MemberReader) throws(MemberError) {
            switch members.object["definition"] {
            case nil: throw MemberError(path: members.path, member: "definition", problem: nil)
            case .null?: definition = nil
            default: definition = try Definition(members, "definition")
            }
        }

        package var members: WireObject { ["definition": definition?.value ?? .null] }
    }
}

extension Wire {
    /// A build file in its usual form: the answer to `format`.
    package struct Formatted: WorkAnswer {
        package static let method = Method.format

        /// The whole text; the bytes of the request when it has that form already.
        package var content: [UInt8]

        package init(content: [UInt8]) { self.content = content }

        package init(members: MemberReader) throws(MemberError) { content = try members.bytes("content") }

        package var members: WireObject { ["content": .bytes(content)] }
    }
}
