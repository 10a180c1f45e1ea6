// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import Glibc
internal import OCI
internal import SystemPackage

struct BuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Builds an image, or files, from a build file.",
        discussion: """
            The build file is Dockerfile in PATH unless -f names another; "-f -" reads it from the standard input. \
            Without -o and -t the result stays in the cache.
            """
    )

    @Argument(
        help: ArgumentHelp(
            "The context: a directory, or the address of a git repository or archive.",
            valueName: "path"
        ),
        completion: .directory
    )
    var path = "."

    @Option(
        name: [.short, .customLong("file")],
        help: "The build file; - reads it from the standard input.",
        completion: .file()
    )
    var file: String?

    @Option(
        name: [.short, .customLong("tag")],
        help: ArgumentHelp("A name for the image; may be given again.", valueName: "name")
    )
    var tags: [String] = []

    @Option(help: "The stage to build.")
    var target: String?

    @OptionGroup var given: BuildInputOptions

    @Option(name: .customLong("label"), help: ArgumentHelp("A label of the image.", valueName: "name=value"))
    var labels: [String] = []

    @Option(
        name: .customLong("platform"),
        help: ArgumentHelp("Platforms to build for, separated by commas.", valueName: "os/arch[/variant]")
    )
    var platforms: [String] = []

    @Flag(name: .customLong("no-cache"), help: "Run every step anew.")
    var noCache = false

    @Option(
        name: .customLong("no-cache-filter"),
        help: ArgumentHelp("Run the steps of these stages anew.", valueName: "stage")
    )
    var noCacheStages: [String] = []

    @Flag(help: "Ask registries again for what image tags mean.")
    var pull = false

    @Option(
        name: [.short, .customLong("output")],
        help: ArgumentHelp(
            "Where the result goes: DIR, -, or type=local|tar|oci|docker|image|registry,dest=PATH,….",
            valueName: "output"
        )
    )
    var outputs: [String] = []

    @Flag(help: "Push the image to its registry; short for -o type=registry.")
    var push = false

    @OptionGroup var credentials: CredentialOptions

    @Option(
        name: .customLong("allow"),
        help: ArgumentHelp("Grant an entitlement: network.host, security.insecure.", valueName: "entitlement")
    )
    var entitlements: [String] = []

    @Option(help: "Network of steps: default, none or host.")
    var network: String?

    @Option(name: .customLong("add-host"), help: ArgumentHelp("A line of /etc/hosts in steps.", valueName: "host:ip"))
    var hosts: [String] = []

    @Option(name: .customLong("shm-size"), help: "Size of /dev/shm in steps.")
    var sharedMemorySize: String?

    @Option(name: .customLong("ulimit"), help: ArgumentHelp("A limit of steps.", valueName: "name=soft[:hard]"))
    var limits: [String] = []

    @OptionGroup var choice: FrontendChoiceOptions

    @Flag(name: .customLong("no-frontend-reuse"), help: "Start the frontend even if its result is known.")
    var startsFrontend = false

    @Option(
        name: .customLong("frontend-trace"),
        help: ArgumentHelp("Write what frontend and engine say to each other into a new directory.", valueName: "dir"),
        completion: .directory
    )
    var frontendTrace: String?

    @Option(
        help: ArgumentHelp(
            """
            What is wanted: build, check, outline, targets, convert for the LLB, or subrequests.describe; add ,format=json \
            for programs.
            """,
            valueName: "what"
        )
    )
    var call: String?

    @Flag(help: "Check the build file, build nothing; status 1 when something is found. Short for --call=check.")
    var check = false

    @Option(
        name: .customLong("llb"),
        help: ArgumentHelp(
            "Build this LLB definition (protobuf) instead of a build file; - reads the standard input.",
            valueName: "file"
        )
    )
    var definition: String?

    @Option(help: "How progress is shown: auto, plain, tty, rawjson or quiet.")
    var progress = ProgressMode.auto

    @Flag(name: [.short, .customLong("quiet")], help: "Print nothing but the image's digest.")
    var quiet = false

    @Option(name: .customLong("metadata-file"), help: "Write what the build gave as JSON.", completion: .file())
    var metadataFile: String?

    @Option(name: .customLong("iidfile"), help: "Write the image's digest.", completion: .file())
    var imageIDFile: String?

    @OptionGroup var state: StateOptions

    func run() async throws {
        let call = try callOption()
        let request = try makeRequest(call)
        if call.question != nil || call.subrequest != nil, !outputs.isEmpty || push {
            throw UsageError("cannot combine --call and --check with outputs: nothing is built")
        }
        let engine = try await Engine(
            configuration: EngineConfiguration(stateDirectory: FilePath(state.path))
        )
        if let question = call.question {
            let (outcome, display) = await carryOut(request, engine) { display in
                try await engine.describe(request, question) { event in display.show(event) }
            }
            await engine.close()
            try conclude(outcome, display) { description in
                writeOutput(call.isJSON ? description.json : description.text)
                if !description.isClean { throw ExitStatus(code: 1) }
            }
        } else {
            let (outcome, display) = await carryOut(request, engine) { display in
                try await engine.build(request) { event in display.show(event) }
            }
            await engine.close()
            try conclude(outcome, display) { response in
                guard call.subrequest == nil else { return try answer(response, isJSON: call.isJSON) }
                try report(response)
            }
        }
    }

    /// Does the work, and does it anew after each frontend that it lacked and that the user agreed to add.
    private func carryOut<Value: Sendable>(
        _ request: BuildRequest,
        _ engine: Engine,
        _ work: @escaping @Sendable (ProgressDisplay) async throws -> Value
    ) async -> (Interruption.Outcome<Value>, ProgressDisplay) {
        let consent = FrontendConsent(directory: request.directory, isOffline: request.isOffline, state: state)
        while true {
            let display = ProgressDisplay(mode: quiet ? .quiet : progress)
            for notice in engine.notices { display.notice(notice) }
            let outcome = await Interruption.run { try await work(display) }
            guard case .failed(let error as UnlistedFrontend) = outcome else { return (outcome, display) }
            display.pause()
            do {
                try await consent.obtain(error)
            } catch {
                return (.failed(error), display)
            }
        }
    }

    private func conclude<Value>(
        _ outcome: Interruption.Outcome<Value>,
        _ display: ProgressDisplay,
        _ report: (Value) throws -> Void
    ) throws {
        switch outcome {
        case .finished(let response):
            display.finish(error: nil)
            try report(response)
        case .failed(let error):
            display.finish(error: error)
            throw ExitStatus.report(error)
        case .interrupted:
            display.finish(error: nil)
            writeError("kiln: interrupted\n")
            throw ExitStatus.interrupted
        }
    }

    /// Prints what a frontend answered to a subrequest.
    private func answer(_ response: BuildResponse, isJSON: Bool) throws {
        let json = response.exporterResponse["result.json"]
        guard let text = isJSON ? json : response.exporterResponse["result.txt"] ?? json else {
            throw UsageError("the frontend does not answer --call \(call ?? "")")
        }
        writeOutput(text.hasSuffix("\n") ? text : text + "\n")
    }

    private func report(_ response: BuildResponse) throws {
        let digest = response.exporterResponse["containerimage.digest"]
        if let metadataFile {
            try writeFile(metadataFile, metadataJSON(response.exporterResponse))
        }
        if let imageIDFile {
            guard let digest else {
                throw UsageError("cannot write --iidfile: the build gave no image; add -t or -o type=oci")
            }
            try writeFile(imageIDFile, digest)
        }
        if quiet || progress == .quiet, let digest { writeOutput(digest + "\n") }
    }
}

extension BuildCommand {
    /// The request these options mean.
    func makeRequest(_ call: CallOption) throws -> BuildRequest {
        var request = BuildRequest(context: context)
        request.buildFile = try buildFile()
        if let definition {
            let bytes = try readFile(definition, what: "the LLB definition")
            request.definition = .llb(bytes)
        }
        try choice.apply(to: &request)
        request.reusesFrontendResults = !startsFrontend
        request.canAsk = FrontendConsent.isPossible && !quiet && progress != .quiet && progress != .rawjson
        request.frontendTrace = frontendTrace.map { FilePath($0) }
        request.target = target
        try given.apply(to: &request)
        request.labels = try dictionary(labels, option: "--label")
        request.platforms = try platforms.flatMap { $0.split(separator: ",") }
            .map { try Platform(parsing: String($0)) }
        request.noCache = noCache
        request.noCacheStages = noCacheStages.flatMap { $0.split(separator: ",").map(String.init) }
        request.pull = pull
        try credentials.apply(to: &request)
        request.entitlements = Set(entitlements)
        request.frontendOptions.merge(try options()) { _, own in own }
        request.frontendOptions.merge(call.frontendOptions) { _, own in own }
        request.outputs = try outputs.map(parseOutput)
        try nameOutputs(&request)
        return request
    }

    private func callOption() throws -> CallOption {
        guard let call else { return check ? .check(isJSON: false) : try CallOption(parsing: "build") }
        let option = try CallOption(parsing: call)
        return check ? .check(isJSON: option.isJSON) : option
    }

    private var context: BuildRequest.Context {
        if definition != nil { return .empty }
        if path == "-" { return .empty }
        let remote = ["http://", "https://", "git://", "ssh://", "git@"]
        if remote.contains(where: path.hasPrefix) { return .remote(path) }
        return .directory(FilePath(path))
    }

    private func buildFile() throws -> BuildRequest.BuildFile {
        guard let file = file ?? (path == "-" ? "-" : nil) else { return .automatic }
        if file != "-" { return .path(FilePath(file)) }
        return .bytes(try readFile("-", what: "the build file"), name: "Dockerfile")
    }

    private func options() throws -> [String: String] {
        var options: [String: String] = [:]
        if let network {
            let allowed = ["default", "none", "host"]
            guard allowed.contains(network) else {
                throw UsageError(
                    "unknown network \"\(network)\"; allowed: \(allowed.joined(separator: ", "))"
                )
            }
            if network != "default" { options["force-network-mode"] = network }
        }
        if !hosts.isEmpty {
            options["add-hosts"] = try hosts.map { host in
                let parts = host.split(separator: host.contains("=") ? "=" : ":", maxSplits: 1)
                guard parts.count == 2 else {
                    throw UsageError("cannot read --add-host \"\(host)\": expected HOST:IP")
                }
                return "\(parts[0])=\(parts[1])"
            }
            .joined(separator: ",")
        }
        if let sharedMemorySize {
            guard let bytes = parseByteCount(sharedMemorySize) else {
                throw UsageError("cannot read --shm-size \"\(sharedMemorySize)\": expected a size such as 64MiB")
            }
            options["shm-size"] = String(bytes)
        }
        if !limits.isEmpty { options["ulimit"] = limits.joined(separator: ",") }
        return options
    }

    /// Gives image outputs their names, and an output to a name that has none.
    private func nameOutputs(_ request: inout BuildRequest) throws {
        if push {
            if let index = request.outputs.firstIndex(where: { $0.type == "image" }) {
                request.outputs[index].attributes["push"] = "true"
            } else {
                request.outputs.append(Output(type: "image", attributes: ["push": "true"]))
            }
        }
        if tags.isEmpty {
            if push, !request.outputs.contains(where: { $0.attributes["name"] != nil }) {
                throw UsageError("cannot push: the image has no name; add -t NAME")
            }
            return
        }
        if request.outputs.isEmpty { request.outputs.append(Output(type: "image")) }
        for index in request.outputs.indices where ["docker", "image", "oci"].contains(request.outputs[index].type) {
            if request.outputs[index].attributes["name"] == nil {
                request.outputs[index].attributes["name"] = tags.joined(separator: ",")
            }
        }
    }
}

/// The value of a variable of this process's environment.
func environmentVariable(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
}
