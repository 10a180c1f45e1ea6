// SPDX-License-Identifier: Apache-2.0

public import FrontendProtocol
public import LLB

/// What a frontend answers about a build file without building it; `nil` is not offered.
///
/// The engine asks one of them in place of a build, with the same request. A handler may read files and resolve sources, and
/// should evaluate nothing. BuildKit's clients ask the same by an option of a build; those are answered by the same handlers.
/// What it throws is shown as for a build; only ``lint`` answers a wrong build file in its result.
public struct FrontendQuestions: Sendable {
    /// What a question is answered by.
    public typealias Handler<Answer> = @Sendable (FrontendSession, BuildRequest) async throws -> Answer

    /// What the file can build (`describe/targets`).
    public var targets: Handler<TargetsDescription>?
    /// What the chosen target takes (`describe/outline`).
    public var outline: Handler<OutlineDescription>?
    /// What is weak or wrong in the file (`lint`).
    public var lint: Handler<LintFindings>?
    /// The graph of the first platform asked for (`convert`); `nil` is the empty tree.
    public var convert: Handler<Definition?>?
    /// The build file's whole text in its usual form (`format`): the same meaning, and formatting it again changes nothing.
    public var format: Handler<[UInt8]>?
    /// Whether builds with the option `requestid`, which BuildKit's clients ask by, are answered by these handlers.
    ///
    /// A frontend that reads that option itself sets this to false.
    public var answersSubrequests = true

    /// Takes the handlers; what is left out is not offered.
    public init(
        targets: Handler<TargetsDescription>? = nil,
        outline: Handler<OutlineDescription>? = nil,
        lint: Handler<LintFindings>? = nil,
        convert: Handler<Definition?>? = nil,
        format: Handler<[UInt8]>? = nil
    ) {
        self.targets = targets
        self.outline = outline
        self.lint = lint
        self.convert = convert
        self.format = format
    }

    /// The methods behind the handlers that are there, as `initialize` tells them.
    var methods: [Method] {
        var methods: [Method] = []
        if targets != nil { methods.append(.describeTargets) }
        if outline != nil { methods.append(.describeOutline) }
        if lint != nil { methods.append(.lint) }
        if convert != nil { methods.append(.convert) }
        if format != nil { methods.append(.format) }
        return methods
    }

    /// What answers a method, as members of the result; `nil` when it is not offered.
    func handler(for method: Method) -> Handler<WireObject>? {
        switch method {
        case .describeTargets: return targets.map { Self.members($0) }
        case .describeOutline: return outline.map { Self.members($0) }
        case .lint: return lint.map { Self.members($0) }
        case .convert: return convert.map { Self.members(converting: $0) }
        case .format: return format.map { Self.members(formatting: $0) }
        default: return nil
        }
    }

    private static func members<Answer: WorkAnswer>(_ handler: @escaping Handler<Answer>) -> Handler<WireObject> {
        { session, request in
            let answer = try await handler(session, request)
            return answer.members
        }
    }

    private static func members(formatting handler: @escaping Handler<[UInt8]>) -> Handler<WireObject> {
        { session, request in
            let content = try await handler(session, request)
            return Wire.Formatted(content: content).members
        }
    }

    private static func members(converting handler: @escaping Handler<Definition?>) -> Handler<WireObject> {
        { session, request in
            let definition = try await handler(session, request)
            let bytes = try definition?.serialized()
            return Wire.Converted(definition: bytes.map { .protobuf($0) }).members
        }
    }
}
