// SPDX-License-Identifier: Apache-2.0

extension Diagnostic {
    /// Edits that together remove the cause of a diagnostic.
    public struct Fix: WireRepresentable {
        /// What it does, in a few words for a menu: `write FROM in upper case`.
        public var title: String
        /// What to replace; no two overlap, and at least one is there.
        public var edits: [Edit]

        /// Makes a value of its members.
        public init(title: String, edits: [Edit]) {
            self.title = title
            self.edits = edits
        }

        package init(members: MemberReader) throws(MemberError) {
            title = try members.string("title")
            edits = []
            for reader in try members.objects("edits") { edits.append(try Edit(members: reader)) }
            if edits.isEmpty { throw members.invalid("edits", "is empty") }
        }

        package var members: WireObject {
            ["title": .string(title), "edits": .array(edits.map { .object($0.members) })]
        }
    }

    /// One stretch of the build file, and what stands there instead.
    public struct Edit: WireRepresentable {
        /// With columns; where start and end are the same place, the text is inserted there.
        public var range: TextRange
        /// What replaces it; may be empty.
        public var text: String

        /// Makes a value of its members.
        public init(range: TextRange, text: String) {
            self.range = range
            self.text = text
        }

        package init(members: MemberReader) throws(MemberError) {
            range = try TextRange(members: try members.reader("range"))
            text = try members.string("text")
            let isOrdered = (range.startLine, range.startColumn) <= (range.endLine, range.endColumn)
            guard range.startLine > 0, range.startColumn > 0, range.endColumn > 0, isOrdered else {
                throw members.invalid("range", "is no stretch of a file, from its first character to the one behind it")
            }
        }

        package var members: WireObject { ["range": .object(range.members), "text": .string(text)] }
    }
}
