// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import LLBMessages
internal import OCI

extension DockerfileConversion {
    func dispatchRun(_ run: RunInstruction, _ step: Step) throws {
        let stage = step.stage
        guard run.devices.isEmpty else {
            throw ConversionError(
                .badInstruction,
                "--device is not supported; steps have no devices but the usual ones"
            )
        }
        let mounts = try run.mounts { text throws(DockerfileError) in
            try self.expand(text, expander, step)
        }
        // The command may read any file.
        stage.usedPaths.paths.insert("/")

        let command = try self.command(of: run, step)
        var options = RunOptions(arguments: command.arguments)
        if let script = command.script { options.mounts.append(script) }
        if run.command.usesShell { options.arguments = withShell(command.arguments, stage) }
        options.proxy = proxy
        try add(mounts, to: &options, step)
        if run.network != .default {
            options.network = run.network == .host ? .host : Pb_NetMode.none
        }
        options.security = run.security == .insecure ? .insecure : .sandbox
        options.resourceLimits =
            offers(Capability.execMetaUlimit) ? self.options.resourceLimits : []
        options.extraHosts = self.options.extraHosts
        let sharedMemory = self.options.sharedMemoryByteLimit
        if offers(Capability.execMountTmpfsSize), sharedMemory > 0 {
            options.mounts.append(LLB.Mount("/dev/shm", kind: .tmpfs(byteLimit: sharedMemory)))
        }
        if offers(Capability.execMetaCgroupParent), !self.options.cgroupParent.isEmpty {
            options.cgroupParent = self.options.cgroupParent
        }

        var constraints = Constraints(locations: locations(step.lines))
        constraints.command = step.instruction.text
        constraints.ignoresCache = stage.ignoresCache
        constraints.name = try runName(command.label, mounts, step)
        if offers(Capability.execMetaLinuxResources), let resources = self.options.resources {
            constraints.metadata.linuxResources = resources
        }
        stage.state = stage.state.run(options, constraints: constraints).root
        let text = historyText(options.arguments, step)
        record("RUN " + text + " # buildkit", hasLayer: true, step)
        // Every step says its whole environment.
        budget.charge(bytes: step.environment.byteCount)
    }

    private func offers(_ capability: String) -> Bool { input.capabilities.contains(capability) }

    private func runName(_ text: String, _ mounts: [DockerfileSyntax.Mount], _ step: Step) throws -> String {
        var expander = expander
        expander.keepsQuotes = true
        expander.keepsUnsetVariables = true
        let secrets = mounts.filter { $0.kind == .secret }.compactMap(\.environmentName)
        let variables = MaskedEnvironment(base: step.environment, secrets: Set(secrets))
        return stepName(
            try label(text, expander: expander, variables),
            step.stage,
            platform: step.stage.state.platform,
            environment: step.environment
        )
    }

    /// The command with the ARGs it can see in front, as history has always shown it: `|1 VERSION=2 /bin/sh -c …`.
    private func historyText(_ arguments: [String], _ step: Step) -> String {
        var names: [String] = []
        var values: [String: String] = [:]
        for argument in step.stage.arguments {
            if values[argument.name] == nil { names.append(argument.name) }
            values[argument.name] = step.environment[argument.name] ?? argument.defaultValue ?? ""
        }
        let visible = names.map { "\($0)=\(values[$0] ?? "")" }
        let counted = visible.isEmpty ? [] : ["|\(visible.count)"] + visible
        return (counted + arguments).joined(separator: " ")
    }

    private struct RunCommand {
        var arguments: [String]
        /// The instruction with the first line of its heredoc.
        var label: String
        /// The heredoc as a file, when it is a script with an interpreter of its own.
        var script: LLB.Mount?
    }

    private func command(of run: RunInstruction, _ step: Step) throws -> RunCommand {
        let line = run.command
        var command = RunCommand(arguments: line.arguments, label: step.instruction.text)
        guard let first = line.heredocs.first else { return command }
        guard line.arguments.count == 1, line.usesShell else {
            throw ConversionError(.badInstruction, "a heredoc cannot follow a command in JSON form")
        }
        guard (try? Heredoc(word: line.arguments[0])) != nil else {
            // Several heredocs, or one among other words: the shell reads them.
            var text = line.arguments[0]
            for heredoc in line.heredocs { text += "\n" + heredoc.text + heredoc.name }
            command.arguments = [text]
            return command
        }
        let content = first.stripsTabs ? first.contentWithoutTabs : first.content
        let text = String(decoding: content, as: UTF8.self)
        if step.stage.image.platform.os != "windows", text.hasPrefix("#!") {
            var actions = FileActions()
            actions.makeFile(first.name, mode: 0o755, data: content)
            let constraints = Constraints(
                platform: step.stage.platform,
                name: "[internal] preparing inline document"
            )
            var mount = LLB.Mount(
                "/dev/pipes/",
                source: State.scratch.file(actions, constraints: constraints),
                selector: "/"
            )
            mount.isReadOnly = true
            command.script = mount
            command.arguments = [SlashPath.join("/dev/pipes/", first.name)]
        } else {
            command.arguments = [text]
        }
        command.label += " (\(summary(of: first.text)))"
        return command
    }

    /// The first line of a text, with dots when more follow.
    private func summary(of text: String) -> String {
        let trimmed = trimmingBlanks(text)
        let lines = trimmed.utf8.split(
            separator: UInt8(ascii: "\n"),
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        var first = String(lines.first.map { Substring($0) } ?? "")
        if lines.count > 1, first.utf8.last == UInt8(ascii: "\r") {
            first.unicodeScalars.removeLast()
        }
        return first + (lines.count > 1 ? "..." : "")
    }

    /// The proxies the client set as build arguments.
    private var proxy: Pb_ProxyEnv? {
        var proxy = Pb_ProxyEnv()
        var isSet = false
        for (name, value) in buildArguments.sorted(by: { $0.key < $1.key }) {
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

/// A text without the white space at its ends.
func trimmingBlanks(_ text: String) -> String {
    let scalars = text.unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
        let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
    else { return "" }
    return String(scalars[first...last])
}
