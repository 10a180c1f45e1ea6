// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
package import LLB
internal import LLBMessages
package import OCI

/// LLB as people write it: operations under names of their choice, in short forms.
///
///     {
///       "syntax": "llb",
///       "operations": {
///         "base": {"image": "alpine:3.20"},
///         "tools": {"exec": "apk add --no-cache git", "from": "base"}
///       },
///       "result": "tools",
///       "image": {"inherit": "base", "cmd": ["git", "--version"]}
///     }
///
/// Everything LLB can say can be said; `docs/llb.md` lists the members.
package struct FriendlyDocument: Sendable {
    /// What is built: a tree, and the image made of it.
    package struct Outcome: Sendable {
        /// The operation, with its output; `nil` is the empty tree.
        let result: (name: String, index: Int64)?
        /// What the operation that points at the result holds besides its input.
        let terminal: Pb_Op
        let metadata: Pb_OpMetadata
        /// Of the result; `nil` when it is no image.
        package let image: ImageSettings?
    }

    /// What is built when no target is named; `nil` when the document has targets only.
    package private(set) var main: Outcome?
    /// Other things that can be built, by name, in order.
    package private(set) var targets: [(name: String, outcome: Outcome)] = []
    /// Platforms it is built for when none are asked for, with what is built for them where that is special.
    package private(set) var platforms: [(platform: Platform, outcome: Outcome?)] = []

    private var assembly: Assembly
    private var takesPlatform: [Bool] = []
    private var lines: [ClosedRange<Int>] = []
    private var source: Pb_Source?
    private let reading: Reading

    static let members = [
        "$schema", "syntax", "defaults", "operations", "result", "image", "platforms", "targets", "source",
    ]
    static let outcomeMembers = ["result", "image"]

    /// Reads a document.
    ///
    /// - Throws: Everything that is wrong with it.
    package init(parsing text: [UInt8], limits: DefinitionLimits = .standard) throws(LLBTextError) {
        let reading = Reading(text)
        let value: LocatedValue
        do throws(LocatedParser.Failure) {
            value = try LocatedParser.document(text, at: LLBText.start(of: text, from: 0) ?? text.count)
        } catch {
            reading.report(error.message, at: error.offset, .top)
            try reading.finish()
            throw LLBTextError(error.message)
        }
        self.reading = reading
        assembly = Assembly(reading, limits: limits)
        read(Node(value: value, path: .top, reading: reading))
        try reading.finish()
        _ = try assembly.order()
        checkResults()
        try reading.finish()
    }

    /// What a target's name builds; `nil` asks for the main outcome.
    ///
    /// - Throws: When there is no such target.
    package func outcome(target: String?) throws(LLBTextError) -> Outcome {
        let known = targets.map(\.name).joined(separator: ", ")
        guard let target else {
            guard let main else { throw LLBTextError("no target is named; this file has \(known)") }
            return main
        }
        guard let found = targets.first(where: { $0.name == target }) else {
            throw LLBTextError(
                targets.isEmpty
                    ? "there is no target \"\(target)\": this file has none"
                    : "there is no target \"\(target)\"; this file has \(known)"
                        + suggestion(for: target, in: targets.map(\.name))
            )
        }
        return found.outcome
    }

    /// The definition of an outcome.
    ///
    /// - Parameters:
    ///   - platform: Filled in where a step or image says nothing; `nil` leaves it open.
    ///   - pruned: Leaves operations out that the outcome does not need.
    ///   - file: The build file's name: every operation then points at its lines.
    package func definition(
        of outcome: Outcome,
        platform: Platform? = nil,
        pruned: Bool = false,
        file: (name: String, content: [UInt8])? = nil
    ) throws(LLBTextError) -> Definition {
        guard let result = outcome.result else {
            if !pruned, assembly.count > 0 {
                throw LLBTextError("the result is scratch, but there are operations")
            }
            return .scratch
        }
        let order = try assembly.order(from: pruned ? [result.name] : nil)
        let fill = platform?.normalized.message
        var digests: [Int: Digest] = [:]
        var definition = try assembly.encode(order) { position, message in
            if let fill, takesPlatform[position] { message.platform = fill }
        } encoded: { position, digest in
            digests[position] = digest
        }
        guard let position = assembly.position(of: result.name), let head = digests[position] else {
            throw LLBTextError("the result \"\(result.name)\" is not here")
        }
        var terminal = outcome.terminal
        var input = Pb_Input()
        input.digest = head.description
        input.index = result.index
        terminal.inputs = [input]
        let last = try Assembly.encoded(terminal)
        definition.operations.append(last)
        if outcome.metadata != Pb_OpMetadata() { definition.metadata[last.digest] = outcome.metadata }
        definition.source = source.map { named($0, digests) } ?? file.map { located(order, digests, $0) }
        return definition
    }

    /// The reference of an image that an operation stands for; `nil` for any other operation.
    package func image(of operation: String) -> String? {
        let scheme = "docker-image://"
        guard let position = assembly.position(of: operation),
            case .source(let source) = assembly.entries[position].message.op, source.identifier.hasPrefix(scheme)
        else { return nil }
        return String(source.identifier.dropFirst(scheme.count))
    }

    /// The platform an operation names itself.
    package func platform(of operation: String) -> Platform? {
        guard let position = assembly.position(of: operation), assembly.entries[position].message.hasPlatform else {
            return nil
        }
        return Platform(assembly.entries[position].message.platform)
    }
}

// MARK: Reading

extension FriendlyDocument {
    private mutating func read(_ top: Node) {
        guard top.members("an object with the operations of a build") != nil else { return }
        top.allow(Self.members, in: "the document")
        _ = top["syntax"]?.string()
        if let given = top["operations"] {
            readOperations(given, defaults(top["defaults"]))
        } else {
            top.report("member \"operations\" is missing")
        }
        if top["result"] != nil || top["targets"] == nil { main = outcome(top) }
        if main == nil { top["image"]?.report("there is no \"result\" to make an image of") }
        for member in top["targets"]?.members("an object of targets") ?? []
        where member.node.members("an object with result and image") != nil {
            member.node.allow(Self.outcomeMembers, in: "a target")
            if let outcome = outcome(member.node) { targets.append((member.name, outcome)) }
        }
        readPlatforms(top["platforms"])
        if let given = top["source"] { source = MessageReader().read(given, "Source") }
    }

    private func defaults(_ node: Node?) -> OperationReader.Defaults {
        var defaults = OperationReader.Defaults()
        guard let node, node.members() != nil else { return defaults }
        node.allow(["platform", "constraints"], in: "the defaults")
        defaults.platform = node["platform"].flatMap(OperationReader.platform)?.message
        if let filters = node["constraints"]?.strings() {
            defaults.constraints = Pb_WorkerConstraints()
            defaults.constraints?.filter = filters
        }
        return defaults
    }

    private mutating func readOperations(_ node: Node, _ defaults: OperationReader.Defaults) {
        guard let members = node.members("an object of operations by their names") else { return }
        for member in members where !member.name.hasPrefix("//") {
            guard !assembly.isFull else { return }
            if let reason = Self.refusal(ofName: member.name) {
                member.node.report("\"\(member.name.prefix(80))\" cannot be an operation's name: \(reason)")
                continue
            }
            var reader = OperationReader(member.node, defaults: defaults)
            guard let read = reader.read() else { continue }
            if read.message.op == nil {
                member.node.report("says not what it does; what points at the result is written as \"result\"")
            }
            takesPlatform.append(read.takesPlatform)
            let range = member.node.value.range
            lines.append(reading.line(of: range.lowerBound)...reading.line(of: range.upperBound))
            assembly.add(
                Assembly.Entry(
                    name: member.name,
                    node: member.node,
                    inputs: read.inputs,
                    message: read.message,
                    metadata: read.metadata
                )
            )
        }
        // An operation that could not be read is there nevertheless: whoever needs it is right.
        assembly.reportMissing(besides: Set(members.map(\.name)))
    }

    /// Why a text cannot name an operation; `nil` when it can.
    static func refusal(ofName name: String) -> String? {
        if name.isEmpty { return "it is empty" }
        if name == OperationReader.scratch { return "that is the empty tree" }
        if name.hasPrefix("^") { return "\"^\" stands before the number of a file action" }
        if let colon = name.lastIndex(of: ":"), OperationReader.outputIndex(name[name.index(after: colon)...]) != nil {
            return "a colon and a number name an output"
        }
        return nil
    }

    private func outcome(_ node: Node) -> Outcome? {
        guard let result = node["result"] else {
            node.report("member \"result\" is missing: the name of the operation that is built")
            return nil
        }
        var terminal = Pb_Op()
        var metadata = Pb_OpMetadata()
        var named = result
        if result.isObject {
            result.allow(["from"] + OperationReader.commonMembers.filter { $0 != "inputs" }, in: "a result")
            guard let from = result["from"] else {
                result.report("member \"from\" is missing: the name of the operation that is built")
                return nil
            }
            named = from
            metadata = MetadataReader(node: result).read()
            if let given = result["platform"], given.isObject {
                if let platform: Pb_Platform = MessageReader().read(given, "Platform") { terminal.platform = platform }
            } else if let platform = result["platform"].flatMap(OperationReader.platform) {
                terminal.platform = platform.message
            }
            if let filters = result["constraints"]?.strings() {
                terminal.constraints = Pb_WorkerConstraints()
                terminal.constraints.filter = filters
            }
        }
        guard let reference = OperationReader(named).reference(named) else { return nil }
        return Outcome(
            result: reference.map { ($0.name, $0.index) },
            terminal: terminal,
            metadata: metadata,
            image: node["image"].flatMap { ImageSettings($0) }
        )
    }

    /// A list of platforms, or an object that says what is built for each.
    private mutating func readPlatforms(_ node: Node?) {
        guard let node else { return }
        if node.isList {
            for element in node.elements() ?? [] {
                if let platform = OperationReader.platform(element) { platforms.append((platform, nil)) }
            }
            return
        }
        for member in node.members("a list of platforms, or an object of results by platform") ?? []
        where member.node.members("an object with result and image") != nil {
            member.node.allow(Self.outcomeMembers, in: "a platform's result")
            do throws(OCIError) {
                let platform = try Platform(parsing: member.name).normalized
                platforms.append((platform, member.node["result"] == nil ? nil : outcome(member.node)))
            } catch {
                member.node.report(error.message)
            }
        }
    }

    /// Reports results and inherited images that are not there.
    private func checkResults() {
        let outcomes = [main].compactMap { $0 } + targets.map(\.outcome) + platforms.compactMap(\.outcome)
        let names = assembly.entries.map(\.name)
        for outcome in outcomes {
            if let name = outcome.result?.name, !assembly.contains(name) {
                reading.report(
                    "the result \"\(name.prefix(80))\" is not here" + suggestion(for: name, in: names),
                    at: 0,
                    .member(.top, "result")
                )
            }
            guard let inherited = outcome.image?.inherited, image(of: inherited) == nil else { continue }
            reading.report(
                assembly.contains(inherited)
                    ? "\"\(inherited.prefix(80))\" is no image, so nothing can be inherited from it"
                    : "\"\(inherited.prefix(80))\" is not here" + suggestion(for: inherited, in: names),
                at: 0,
                .member(.member(.top, "image"), "inherit")
            )
        }
    }
}

// MARK: Lines

extension FriendlyDocument {
    /// The document's own `source`, its names replaced by digests.
    private func named(_ source: Pb_Source, _ digests: [Int: Digest]) -> Pb_Source {
        var source = source
        var locations: [String: Pb_Locations] = [:]
        for (name, value) in source.locations {
            let digest = assembly.position(of: name).flatMap { digests[$0] }
            locations[digest?.description ?? name, default: Pb_Locations()].locations += value.locations
        }
        source.locations = locations
        return source
    }

    /// Where every operation stands in the build file.
    private func located(
        _ order: [Int],
        _ digests: [Int: Digest],
        _ file: (name: String, content: [UInt8])
    ) -> Pb_Source {
        var source = Pb_Source()
        var info = Pb_SourceInfo()
        info.filename = file.name
        info.data = .init(file.content)
        info.language = "JSON"
        source.infos = [info]
        for position in order {
            guard let digest = digests[position] else { continue }
            var range = Pb_Range()
            range.start.line = Int32(clamping: lines[position].lowerBound)
            range.end.line = Int32(clamping: lines[position].upperBound)
            var location = Pb_Location()
            location.ranges = [range]
            source.locations[digest.description, default: Pb_Locations()].locations.append(location)
        }
        return source
    }
}
