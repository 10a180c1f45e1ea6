// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import LLBMessages
internal import OCI

/// Reads one operation of the friendly form.
struct OperationReader {
    /// What holds for operations that do not say otherwise.
    struct Defaults {
        var platform: Pb_Platform?
        var constraints: Pb_WorkerConstraints?
    }

    /// What was read.
    struct Result {
        var message: Pb_Op
        var inputs: [Assembly.Input]
        var metadata: Pb_OpMetadata
        /// Whether the platform of the build is to be filled in.
        var takesPlatform: Bool
    }

    /// The name of the empty tree.
    static let scratch = "scratch"

    /// Members that decide what an operation does; exactly one must be there.
    static let kinds = [
        "image", "local", "git", "http", "layout", "source", "exec", "file", "merge", "diff", "build", "passthrough",
        "op",
    ]

    /// Members that any operation may have.
    static let commonMembers = [
        "platform", "constraints", "name", "description", "ignoreCache", "exportCache", "caps", "progressGroup",
        "resources", "inputs",
    ]

    let node: Node
    let defaults: Defaults
    var message = Pb_Op()
    var inputs: [Assembly.Input] = []

    init(_ node: Node, defaults: Defaults = Defaults()) {
        self.node = node
        self.defaults = defaults
    }

    /// Reads the operation; problems are reported to the node's reading, and then the result means nothing.
    mutating func read() -> Result? {
        guard node.members("an object that says what the operation does") != nil else { return nil }
        let given = Self.kinds.filter { node[$0] != nil }
        guard let kind = given.first, given.count == 1 else {
            reportKinds(given)
            return nil
        }
        readInputs()
        var takesPlatform = false
        switch kind {
        case "exec":
            takesPlatform = true
            readExec()
        case "file": readFile()
        case "merge", "diff", "passthrough", "build": readCombination(kind)
        case "op": readRaw()
        default:
            readSource(kind)
            takesPlatform = ["docker-image://", "oci-layout://"].contains(where: message.source.identifier.hasPrefix)
        }
        if kind == "op" {
            for member in ["platform", "constraints"] {
                node[member]?.report("write \"\(member)\" inside \"op\"")
            }
        } else {
            takesPlatform = readPlatform(takesPlatform)
            readConstraints()
        }
        let metadata = MetadataReader(node: node).read()
        return Result(message: message, inputs: inputs, metadata: metadata, takesPlatform: takesPlatform)
    }

    private func reportKinds(_ given: [String]) {
        guard given.isEmpty else {
            node.report("says both \"\(given[0])\" and \"\(given[1])\"; an operation does one thing")
            return
        }
        let unknown = node.value.members.map(\.name).filter {
            !Self.commonMembers.contains($0) && !$0.hasPrefix("//")
        }
        let hint = unknown.lazy.compactMap { name in
            nearest(to: name, in: Self.kinds).map { "; did you mean \"\($0)\" by \"\(name.prefix(40))\"?" }
        }
        .first
        node.report("says not what it does: one of \(Self.kinds.joined(separator: ", ")) is needed" + (hint ?? ""))
    }

    // MARK: Inputs

    /// Reads `inputs`, which fixes the order of inputs where the order of their use does not.
    private mutating func readInputs() {
        for element in node["inputs"]?.elements("a list of operations") ?? [] {
            if let input = reference(element), let input { inputs.append(input) }
        }
    }

    /// The output a text names: `NAME` or `NAME:OUTPUT`; the inner `nil` is the empty tree.
    func reference(_ node: Node) -> Assembly.Input?? {
        guard let text = node.string("the name of an operation") else { return nil }
        if text == Self.scratch { return .some(nil) }
        guard let input = Self.parse(text) else {
            node.report("\"\(text.prefix(80))\" names no operation: expected NAME, NAME:OUTPUT or scratch")
            return nil
        }
        return input
    }

    /// Splits `NAME:OUTPUT`.
    static func parse(_ text: String) -> Assembly.Input? {
        guard !text.isEmpty, !text.hasPrefix("^") else { return nil }
        if let colon = text.lastIndex(of: ":"), let index = outputIndex(text[text.index(after: colon)...]) {
            let name = String(text[..<colon])
            return name.isEmpty ? nil : Assembly.Input(name: name, index: index)
        }
        return Assembly.Input(name: text, index: 0)
    }

    /// The number behind a colon; `nil` when it is part of a name, such as the digits of a digest.
    static func outputIndex(_ text: Substring) -> Int64? {
        guard (1...9).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(text)
    }

    /// The number of an input, which is added unless it is there already; -1 for the empty tree.
    mutating func use(_ node: Node) -> Int64 {
        guard let reference = reference(node), let input = reference else { return -1 }
        if let index = inputs.firstIndex(of: input) { return Int64(index) }
        inputs.append(input)
        return Int64(inputs.count - 1)
    }

    /// Adds an input for its place alone, even a second time; -1 for the empty tree.
    ///
    /// `position` counts what was added so; inputs that `inputs` lists are taken where they stand.
    mutating func append(_ node: Node, position: inout Int) -> Int64 {
        guard let reference = reference(node), let input = reference else { return -1 }
        if position < inputs.count, inputs[position] == input {
            position += 1
            return Int64(position - 1)
        }
        inputs.append(input)
        position = inputs.count
        return Int64(inputs.count - 1)
    }

    // MARK: Where it runs

    /// - Returns: Whether the platform of the build is to be filled in.
    private mutating func readPlatform(_ takesPlatform: Bool) -> Bool {
        guard let given = node["platform"] else {
            guard takesPlatform else { return false }
            if let platform = defaults.platform { message.platform = platform }
            return defaults.platform == nil
        }
        if given.isNull { return false }
        if given.isObject {
            if let platform: Pb_Platform = MessageReader().read(given, "Platform") { message.platform = platform }
            return false
        }
        if let platform = Self.platform(given) { message.platform = platform.message }
        return false
    }

    /// A platform by its text, `os/architecture[/variant]`.
    static func platform(_ node: Node) -> Platform? {
        guard let text = node.string("a platform such as linux/amd64") else { return nil }
        do throws(OCIError) {
            return try Platform(parsing: text).normalized
        } catch {
            node.report(error.message)
            return nil
        }
    }

    private mutating func readConstraints() {
        guard let given = node["constraints"] else {
            if let constraints = defaults.constraints { message.constraints = constraints }
            return
        }
        if given.isNull { return }
        message.constraints = Pb_WorkerConstraints()
        message.constraints.filter = given.strings() ?? []
    }

    // MARK: Operations of few members

    private mutating func readRaw() {
        node.allow(["op"] + Self.commonMembers, in: "a raw operation")
        guard let given = node["op"], let message: Pb_Op = MessageReader().read(given, "Op") else { return }
        given["inputs"]?.report("inputs of a raw operation stand beside \"op\", by their names")
        self.message = message
        self.message.inputs = []
    }

    private mutating func readCombination(_ kind: String) {
        guard let given = node[kind] else { return }
        var position = 0
        switch kind {
        case "merge":
            node.allow(["merge"] + Self.commonMembers, in: "a merge")
            message.merge = Pb_MergeOp()
            for element in given.elements("a list of operations") ?? [] {
                var input = Pb_MergeInput()
                input.input = append(element, position: &position)
                message.merge.inputs.append(input)
            }
        case "diff":
            node.allow(["diff"] + Self.commonMembers, in: "a diff")
            guard given.members("an object with lower and upper") != nil else { return }
            given.allow(["lower", "upper"], in: "a diff")
            message.diff.lower.input = given["lower"].map { append($0, position: &position) } ?? -1
            message.diff.upper.input = given["upper"].map { append($0, position: &position) } ?? -1
        case "passthrough":
            node.allow(["passthrough", "outputs"] + Self.commonMembers, in: "a passthrough")
            message.passthrough.id = given.string() ?? ""
            for element in node["outputs"]?.elements("a list of operations") ?? [] {
                message.passthrough.outputs.append(use(element))
            }
        default:
            node.allow(["build", "attrs"] + Self.commonMembers, in: "a nested build")
            message.build.builder = -1
            for member in given.members("an object of operations") ?? [] {
                message.build.inputs[member.name, default: Pb_BuildInput()].input = use(member.node)
            }
            message.build.attrs = node["attrs"]?.stringMap() ?? [:]
        }
    }
}

/// Reads what is said beside an operation.
struct MetadataReader {
    let node: Node

    func read() -> Pb_OpMetadata {
        var metadata = Pb_OpMetadata()
        metadata.description_p = node["description"]?.stringMap() ?? [:]
        if let name = node["name"]?.string() { metadata.description_p["llb.customname"] = name }
        metadata.ignoreCache = node["ignoreCache"]?.bool() ?? false
        if let flag = node["exportCache"]?.bool() {
            metadata.exportCache = Pb_ExportCache()
            metadata.exportCache.value = flag
        }
        for capability in node["caps"]?.strings() ?? [] { metadata.caps[capability] = true }
        if let given = node["progressGroup"], let group: Pb_ProgressGroup = MessageReader().read(given, "ProgressGroup")
        {
            metadata.progressGroup = group
        }
        if let given = node["resources"],
            let resources: Pb_LinuxResources = MessageReader().read(given, "LinuxResources")
        {
            metadata.linuxResources = resources
        }
        return metadata
    }
}
