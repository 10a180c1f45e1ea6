// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import LLB
internal import LLBMessages
internal import OCI

extension StageBuilder {
    mutating func run(_ run: Run, _ step: Step) throws {
        let arguments: [String] =
            switch run.command {
            case .script(let text): (run.shell ?? stage.shell ?? Self.defaultShell) + [text]
            case .arguments(let words): words
            }
        var working = state
        if let directory = run.workingDirectory { working = working.inDirectory(absolute(directory)) }
        working.user = run.user
        for (name, value) in buildEnvironment + run.environment { working.environment[name] = value }
        var options = RunOptions(arguments: arguments)
        switch run.network {
        case .default: break
        case .none: options.network = Pb_NetMode.none
        case .host: options.network = .host
        }
        for input in run.inputs { options.mounts.append(try mount(input, in: working.directory, step)) }
        for cache in run.caches { options.mounts.append(mount(cache, in: working.directory)) }
        for path in run.temporaryDirectories { options.mounts.append(Mount(path, kind: .tmpfs(byteLimit: 0))) }
        options.secrets = run.secrets.map { secret in
            var needed = RunSecret(id: secret.id, target: secret.file, environmentName: secret.environmentName)
            needed.mode = secret.mode
            needed.userID = secret.userID
            needed.isOptional = !secret.isRequired
            return needed
        }
        options.sshSockets = run.sockets.map { RunSSHSocket(id: $0 == "default" ? "" : $0) }
        execute(options, in: working, isAlwaysRun: run.isAlwaysRun, step)
    }

    /// Runs a command; only the tree it leaves is kept.
    mutating func execute(_ options: RunOptions, in working: State, isAlwaysRun: Bool = false, _ step: Step) {
        var options = options
        options.proxy = proxy
        var constraints = constraints(step)
        if isAlwaysRun { constraints.ignoresCache = true }
        let result = working.run(options, constraints: constraints).root
        state = state.withTree(of: result)
        commit(step, hasLayer: true)
    }

    private func mount(_ input: Run.Input, in directory: String, _ step: Step) throws -> Mount {
        let path = SlashPath.join("/", input.path)
        let target: String
        if let given = input.target {
            target = SlashPath.join("/", SlashPath.isAbsolute(given) ? "" : directory, given)
        } else if input.from == .context {
            target = SlashPath.join(directory, path)
        } else {
            target = path
        }
        guard target != "/" else {
            throw input.place.problem(
                "an input cannot stand in place of the whole tree",
                notes: ["set workdir:, or say with to: where it is to be seen"]
            )
        }
        var source = try tree(input.from, at: input.place).state
        var selector = path
        if !input.excludes.isEmpty {
            var copy = CopyOptions()
            copy.createsDestinationPath = true
            copy.copiesDirectoryContents = true
            copy.followsSymlinks = true
            copy.excludePatterns = input.excludes
            copy.createdTime = createdTime
            var actions = FileActions()
            actions.copy(from: source, path, to: "/input", options: copy)
            source = State.scratch.file(
                actions,
                constraints: Constraints(platform: platform, name: "[internal] select \(input.path)")
            )
            selector = "/input"
        }
        var mount = Mount(target, source: source, selector: selector == "/" ? "" : selector)
        mount.isReadOnly = !input.isWritable
        mount.discardsOutput = input.isWritable
        return mount
    }

    private func mount(_ cache: Run.Cache, in directory: String) -> Mount {
        let path = SlashPath.join("/", SlashPath.isAbsolute(cache.path) ? "" : directory, cache.path)
        return cacheMount(path, id: cache.id ?? path, sharing: cache.sharing.message)
    }

    /// The id is written as Dockerfiles write it, so that a cache serves both.
    func cacheMount(_ path: String, id: String? = nil, sharing: Pb_CacheSharingOpt) -> Mount {
        let id = conversion.options.cacheNamespace + "/" + (id ?? path)
        return Mount(path, kind: .cache(id: id, sharing: sharing))
    }

    private var proxy: Pb_ProxyEnv? {
        var proxy = Pb_ProxyEnv()
        var isSet = false
        for (name, value) in conversion.options.proxies.sorted(by: { $0.key < $1.key }) {
            switch name.lowercased() {
            case "http_proxy": proxy.httpProxy = value
            case "https_proxy": proxy.httpsProxy = value
            case "ftp_proxy": proxy.ftpProxy = value
            case "no_proxy": proxy.noProxy = value
            case "all_proxy": proxy.allProxy = value
            default: continue
            }
            isSet = true
        }
        return isSet ? proxy : nil
    }
}

extension Run.Cache.Sharing {
    fileprivate var message: Pb_CacheSharingOpt {
        switch self {
        case .shared: .shared
        case .private: .private
        case .locked: .locked
        }
    }
}
