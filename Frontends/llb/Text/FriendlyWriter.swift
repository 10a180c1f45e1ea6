// SPDX-License-Identifier: Apache-2.0

package import LLB
internal import LLBMessages
package import OCI

/// Writes a definition in the friendly form.
///
/// Every operation is written in its shortest form that reads back as the same operation, so nothing is lost: where no
/// short form fits, the message itself stands there. Only the encoding of bytes that are not canonical is not kept.
package struct FriendlyWriter {
    /// The names of operations, by digest.
    package private(set) var names: [Digest: String] = [:]

    private let definition: Definition
    private let messages: [(operation: Definition.Operation, message: Pb_Op)]
    private let head: Edge?

    /// Prepares a definition.
    ///
    /// - Parameter keepsLines: Whether lines of build files, and the files themselves, are written too.
    /// - Throws: When an operation's bytes are none, or the last one points at no result.
    package init(_ definition: Definition) throws(LLBTextError) {
        self.definition = definition
        var seen: Set<Digest> = []
        var messages: [(operation: Definition.Operation, message: Pb_Op)] = []
        for operation in definition.operations where seen.insert(operation.digest).inserted {
            messages.append((operation, try DumpLines.message(of: operation)))
        }
        self.messages = messages
        do throws(LLBError) {
            head = try definition.head()
        } catch {
            throw LLBTextError(error.message)
        }
        nameOperations()
    }

    /// The document, with its members in the order people read them.
    ///
    /// - Parameter keepsLines: Whether lines of build files, and the files themselves, are written too.
    package func json(keepsLines: Bool = false) throws(LLBTextError) -> JSONValue {
        let defaults = self.defaults
        var operations: [JSONMember] = []
        for (operation, message) in messages.dropLast() {
            guard let name = names[operation.digest] else { continue }
            operations.append(JSONMember(name, try json(of: message, operation.digest, defaults)))
        }
        var members = [JSONMember("syntax", .string("llb"))]
        if let defaults = defaults.json { members.append(JSONMember("defaults", defaults)) }
        members.append(JSONMember("operations", .object(operations)))
        members.append(JSONMember("result", try result()))
        if keepsLines, let source = try source() { members.append(JSONMember("source", source)) }
        return .object(members)
    }

    /// The name of an input, with its output.
    func name(of input: Pb_Input) -> String? {
        guard let digest = Digest(input.digest), let name = names[digest], (0..<1_000_000_000).contains(input.index)
        else { return nil }
        return input.index == 0 ? name : "\(name):\(input.index)"
    }

    // MARK: Names

    private mutating func nameOperations() {
        var counts: [String: Int] = [:]
        var taken: Set<String> = [OperationReader.scratch]
        for (operation, message) in messages.dropLast() {
            let base = OperationNames.name(of: message)
            var name = base
            while !taken.insert(name).inserted {
                counts[base, default: 1] += 1
                name = "\(base)-\(counts[base, default: 2])"
            }
            names[operation.digest] = name
        }
    }

    // MARK: Defaults

    struct WrittenDefaults {
        var platform: Pb_Platform?
        var constraints: Pb_WorkerConstraints?

        var reader: OperationReader.Defaults { .init(platform: platform, constraints: constraints) }

        var json: JSONValue? {
            var members: [JSONMember] = []
            if let platform { members.append(JSONMember("platform", .string(Platform(platform).description))) }
            if let constraints { members.append(JSONMember("constraints", .strings(constraints.filter))) }
            return members.isEmpty ? nil : .object(members)
        }
    }

    /// What most operations say alike is said once.
    private var defaults: WrittenDefaults {
        var platforms: [Pb_Platform: Int] = [:]
        var constraints: [Pb_WorkerConstraints: Int] = [:]
        let operations = messages.dropLast().map(\.message)
        for message in operations {
            if message.hasPlatform { platforms[message.platform, default: 0] += 1 }
            if message.hasConstraints { constraints[message.constraints, default: 0] += 1 }
        }
        var defaults = WrittenDefaults()
        // Ties go to what sorts first, whatever order a dictionary has.
        func mostUsed<Key>(_ counts: [Key: Int], _ text: (Key) -> String) -> Key? {
            counts.max { ($0.value, text($1.key)) < ($1.value, text($0.key)) }?.key
        }
        if let platform = mostUsed(platforms, { Platform($0).description }), Self.isPlain(platform) {
            defaults.platform = platform
        }
        let filtered = mostUsed(constraints) { $0.filter.joined(separator: "\0") }
        if let filtered, constraints[filtered, default: 0] * 2 > operations.count { defaults.constraints = filtered }
        return defaults
    }

    /// Whether a platform's text says all of it.
    static func isPlain(_ platform: Pb_Platform) -> Bool {
        guard let parsed = try? Platform(parsing: Platform(platform).description) else { return false }
        return parsed.normalized.message == platform
    }

    // MARK: Operations

    private func json(
        of message: Pb_Op,
        _ digest: Digest,
        _ defaults: WrittenDefaults
    ) throws(LLBTextError) -> JSONValue {
        let common = try metadata(definition.metadata[digest])
        let inputs = JSONMember("inputs", .array(message.inputs.map { .string(name(of: $0) ?? $0.digest) }))
        let placed = placement(of: message, defaults)
        for short in ShortForms(message: message, name: name).candidates() {
            for members in [short + placed, short + placed + [inputs]] {
                let json = JSONValue.object(members + common)
                if reads(json, as: message, defaults) { return json }
            }
        }
        var raw = message
        raw.inputs = []
        let members = [JSONMember("op", try GoForm.json(raw, nests: false)), inputs]
        return .object(members + common)
    }

    /// Where an operation runs, as far as the defaults do not say it.
    private func placement(of message: Pb_Op, _ defaults: WrittenDefaults) -> [JSONMember] {
        var members: [JSONMember] = []
        if message.hasPlatform {
            if message.platform != defaults.platform || !Self.takesPlatform(message) {
                members.append(JSONMember("platform", platform(message.platform)))
            }
        } else if defaults.platform != nil, Self.takesPlatform(message) {
            members.append(JSONMember("platform", .null))
        }
        if message.hasConstraints {
            if message.constraints != defaults.constraints {
                members.append(JSONMember("constraints", .strings(message.constraints.filter)))
            }
        } else if defaults.constraints != nil {
            members.append(JSONMember("constraints", .null))
        }
        return members
    }

    private func platform(_ platform: Pb_Platform) -> JSONValue {
        if Self.isPlain(platform) { return .string(Platform(platform).description) }
        return (try? GoForm.json(platform, nests: false)) ?? .null
    }

    private static func takesPlatform(_ message: Pb_Op) -> Bool {
        switch message.op {
        case .exec: true
        case .source(let source): ["docker-image://", "oci-layout://"].contains(where: source.identifier.hasPrefix)
        default: false
        }
    }

    private func reads(_ json: JSONValue, as message: Pb_Op, _ defaults: WrittenDefaults) -> Bool {
        // What a list may say twice, an object cannot.
        guard !json.hasRepeatedMembers else { return false }
        let reading = Reading([])
        var reader = OperationReader(
            Node(value: LocatedValue(json), path: .top, reading: reading),
            defaults: defaults.reader
        )
        guard let read = reader.read(), reading.problemCount == 0 else { return false }
        var copy = message
        copy.inputs = []
        let inputs = message.inputs.map { name(of: $0) ?? "" }
        return read.message == copy
            && read.inputs.map { $0.index == 0 ? $0.name : "\($0.name):\($0.index)" } == inputs
    }

    // MARK: Beside operations

    private func metadata(_ metadata: Pb_OpMetadata?) throws(LLBTextError) -> [JSONMember] {
        guard let metadata else { return [] }
        var members: [JSONMember] = []
        var description = metadata.description_p
        if let name = description.removeValue(forKey: "llb.customname") {
            members.append(JSONMember("name", .string(name)))
        }
        if !description.isEmpty { members.append(JSONMember("description", .map(description))) }
        if metadata.ignoreCache { members.append(JSONMember("ignoreCache", .bool(true))) }
        if metadata.hasExportCache { members.append(JSONMember("exportCache", .bool(metadata.exportCache.value))) }
        let capabilities = metadata.caps.filter(\.value).keys.sorted()
        if !capabilities.isEmpty { members.append(JSONMember("caps", .strings(capabilities))) }
        if metadata.hasProgressGroup {
            members.append(JSONMember("progressGroup", try GoForm.json(metadata.progressGroup, nests: false)))
        }
        if metadata.hasLinuxResources {
            members.append(
                JSONMember("resources", try GoForm.json(metadata.linuxResources, nests: false))
            )
        }
        return members
    }

    private func result() throws(LLBTextError) -> JSONValue {
        guard let head, let last = messages.last else { return .string(OperationReader.scratch) }
        guard let name = names[head.vertex] else {
            throw LLBTextError("cannot write the definition: its result \(head.vertex) is not in it")
        }
        let text = JSONValue.string(head.index == 0 ? name : "\(name):\(head.index)")
        var members = [JSONMember("from", text)]
        if last.message.hasPlatform { members.append(JSONMember("platform", platform(last.message.platform))) }
        if last.message.hasConstraints {
            members.append(JSONMember("constraints", .strings(last.message.constraints.filter)))
        }
        members += try metadata(definition.metadata[last.operation.digest])
        return members.count == 1 ? text : .object(members)
    }

    private func source() throws(LLBTextError) -> JSONValue? {
        guard var source = definition.source else { return nil }
        var locations: [String: Pb_Locations] = [:]
        for (key, value) in source.locations {
            locations[Digest(key).flatMap { names[$0] } ?? key] = value
        }
        source.locations = locations
        return try GoForm.json(source, nests: false)
    }
}

extension JSONValue {
    /// Whether some object in it names a member twice.
    fileprivate var hasRepeatedMembers: Bool {
        switch self {
        case .array(let elements): elements.contains(where: \.hasRepeatedMembers)
        case .object(let members):
            Set(members.map { Array($0.name.utf8) }).count < members.count
                || members.contains(where: \.value.hasRepeatedMembers)
        default: false
        }
    }
}

/// Names for operations that have none.
enum OperationNames {
    /// A short name that tells what an operation does.
    static func name(of message: Pb_Op) -> String {
        let name: String
        switch message.op {
        case .source(let source): name = Self.name(ofSource: source.identifier)
        case .exec(let exec): name = Self.name(ofCommand: exec.meta.args)
        case .file(let file):
            switch file.actions.first?.action {
            case .copy: name = "copy"
            case .mkfile: name = "mkfile"
            case .mkdir: name = "mkdir"
            case .rm: name = "rm"
            case .symlink: name = "symlink"
            case nil: name = "file"
            }
        case .merge: name = "merge"
        case .diff: name = "diff"
        case .build: name = "build"
        case .passthrough(let passthrough): name = word(passthrough.id)
        case nil: name = ""
        }
        return name.isEmpty ? "operation" : name
    }

    private static func name(ofSource identifier: String) -> String {
        let rest = identifier.firstRange(of: "://").map { identifier[$0.upperBound...] } ?? identifier[...]
        let path = rest.prefix { !"#?@".contains($0) }
        let last = path.split(separator: "/").last ?? ""
        return word(String(last.split(separator: ":").first ?? ""))
    }

    /// The program's name; of a line for a shell, its first word.
    private static func name(ofCommand arguments: [String]) -> String {
        let program =
            arguments.count == 3 && arguments[1] == "-c"
            ? arguments[2].split(whereSeparator: \.isWhitespace).first.map(String.init) : arguments.first
        return word(String(program?.split(separator: "/").last ?? "run"))
    }

    /// A text as far as it is letters, digits, `.`, `_` and `-`.
    private static func word(_ text: String) -> String {
        let kept = text.unicodeScalars.prefix(40).filter { scalar in
            scalar.isASCII
                && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                    || "._-".unicodeScalars.contains(scalar))
        }
        let word = String(String.UnicodeScalarView(kept))
        return word == OperationReader.scratch ? "empty" : word
    }
}
