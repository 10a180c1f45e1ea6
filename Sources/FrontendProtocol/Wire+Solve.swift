// SPDX-License-Identifier: Apache-2.0

extension Wire {
    /// An LLB definition in one of its two forms.
    package enum Definition: Sendable, Hashable {
        /// The bytes of BuildKit's `pb.Definition`.
        case protobuf([UInt8])
        /// The same message in protobuf's JSON form, written as `{"json":…}`.
        case json(WireObject)

        init(_ reader: MemberReader, _ name: String) throws(MemberError) {
            if case .object? = reader.object[name] {
                self = .json(try reader.reader(name).reader("json").object)
            } else {
                self = .protobuf(try reader.bytes(name))
            }
        }

        var value: WireValue {
            switch self {
            case .protobuf(let bytes): .bytes(bytes)
            case .json(let object): ["json": .object(object)]
            }
        }
    }

    /// Turns a definition into a ref.
    ///
    /// Nothing runs until something reads it, unless `evaluate` is set.
    package struct Solve: WireRequest {
        package static let method = Method.solve

        package var definition: Definition
        /// Whether the answer waits until the result stands.
        package var evaluate: Bool

        package init(definition: Definition, evaluate: Bool = false) {
            self.definition = definition
            self.evaluate = evaluate
        }

        package init(members: MemberReader) throws(MemberError) {
            definition = try Definition(members, "definition")
            evaluate = try members.optionalBool("evaluate") ?? false
        }

        package var members: WireObject {
            ["definition": definition.value, "evaluate": .bool(evaluate)]
        }

        /// The ref; `nil` is the empty tree.
        package struct Answer: WireRepresentable {
            package var ref: String?

            package init(ref: String?) { self.ref = ref }

            package init(members: MemberReader) throws(MemberError) {
                ref = try members.nullableString("ref")
            }

            package var members: WireObject { ["ref": ref.map { .string($0) } ?? .null] }
        }
    }

    /// Waits until a ref's result stands.
    package struct Evaluate: WireRequest {
        package typealias Answer = Done
        package static let method = Method.evaluate

        package var ref: String

        package init(ref: String) { self.ref = ref }

        package init(members: MemberReader) throws(MemberError) { ref = try members.string("ref") }

        package var members: WireObject { ["ref": .string(ref)] }
    }

    /// Gives a ref back; its name means nothing afterwards.
    package struct ReleaseRef: WireRequest {
        package typealias Answer = Done
        package static let method = Method.releaseRef

        package var ref: String

        package init(ref: String) { self.ref = ref }

        package init(members: MemberReader) throws(MemberError) { ref = try members.string("ref") }

        package var members: WireObject { ["ref": .string(ref)] }
    }

    /// Has another frontend do a build; an engine offers it by the capability `frontend.solve`.
    package struct SolveFrontend: WireRequest {
        package typealias Answer = Build.Answer
        package static let method = Method.frontendSolve

        /// A build file for the other frontend.
        package struct File: WireRepresentable {
            package var name: String
            package var content: [UInt8]

            package init(name: String, content: [UInt8]) {
                self.name = name
                self.content = content
            }

            package init(members: MemberReader) throws(MemberError) {
                name = try members.string("name")
                content = try members.bytes("content")
            }

            package var members: WireObject { ["name": .string(name), "content": .bytes(content)] }
        }

        /// The frontend, as the project calls it.
        package var name: String
        /// `nil` is the caller's own.
        package var file: File?
        package var options: [String: String]
        /// Trees of the caller.
        package var inputs: [String: Input]

        package init(name: String, file: File? = nil, options: [String: String], inputs: [String: Input]) {
            self.name = name
            self.file = file
            self.options = options
            self.inputs = inputs
        }

        package init(members: MemberReader) throws(MemberError) {
            name = try members.string("name")
            if let reader = try members.optionalObject("buildFile") { file = try File(members: reader) }
            options = try members.stringMap("options")
            inputs = try members.inputs()
        }

        package var members: WireObject {
            var members: WireObject = ["name": .string(name)]
            members["buildFile"] = file.map { .object($0.members) }
            members["options"] = .object(WireObject(sorted: options))
            members["inputs"] = .object(WireObject(sorted: inputs.mapValues { .object($0.members) }))
            return members
        }
    }
}
