// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import OCI

/// One stage while it is converted.
///
/// Images named by `COPY --from` and mounts are stages too, without instructions.
final class StageState {
    /// What FROM said, expanded; later the image's full name with digest.
    var baseName: String
    /// The name after AS; empty without one.
    let givenName: String
    /// What steps are labelled with; empty for the only stage of a file.
    var displayName: String
    /// FROM as it was written.
    let text: String
    /// Where FROM stands.
    let lines: ClosedRange<Int>?
    let instructions: [Instruction]
    let comments: [String]
    let description: String

    /// The stage it starts from, if that is none of the outside.
    var base: StageState?
    var namedContext: NamedContext?
    /// Not a stage of the file.
    let isExternal: Bool
    var commands: [StageCommand] = []
    var dependencies: [Dependency] = []

    var state = State.scratch
    var image = ImageConfig(platform: Platform(os: "", architecture: ""), rootFS: .init(type: ""))
    /// The image it starts from, unchanged.
    var baseImage: ImageConfig?
    var platform: Platform?

    /// The base is known, or will not be asked for.
    var isResolved = false
    /// All instructions are done.
    var isDispatched = false
    var hasOnBuildTriggers = false
    var ignoresCache = false

    /// ARGs so far, with their values.
    private(set) var arguments: [ArgInstruction.Declaration] = []
    /// Their names.
    private(set) var argumentNames: Set<String> = []
    /// Where each variable stands in the image's environment, once instructions are carried out.
    private var environmentPositions: [String: Int] = [:]
    /// Paths of the build context that are used, absolute.
    var contextPaths: Set<String> = []
    /// Paths of this tree that others use, absolute; shared with the stages it starts from.
    var usedPaths = PathSet()

    var stepCount = 0
    var stepIndex = 0
    var isInOnBuild = false
    var hasWorkingDirectory = false
    var entrypointUse: ClosedRange<Int>?
    var commandUse: ClosedRange<Int>?
    var healthcheckUse: ClosedRange<Int>?
    var outline = OutlineCapture()

    struct Dependency {
        let stage: StageState
        /// Of the instruction that needs it.
        let lines: ClosedRange<Int>
    }

    /// A set that stages share.
    final class PathSet {
        var paths: Set<String> = []
    }

    init(stage: Stage, baseName: String) {
        self.baseName = baseName
        givenName = stage.name
        displayName = stage.name
        text = stage.text
        lines = stage.lines
        instructions = stage.instructions
        comments = stage.comments
        description = stage.description
        isExternal = false
    }

    /// An image, or a named context, that an instruction names.
    init(external baseName: String, lines: ClosedRange<Int>?) {
        self.baseName = baseName
        givenName = ""
        displayName = ""
        text = ""
        self.lines = lines
        instructions = []
        comments = []
        description = ""
        isExternal = true
    }

    /// Takes over what the stage below has become.
    func inherit() {
        guard let base else { return }
        state = base.state
        platform = base.platform
        image = base.image
        image.config.onBuild = []
        baseImage = base.baseImage
        usedPaths = base.usedPaths
        hasWorkingDirectory = base.hasWorkingDirectory
        arguments += base.arguments
        argumentNames.formUnion(base.argumentNames)
    }

    /// Adds an ARG.
    func declare(_ argument: ArgInstruction.Declaration) {
        arguments.append(argument)
        argumentNames.insert(argument.name)
    }

    /// Learns the environment of the image, which only ``setImageEnvironment(_:_:)`` changes from then on.
    func indexEnvironment() {
        environmentPositions = [:]
        for (index, assignment) in image.config.environment.enumerated() {
            let name = splitAssignment(assignment).name
            if environmentPositions[name] == nil { environmentPositions[name] = index }
        }
    }

    /// Replaces a variable of the image where it stands, or appends it.
    func setImageEnvironment(_ name: String, _ value: String) {
        let assignment = name + "=" + value
        if let index = environmentPositions[name] {
            image.config.environment[index] = assignment
        } else {
            environmentPositions[name] = image.config.environment.count
            image.config.environment.append(assignment)
        }
    }

    /// Forgets the stages it needs, when the conversion is over.
    func letGo() {
        base = nil
        dependencies = []
        commands = []
    }

    /// All stages this one needs, itself included.
    var reachable: [StageState] {
        var seen: Set<ObjectIdentifier> = []
        var found: [StageState] = []
        var waiting = [self]
        while let next = waiting.popLast() {
            guard seen.insert(ObjectIdentifier(next)).inserted else { continue }
            found.append(next)
            if let base = next.base { waiting.append(base) }
            waiting += next.dependencies.map(\.stage)
        }
        return found
    }

    /// Adds an entry to the image's history.
    func commit(_ text: String, hasLayer: Bool, epoch: Int64?) {
        image.history.append(
            ImageConfig.HistoryEntry(
                created: epoch.map { Timestamp(seconds: $0) },
                createdBy: text,
                comment: "buildkit.dockerfile.v0",
                emptyLayer: !hasLayer
            )
        )
    }
}

/// One instruction of a stage with the stages it copies or mounts from.
struct StageCommand {
    var instruction: Instruction
    /// For COPY the stage of `--from`; for RUN one a mount.
    var sources: [StageState] = []
    var isOnBuild = false
}

/// The stages of a conversion, in order, with those that instructions added.
struct StageList {
    private(set) var stages: [StageState] = []
    private var byName: [String: StageState] = [:]

    /// Adds a stage; one that starts from a stage known by now is linked to it.
    mutating func append(_ stage: StageState) {
        stages.append(stage)
        if let base = byName[stage.baseName] {
            stage.base = base
            stage.outline = base.outline
        }
        if !stage.givenName.isEmpty { byName[stage.givenName.lowercased()] = stage }
    }

    /// The last stage of a name, in whatever case.
    func named(_ name: String) -> StageState? { byName[name.lowercased()] }

    var displayNames: [String] { stages.map(\.displayName).filter { !$0.isEmpty } }
}

extension EnvironmentList: VariableLookup {
    package func value(of name: String) -> String? { self[name] }
}

/// An environment in which the names of secrets show as asterisks.
struct MaskedEnvironment: VariableLookup {
    let base: EnvironmentList
    let secrets: Set<String>

    func value(of name: String) -> String? { secrets.contains(name) ? "****" : base[name] }
}

/// An environment that remembers what was asked for in vain.
final class AskedVariables: VariableLookup {
    private let environment: EnvironmentList
    private(set) var missing: Set<String> = []

    init(environment: EnvironmentList) { self.environment = environment }

    func value(of name: String) -> String? {
        let value = environment[name]
        if value == nil { missing.insert(name) }
        return value
    }
}
