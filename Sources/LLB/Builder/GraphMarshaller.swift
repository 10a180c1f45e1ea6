// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import LLBMessages
internal import OCI

extension State {
    /// The definition an engine can solve: the bytes BuildKit's own client would give it.
    ///
    /// - Throws: `invalidGraph` when a part of the graph means nothing.
    public func definition(
        _ options: MarshalOptions = MarshalOptions()
    ) throws(LLBError) -> Definition {
        guard let head = output?.settled else { return .scratch }
        var marshaller = GraphMarshaller(options: options)
        return try marshaller.marshal(head)
    }

    /// The state a received definition describes, to build on.
    ///
    /// - Throws: Whatever ``Definition/graph(limits:capabilities:)`` throws.
    public init(_ definition: Definition) throws(LLBError) {
        let graph = try definition.graph(capabilities: nil)
        guard let result = graph.result else {
            self = .scratch
            return
        }
        let bytes = Dictionary(
            definition.operations.map { ($0.digest, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        var vertices: [Digest: Vertex] = [:]
        for info in graph.vertices {
            guard let operation = bytes[info.digest] else { continue }
            var constraints = Constraints()
            constraints.metadata = info.metadata
            let inputs = info.inputs.compactMap { edge in
                vertices[edge.vertex].map { Output(vertex: $0, slot: edge.index) }
            }
            let received = ReceivedOperation(operation: operation, inputs: inputs)
            vertices[info.digest] = Vertex(.received(received), constraints)
        }
        self.init(output: vertices[result.vertex].map { Output(vertex: $0, slot: result.index) })
        if let info = graph[result.vertex], info.operation.hasPlatform {
            self = onPlatform(Platform(info.operation.platform))
        }
    }
}

/// Turns vertices into operations, inputs first, without recursion.
private struct GraphMarshaller {
    let options: MarshalOptions
    /// Digests of what is written, as inputs name them.
    private var done: [ObjectIdentifier: String] = [:]
    private var written: Set<Digest> = []
    private var definition = Definition()
    private var files: [SourceFile] = []
    private var locations: [Digest: [Pb_Location]] = [:]

    init(options: MarshalOptions) { self.options = options }

    mutating func marshal(_ head: Output) throws(LLBError) -> Definition {
        var stack: [(vertex: Vertex, inputs: [Output], next: Int)] = []
        stack.append((head.vertex, head.vertex.inputs.compactMap(\.settled), 0))
        while let top = stack.popLast() {
            if done[ObjectIdentifier(top.vertex)] != nil { continue }
            if top.next < top.inputs.count {
                let input = top.inputs[top.next].vertex
                stack.append((top.vertex, top.inputs, top.next + 1))
                if done[ObjectIdentifier(input)] == nil {
                    stack.append((input, input.inputs.compactMap(\.settled), 0))
                }
            } else {
                try write(top.vertex)
            }
        }
        var terminal = Pb_Op()
        terminal.inputs = [try input(head)]
        let operation = Definition.Operation(try terminal.canonicalBytes())
        definition.operations.append(operation)
        definition.metadata[operation.digest, default: Pb_OpMetadata()].caps = terminalCapabilities
        definition.source = source
        return definition
    }

    private var terminalCapabilities: [String: Bool] {
        var capabilities = [Capability.constraints: true, Capability.platform: true]
        for metadata in definition.metadata.values {
            if metadata.ignoreCache { capabilities[Capability.metaIgnoreCache] = true }
            if !metadata.description_p.isEmpty { capabilities[Capability.metaDescription] = true }
            if metadata.hasExportCache { capabilities[Capability.metaExportCache] = true }
        }
        return capabilities
    }

    private var source: Pb_Source {
        var source = Pb_Source()
        for (digest, list) in locations {
            source.locations[digest.description, default: .init()].locations = list
        }
        source.infos = files.map { file in
            var info = Pb_SourceInfo()
            info.filename = file.filename
            info.language = file.language
            info.data = .init(file.data)
            if let definition = file.definition { info.definition = definition.message }
            return info
        }
        return source
    }

    private mutating func write(_ vertex: Vertex) throws(LLBError) {
        let operation: Definition.Operation
        var constraints = vertex.constraints
        if case .received(let received) = vertex.operation {
            operation = received.operation
        } else {
            let message = try message(of: vertex, constraints: &constraints)
            operation = Definition.Operation(try message.canonicalBytes())
        }
        done[ObjectIdentifier(vertex)] = operation.digest.description
        if definition.metadata[operation.digest]?.adopt(constraints.metadata) == nil {
            definition.metadata[operation.digest] = constraints.metadata
        }
        for location in constraints.locations {
            let index = files.firstIndex(of: location.file) ?? files.count
            if index == files.count { files.append(location.file) }
            var message = Pb_Location()
            message.sourceIndex = Int32(clamping: index)
            message.ranges = location.ranges.map(\.message)
            locations[operation.digest, default: []].append(message)
        }
        if written.insert(operation.digest).inserted { definition.operations.append(operation) }
    }

    private func input(_ output: Output) throws(LLBError) -> Pb_Input {
        guard let digest = done[ObjectIdentifier(output.vertex)] else {
            throw LLBError(.invalidGraph, "cannot write definition: an operation needs itself")
        }
        var input = Pb_Input()
        input.digest = digest
        input.index = Int64(output.index)
        return input
    }

    private func message(
        of vertex: Vertex,
        constraints: inout Constraints
    ) throws(LLBError) -> Pb_Op {
        var message = Pb_Op()
        message.constraints.filter = options.workerFilters + constraints.workerFilters
        let platform = (constraints.platform ?? options.platform).message
        switch vertex.operation {
        case .source(let identifier, let attributes):
            var source = Pb_SourceOp()
            source.identifier = identifier
            source.attrs = attributes
            if identifier.hasPrefix("local://"), attributes[SourceAttribute.localSession] == nil {
                source.attrs[SourceAttribute.localUnique] =
                    constraints.localUniqueID ?? options.localUniqueID
                constraints.require(Capability.sourceLocalUnique)
            }
            let hasPlatform = ["docker-image://", "oci-layout://"].contains {
                identifier.hasPrefix($0)
            }
            if hasPlatform { message.platform = platform }
            message.source = source
        case .exec(let exec):
            message.platform = platform
            try write(exec, to: &message, constraints: &constraints)
        case .file(let file): try write(file, to: &message)
        case .merge(let inputs):
            for output in inputs.compactMap(\.settled) {
                var part = Pb_MergeInput()
                part.input = Int64(message.inputs.count)
                message.merge.inputs.append(part)
                message.inputs.append(try input(output))
            }
        case .diff(let lower, let upper):
            message.diff.lower.input = try append(lower?.settled, to: &message)
            message.diff.upper.input = try append(upper?.settled, to: &message)
        case .passthrough(let id, let inputs, let outputs):
            for output in inputs.compactMap(\.settled) { message.inputs.append(try input(output)) }
            message.passthrough.id = id
            message.passthrough.outputs = outputs.map { Int64($0) }
        case .deferred, .received:
            throw LLBError(.invalidGraph, "cannot write definition: an operation was never decided")
        }
        return message
    }

    private func append(_ output: Output?, to message: inout Pb_Op) throws(LLBError) -> Int64 {
        guard let output else { return -1 }
        message.inputs.append(try input(output))
        return Int64(message.inputs.count - 1)
    }

    /// The index of an input, which is added unless it is there already; -1 for scratch.
    private func reuse(_ output: Output?, in inputs: inout [Pb_Input]) throws(LLBError) -> Int64 {
        guard let output = output?.settled else { return -1 }
        let wanted = try input(output)
        if let index = inputs.firstIndex(of: wanted) { return Int64(index) }
        inputs.append(wanted)
        return Int64(inputs.count - 1)
    }

    private func write(
        _ exec: BuiltExec,
        to message: inout Pb_Op,
        constraints: inout Constraints
    ) throws(LLBError) {
        guard !exec.meta.args.isEmpty else {
            throw LLBError(.invalidGraph, "cannot write definition: a command has no arguments")
        }
        var operation = Pb_ExecOp()
        operation.meta = exec.meta
        if let capabilities = options.capabilities {
            if capabilities.contains(Capability.execMetaSetsDefaultPath) {
                constraints.require(Capability.execMetaSetsDefaultPath)
            } else if options.platform.os != "windows",
                !exec.meta.env.contains(where: { $0.hasPrefix("PATH=") })
            {
                operation.meta.env.append("PATH=" + State.defaultPath)
            }
        }
        operation.network = exec.network
        operation.security = exec.security
        operation.cdiDevices = exec.devices
        var outputCount: Int64 = 0
        operation.mounts.reserveCapacity(exec.mounts.count)
        for mount in exec.mounts {
            var part = mount.message
            part.input = try reuse(mount.source, in: &message.inputs)
            part.output = mount.isOutput ? outputCount : -1
            if mount.isOutput { outputCount += 1 }
            operation.mounts.append(part)
        }
        for secret in exec.secrets {
            if let name = secret.environmentName {
                var variable = Pb_SecretEnv()
                variable.id = secret.id
                variable.name = name
                variable.optional = secret.isOptional
                operation.secretenv.append(variable)
            }
            if let mount = secret.message { operation.mounts.append(mount) }
        }
        operation.mounts += exec.sshSockets.map(\.message)
        message.exec = operation
    }

    private func write(_ file: BuiltFile, to message: inout Pb_Op) throws(LLBError) {
        let base = try reuse(file.base, in: &message.inputs)
        var sources: [Int64] = []
        for step in file.steps { sources.append(try reuse(step.source, in: &message.inputs)) }
        // Gathered apart: growing the list within the message would copy it for each element.
        var actions: [Pb_FileAction] = []
        actions.reserveCapacity(file.steps.count)
        for (index, step) in file.steps.enumerated() {
            var action = Pb_FileAction()
            action.input = index == 0 ? base : Int64(message.inputs.count + index - 1)
            action.secondaryInput = sources[index]
            action.output = index == file.steps.count - 1 ? 0 : -1
            action.action = step.action
            if let owner = step.owner { action.action?.setOwner(owner.message(base: base)) }
            actions.append(action)
        }
        message.file.actions = actions
    }
}

extension State {
    /// `PATH` of a step whose image sets none.
    public static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

extension Output {
    /// The number of the output in its operation.
    fileprivate var index: Int {
        guard case .exec(let exec) = vertex.operation else { return slot }
        return exec.mounts.filter(\.isOutput).firstIndex { $0.slot == slot } ?? 0
    }
}

extension BuiltMount {
    fileprivate var message: Pb_Mount {
        var message = Pb_Mount()
        message.dest = target
        message.selector = selector
        message.readonly = isReadOnly
        message.contentCache = contentCache
        switch kind {
        case .bind: break
        case .cache(let id, let sharing):
            message.mountType = .cache
            message.cacheOpt.id = id
            message.cacheOpt.sharing = sharing
        case .tmpfs(let byteLimit):
            message.mountType = .tmpfs
            message.tmpfsOpt = Pb_TmpfsOpt()
            message.tmpfsOpt.size = byteLimit
        }
        return message
    }
}

extension RunSecret {
    fileprivate var message: Pb_Mount? {
        guard let target else { return nil }
        var message = Pb_Mount()
        message.input = -1
        message.dest = target
        message.mountType = .secret
        message.secretOpt.id = id
        message.secretOpt.uid = userID
        message.secretOpt.gid = groupID
        message.secretOpt.mode = mode
        message.secretOpt.optional = isOptional
        return message
    }
}

extension RunSSHSocket {
    fileprivate var message: Pb_Mount {
        var message = Pb_Mount()
        message.input = -1
        message.dest = target
        message.mountType = .ssh
        message.sshopt.id = id
        message.sshopt.uid = userID
        message.sshopt.gid = groupID
        message.sshopt.mode = mode
        message.sshopt.optional = isOptional
        return message
    }
}

extension Pb_FileAction.OneOf_Action {
    fileprivate mutating func setOwner(_ owner: Pb_ChownOpt) {
        switch self {
        case .copy(var action):
            action.owner = owner
            self = .copy(action)
        case .mkfile(var action):
            action.owner = owner
            self = .mkfile(action)
        case .mkdir(var action):
            action.owner = owner
            self = .mkdir(action)
        case .symlink(var action):
            action.owner = owner
            self = .symlink(action)
        case .rm: break
        }
    }
}

extension Pb_OpMetadata {
    /// Adds what another description of the same operation says.
    fileprivate mutating func adopt(_ other: Pb_OpMetadata) {
        if other.ignoreCache { ignoreCache = true }
        description_p.merge(other.description_p) { _, new in new }
        if other.hasExportCache { exportCache = other.exportCache }
        caps.merge(other.caps) { _, new in new }
        if other.hasProgressGroup { progressGroup = other.progressGroup }
        if other.hasLinuxResources { linuxResources = other.linuxResources }
    }
}
