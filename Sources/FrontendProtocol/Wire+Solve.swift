// SPDX-License-Identifier: Apache-2.0

extension Wire {
    /// An LLB definition in one of its two forms.
    public enum Definition: Sendable, Hashable {
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

    /// Turns a definition into a ref. Nothing runs until something reads it, unless `evaluate` is set.
    public struct Solve: WireRequest {
        public static let method = Method.solve

        public var definition: Definition
        /// Whether the answer waits until the result stands.
        public var evaluate: Bool

        public init(definition: Definition, evaluate: Bool = false) {
            self.definition = definition
            self.evaluate = evaluate
        }

        public init(members: MemberReader) throws(MemberError) {
            definition = try Definition(members, "definition")
            evaluate = try members.optionalBool("evaluate") ?? false
        }

        public var members: WireObject {
            ["definition": definition.value, "evaluate": .bool(evaluate)]
        }

        /// The ref; `nil` is the empty tree.
        public struct Answer: WireRepresentable {
            public var ref: String?

            public init(ref: String?) { self.ref = ref }

            public init(members: MemberReader) throws(MemberError) {
                ref = try members.nullableString("ref")
            }

            public var members: WireObject { ["ref": ref.map { .string($0) } ?? .null] }
        }
    }

    /// Waits until a ref's result stands.
    public struct Evaluate: WireRequest {
        public typealias Answer = Done
        public static let method = Method.evaluate

        public var ref: String

        public init(ref: String) { self.ref = ref }

        public init(members: MemberReader) throws(MemberError) { ref = try members.string("ref") }

        public var members: WireObject { ["ref": .string(ref)] }
    }

    /// Gives a ref back; its name means nothing afterwards.
    public struct ReleaseRef: WireRequest {
        public typealias Answer = Done
        public static let method = Method.releaseRef

        public var ref: String

        public init(ref: String) { self.ref = ref }

        public init(members: MemberReader) throws(MemberError) { ref = try members.string("ref") }

        public var members: WireObject { ["ref": .string(ref)] }
    }

    /// Runs another frontend. Declared in 1.0; an engine offers it by the capability `frontend.solve`.
    public struct SolveFrontend: WireRequest {
        public typealias Answer = Build.Answer
        public static let method = Method.frontendSolve

        public var name: String
        public var options: [String: String]
        public var inputs: [String: Input]

        public init(name: String, options: [String: String], inputs: [String: Input]) {
            self.name = name
            self.options = options
            self.inputs = inputs
        }

        public init(members: MemberReader) throws(MemberError) {
            name = try members.string("name")
            options = try members.stringMap("options")
            inputs = [:]
            if let reader = try members.optionalObject("inputs") {
                for member in reader.object.members {
                    inputs[member.name] = try Input(members: reader.reader(member.name))
                }
            }
        }

        public var members: WireObject {
            [
                "name": .string(name),
                "options": .object(WireObject(sorted: options)),
                "inputs": .object(WireObject(sorted: inputs.mapValues { .object($0.members) })),
            ]
        }
    }
}
