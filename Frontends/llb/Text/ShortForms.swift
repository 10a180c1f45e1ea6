// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import LLB
internal import LLBMessages
internal import OCI

/// The short forms an operation might have, best first.
///
/// They are proposals: what a form cannot say shows when it is read back.
struct ShortForms {
    let message: Pb_Op
    /// The name of an input; `nil` when it cannot be named.
    let name: (Pb_Input) -> String?

    func candidates() -> [[JSONMember]] {
        switch message.op {
        case .source(let source): SourceForms(source: source).candidates()
        case .exec(let exec): [self.exec(exec, asLine: true), self.exec(exec, asLine: false)]
        case .file(let file): [self.file(file)]
        case .merge(let merge): [[JSONMember("merge", .array(merge.inputs.map { input($0.input) }))]]
        case .diff(let diff): [[JSONMember("diff", self.diff(diff))]]
        case .build(let build): [self.build(build)]
        case .passthrough(let passthrough):
            [
                [
                    JSONMember("passthrough", .string(passthrough.id)),
                    JSONMember("outputs", .array(passthrough.outputs.map(input))),
                ]
            ]
        case nil: []
        }
    }

    /// The name of the input with a number.
    private func input(_ number: Int64) -> JSONValue {
        guard let index = Int(exactly: number), message.inputs.indices.contains(index) else {
            return .string(OperationReader.scratch)
        }
        return .string(name(message.inputs[index]) ?? "")
    }

    private func diff(_ diff: Pb_DiffOp) -> JSONValue {
        var members: [JSONMember] = []
        if diff.lower.input != -1 { members.append(JSONMember("lower", input(diff.lower.input))) }
        if diff.upper.input != -1 { members.append(JSONMember("upper", input(diff.upper.input))) }
        return .object(members)
    }

    private func build(_ build: Pb_BuildOp) -> [JSONMember] {
        let inputs = build.inputs.sorted { $0.key < $1.key }.map { JSONMember($0.key, input($0.value.input)) }
        var members = [JSONMember("build", .object(inputs))]
        if !build.attrs.isEmpty { members.append(JSONMember("attrs", .map(build.attrs))) }
        return members
    }
}

// MARK: Steps

extension ShortForms {
    /// - Parameter asLine: Whether a command for the shell is written as its line.
    private func exec(_ exec: Pb_ExecOp, asLine: Bool) -> [JSONMember] {
        let meta = exec.meta
        var members: [JSONMember] = []
        func add(_ name: String, _ value: JSONValue?) {
            if let value { members.append(JSONMember(name, value)) }
        }
        func add(_ name: String, text: String) { add(name, text.isEmpty ? nil : .string(text)) }
        let isLine = asLine && meta.args.count == 3 && meta.args.starts(with: ["/bin/sh", "-c"])
        add("exec", isLine ? .string(meta.args[2]) : .strings(meta.args))
        var mounts = exec.mounts
        if let root = mounts.first, isPlainRoot(root) {
            mounts.removeFirst()
            if root.input != -1 { add("from", input(root.input)) }
            if root.readonly { add("readonly", .bool(true)) }
        }
        if meta.cwd != "/" { add("cwd", .string(meta.cwd)) }
        add("env", environment(meta.env))
        add("user", text: meta.user)
        add("hostname", text: meta.hostname)
        add("network", choice(exec.network, [.host: "host", .none: "none"]))
        add("security", choice(exec.security, [.insecure: "insecure"]))
        add("mounts", self.mounts(mounts))
        add("secretEnv", secretVariables(exec.secretenv))
        if !meta.validExitCodes.isEmpty { add("validExitCodes", .array(meta.validExitCodes.map { .integer($0) })) }
        if !meta.ulimit.isEmpty { add("ulimits", .object(meta.ulimit.map(limit))) }
        if !meta.extraHosts.isEmpty {
            add("hosts", .object(meta.extraHosts.map { JSONMember($0.host, .string($0.ip)) }))
        }
        if meta.hasProxyEnv { add("proxy", proxy(meta.proxyEnv)) }
        add("cgroupParent", text: meta.cgroupParent)
        if !exec.cdiDevices.isEmpty { add("devices", .array(exec.cdiDevices.map(device))) }
        if !meta.removeMountStubsRecursive { add("keepMountStubs", .bool(true)) }
        return members
    }

    private func isPlainRoot(_ mount: Pb_Mount) -> Bool {
        var plain = Pb_Mount()
        plain.dest = "/"
        plain.input = mount.input
        plain.readonly = mount.readonly
        plain.output = mount.readonly ? -1 : 0
        return mount == plain
    }

    private func choice<Value: Hashable>(_ value: Value, _ names: [Value: String]) -> JSONValue? {
        names[value].map { .string($0) }
    }

    /// An object where it says the same as the list.
    private func environment(_ variables: [String]) -> JSONValue? {
        if variables.isEmpty { return nil }
        var members: [JSONMember] = []
        for variable in variables {
            let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !members.contains(where: { $0.name == parts[0] }) else {
                return .strings(variables)
            }
            members.append(JSONMember(String(parts[0]), .string(String(parts[1]))))
        }
        return .object(members)
    }

    private func secretVariables(_ variables: [Pb_SecretEnv]) -> JSONValue? {
        if variables.isEmpty { return nil }
        return .object(
            variables.map { variable in
                let id = JSONValue.string(variable.id)
                return JSONMember(
                    variable.name,
                    variable.optional ? .object([JSONMember("id", id), JSONMember("optional", .bool(true))]) : id
                )
            }
        )
    }

    private func limit(_ limit: Pb_Ulimit) -> JSONMember {
        let (soft, hard) = (integer(limit.soft), integer(limit.hard))
        return JSONMember(limit.name, limit.soft == limit.hard ? soft : .array([soft, hard]))
    }

    private func integer(_ value: Int64) -> JSONValue {
        value.magnitude < 1 << 53 ? .integer(value) : .string("\(value)")
    }

    private func proxy(_ proxy: Pb_ProxyEnv) -> JSONValue {
        let parts = [
            ("http", proxy.httpProxy), ("https", proxy.httpsProxy), ("ftp", proxy.ftpProxy), ("no", proxy.noProxy),
            ("all", proxy.allProxy),
        ]
        return .object(parts.filter { !$0.1.isEmpty }.map { JSONMember($0.0, .string($0.1)) })
    }

    private func device(_ device: Pb_CDIDevice) -> JSONValue {
        guard device.optional else { return .string(device.name) }
        return .object([JSONMember("name", .string(device.name)), JSONMember("optional", .bool(true))])
    }

    /// An object by target where targets are distinct and in order, else a list.
    private func mounts(_ mounts: [Pb_Mount]) -> JSONValue? {
        if mounts.isEmpty { return nil }
        let isOrdered = zip(mounts, mounts.dropFirst()).allSatisfy { left, right in
            left.dest.utf8.lexicographicallyPrecedes(right.dest.utf8)
        }
        if isOrdered { return .object(mounts.map { JSONMember($0.dest, mount($0)) }) }
        return .array(
            mounts.map { .object([JSONMember("target", .string($0.dest))] + mountMembers($0)) }
        )
    }

    private func mount(_ mount: Pb_Mount) -> JSONValue {
        let members = mountMembers(mount)
        if members.count == 1, members[0].name == "from" { return members[0].value }
        return .object(members)
    }

    private func mountMembers(_ mount: Pb_Mount) -> [JSONMember] {
        var members: [JSONMember] = []
        func add(_ name: String, _ value: JSONValue?) {
            if let value { members.append(JSONMember(name, value)) }
        }
        var usualOutput: Int64 = mount.dest == "/" && !mount.readonly ? 0 : -1
        switch mount.mountType {
        case .cache:
            usualOutput = -1
            add("cache", .string(mount.cacheOpt.id))
            add("sharing", choice(mount.cacheOpt.sharing, [.private: "private", .locked: "locked"]))
        case .tmpfs:
            usualOutput = -1
            add("tmpfs", mount.tmpfsOpt.size == 0 ? .bool(true) : integer(mount.tmpfsOpt.size))
        case .secret:
            usualOutput = 0
            let option = mount.secretOpt
            add("secret", .string(option.id))
            members += access(option.uid, option.gid, option.mode, option.optional, usualMode: 0o400)
        case .ssh:
            usualOutput = 0
            let option = mount.sshopt
            add("ssh", .string(option.id))
            members += access(option.uid, option.gid, option.mode, option.optional, usualMode: 0o600)
        default: break
        }
        if mount.input != -1 { add("from", input(mount.input)) }
        if !mount.selector.isEmpty { add("path", .string(mount.selector)) }
        if mount.readonly { add("readonly", .bool(true)) }
        if mount.output != usualOutput { add("output", mount.output == -1 ? .bool(false) : integer(mount.output)) }
        if !mount.resultID.isEmpty { add("resultID", .string(mount.resultID)) }
        add("contentCache", choice(mount.contentCache, [.on: "on", .off: "off"]))
        return members
    }

    private func access(
        _ user: UInt32,
        _ group: UInt32,
        _ mode: UInt32,
        _ isOptional: Bool,
        usualMode: UInt32
    ) -> [JSONMember] {
        var members: [JSONMember] = []
        if user != 0 { members.append(JSONMember("uid", .integer(user))) }
        if group != 0 { members.append(JSONMember("gid", .integer(group))) }
        if mode != usualMode { members.append(JSONMember("mode", Self.octal(mode))) }
        if isOptional { members.append(JSONMember("optional", .bool(true))) }
        return members
    }

    static func octal(_ mode: some BinaryInteger) -> JSONValue {
        let digits = String(mode, radix: 8)
        return .string(digits.count < 4 ? String(repeating: "0", count: 4 - digits.count) + digits : digits)
    }
}

// MARK: File actions

extension ShortForms {
    private func file(_ file: Pb_FileOp) -> [JSONMember] {
        let base = file.actions.first?.input ?? -1
        let last = file.actions.count - 1
        let actions = file.actions.enumerated().map { index, action -> JSONValue in
            var members = self.action(action, base: base)
            let usualTree = index == 0 ? base : Int64(message.inputs.count + index - 1)
            if action.input != usualTree { members.append(JSONMember("on", place(action.input))) }
            if action.output != (index == last ? 0 : -1) {
                members.append(JSONMember("output", action.output == -1 ? .bool(false) : integer(action.output)))
            }
            return .object(members)
        }
        var members = [JSONMember("file", .array(actions))]
        if base != -1 { members.append(JSONMember("from", input(base))) }
        return members
    }

    /// An input, or what an action of the same operation made.
    private func place(_ number: Int64) -> JSONValue {
        let count = Int64(message.inputs.count)
        return number >= count ? .string("^\(number - count)") : input(number)
    }

    private func action(_ action: Pb_FileAction, base: Int64) -> [JSONMember] {
        var members: [JSONMember] = []
        func add(_ name: String, _ value: JSONValue?) {
            if let value { members.append(JSONMember(name, value)) }
        }
        func flag(_ name: String, _ value: Bool) { add(name, value ? .bool(true) : nil) }
        switch action.action {
        case .copy(let copy):
            add("copy", .string(copy.src))
            if action.secondaryInput != -1 { add("from", place(action.secondaryInput)) }
            add("to", .string(copy.dest))
            if copy.modeStr.isEmpty {
                if copy.mode != -1 { add("mode", Self.octal(copy.mode)) }
            } else {
                add("mode", .string(copy.modeStr))
            }
            add("owner", copy.hasOwner ? owner(copy.owner, base: base) : nil)
            add("time", time(copy.timestamp))
            flag("followSymlinks", copy.followSymlink)
            flag("contents", copy.dirCopyContents)
            flag("unpack", copy.attemptUnpackDockerCompatibility)
            flag("parents", copy.createDestPath)
            flag("wildcard", copy.allowWildcard)
            flag("allowEmptyWildcard", copy.allowEmptyWildcard)
            add("include", copy.includePatterns.isEmpty ? nil : .strings(copy.includePatterns))
            add("exclude", copy.excludePatterns.isEmpty ? nil : .strings(copy.excludePatterns))
            add("required", copy.requiredPaths.isEmpty ? nil : .strings(copy.requiredPaths))
            flag("replace", copy.alwaysReplaceExistingDestPaths)
        case .mkfile(let file):
            add("mkfile", .string(file.path))
            if let text = String(validating: file.data, as: UTF8.self) {
                add("text", text.isEmpty ? nil : .string(text))
            } else {
                add("base64", .string(file.data.base64EncodedString()))
            }
            if file.mode != 0o644 { add("mode", Self.octal(file.mode)) }
            add("owner", file.hasOwner ? owner(file.owner, base: base) : nil)
            add("time", time(file.timestamp))
        case .mkdir(let directory):
            add("mkdir", .string(directory.path))
            flag("parents", directory.makeParents)
            if directory.mode != 0o755 { add("mode", Self.octal(directory.mode)) }
            add("owner", directory.hasOwner ? owner(directory.owner, base: base) : nil)
            add("time", time(directory.timestamp))
        case .rm(let removal):
            add("rm", .string(removal.path))
            flag("missingOk", removal.allowNotFound)
            flag("wildcard", removal.allowWildcard)
        case .symlink(let link):
            add("symlink", .string(link.newpath))
            add("to", .string(link.oldpath))
            add("owner", link.hasOwner ? owner(link.owner, base: base) : nil)
            add("time", time(link.timestamp))
        case nil: break
        }
        return members
    }

    /// A time as people write it; `nil` is the time of the build.
    private func time(_ nanoseconds: Int64) -> JSONValue? {
        guard nanoseconds != -1 else { return nil }
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let seconds = remainder < 0 ? quotient - 1 : quotient
        let fraction = remainder < 0 ? remainder + 1_000_000_000 : remainder
        return .string(Timestamp(seconds: seconds, nanoseconds: Int32(fraction)).description)
    }

    private func owner(_ owner: Pb_ChownOpt, base: Int64) -> JSONValue {
        func short(_ option: Pb_UserOpt) -> String? {
            switch option.user {
            case .byID(let id): "\(id)"
            case .byName(let named) where named.input == base: named.name
            default: nil
            }
        }
        if owner.hasUser, let user = short(owner.user), !user.contains(":"), !user.isEmpty {
            if !owner.hasGroup { return .string(user) }
            if let group = short(owner.group), !group.isEmpty { return .string("\(user):\(group)") }
        }
        var members: [JSONMember] = []
        if owner.hasUser { members.append(JSONMember("user", identity(owner.user, base: base))) }
        if owner.hasGroup { members.append(JSONMember("group", identity(owner.group, base: base))) }
        return .object(members)
    }

    private func identity(_ option: Pb_UserOpt, base: Int64) -> JSONValue {
        switch option.user {
        case .byID(let id): return .object([JSONMember("id", .integer(id))])
        case .byName(let named):
            var members = [JSONMember("name", .string(named.name))]
            if named.input != base { members.append(JSONMember("in", input(named.input))) }
            return .object(members)
        case nil: return .object([])
        }
    }
}
