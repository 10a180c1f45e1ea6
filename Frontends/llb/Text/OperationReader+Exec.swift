// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import LLBMessages
internal import OCI

extension OperationReader {
    static let execMembers = [
        "exec", "from", "readonly", "cwd", "env", "user", "hostname", "network", "security", "mounts", "secretEnv",
        "validExitCodes", "ulimits", "hosts", "proxy", "cgroupParent", "devices", "keepMountStubs",
    ]

    static let mountMembers = [
        "target", "from", "path", "readonly", "output", "cache", "sharing", "tmpfs", "secret", "ssh", "uid", "gid",
        "mode", "optional", "resultID", "contentCache",
    ]

    mutating func readExec() {
        node.allow(Self.execMembers + Self.commonMembers, in: "an exec")
        guard let command = node["exec"] else { return }
        var exec = Pb_ExecOp()
        exec.meta = meta(command)
        exec.network = node["network"]?.choice(["default": .unset, "host": .host, "none": .none]) ?? .unset
        exec.security = node["security"]?.choice(["sandbox": .sandbox, "insecure": .insecure]) ?? .sandbox
        exec.mounts = mounts()
        exec.secretenv = secretVariables()
        exec.cdiDevices = devices()
        message.exec = exec
    }

    /// A list is the arguments as they are; a string is a line for the shell.
    private func meta(_ command: Node) -> Pb_Meta {
        var meta = Pb_Meta()
        if command.isString {
            meta.args = ["/bin/sh", "-c", command.string() ?? ""]
        } else {
            meta.args = command.strings() ?? []
        }
        if meta.args.isEmpty, command.isList { command.report("a command needs arguments") }
        meta.cwd = node["cwd"]?.string() ?? "/"
        meta.user = node["user"]?.string() ?? ""
        meta.hostname = node["hostname"]?.string() ?? ""
        meta.cgroupParent = node["cgroupParent"]?.string() ?? ""
        meta.removeMountStubsRecursive = !(node["keepMountStubs"]?.bool() ?? false)
        if let given = node["env"] { meta.env = Self.environment(given) }
        for element in node["validExitCodes"]?.elements("a list of numbers") ?? [] {
            if let code = element.integer(Int32.self) { meta.validExitCodes.append(code) }
        }
        for (host, address) in node["hosts"]?.pairs() ?? [] {
            var line = Pb_HostIP()
            line.host = host
            line.ip = address
            meta.extraHosts.append(line)
        }
        meta.ulimit = limits()
        if let given = node["proxy"], given.members() != nil {
            given.allow(["http", "https", "ftp", "no", "all"], in: "a proxy")
            meta.proxyEnv = Pb_ProxyEnv()
            meta.proxyEnv.httpProxy = given["http"]?.string() ?? ""
            meta.proxyEnv.httpsProxy = given["https"]?.string() ?? ""
            meta.proxyEnv.ftpProxy = given["ftp"]?.string() ?? ""
            meta.proxyEnv.noProxy = given["no"]?.string() ?? ""
            meta.proxyEnv.allProxy = given["all"]?.string() ?? ""
        }
        return meta
    }

    /// Variables as an object, or as a list of `NAME=value`.
    static func environment(_ node: Node) -> [String] {
        if node.isObject { return (node.pairs() ?? []).map { "\($0.name)=\($0.value)" } }
        let variables = node.strings() ?? []
        for (index, variable) in variables.enumerated() where !variable.contains("=") {
            node.elements()?[index].report("\"\(variable.prefix(80))\" is no NAME=value")
        }
        return variables
    }

    private func limits() -> [Pb_Ulimit] {
        (node["ulimits"]?.members("an object of limits") ?? []).compactMap { member in
            var limit = Pb_Ulimit()
            limit.name = member.name
            if member.node.isList {
                let numbers = (member.node.elements() ?? []).compactMap { $0.integer(Int64.self) }
                guard numbers.count == 2 else {
                    member.node.report("expected a limit or a list of a soft and a hard one")
                    return nil
                }
                (limit.soft, limit.hard) = (numbers[0], numbers[1])
            } else if let number = member.node.integer(Int64.self) {
                (limit.soft, limit.hard) = (number, number)
            }
            return limit
        }
    }

    /// `NAME: SECRET` or `NAME: {"id": SECRET, "optional": true}`.
    private func secretVariables() -> [Pb_SecretEnv] {
        (node["secretEnv"]?.members("an object of secrets") ?? []).map { member in
            var variable = Pb_SecretEnv()
            variable.name = member.name
            if member.node.isObject {
                member.node.allow(["id", "optional"], in: "a secret")
                variable.id = member.node["id"]?.string() ?? ""
                variable.optional = member.node["optional"]?.bool() ?? false
            } else {
                variable.id = member.node.string("the id of a secret") ?? ""
            }
            return variable
        }
    }

    private func devices() -> [Pb_CDIDevice] {
        (node["devices"]?.elements("a list of devices") ?? []).map { element in
            var device = Pb_CDIDevice()
            if element.isObject {
                element.allow(["name", "optional"], in: "a device")
                device.name = element["name"]?.string() ?? ""
                device.optional = element["optional"]?.bool() ?? false
            } else {
                device.name = element.string("the name of a device") ?? ""
            }
            return device
        }
    }

    // MARK: Mounts

    /// The mounts in order: as a list gives them, or by their targets when they are an object.
    ///
    /// The root mount comes from `from` and `readonly` beside `exec`, unless a mount at `/` says otherwise.
    private mutating func mounts() -> [Pb_Mount] {
        var given: [(target: String, node: Node)] = []
        if let list = node["mounts"] {
            if list.isObject {
                given = (list.members() ?? []).map { ($0.name, $0.node) }
                    .sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
                for (_, mount) in given { mount["target"]?.report("the target is the mount's name already") }
            } else {
                for element in list.elements("an object of mounts by target, or a list of mounts") ?? []
                where element.members() != nil {
                    guard let target = element["target"] else {
                        element.report("a mount needs a target")
                        continue
                    }
                    given.append((target.string() ?? "", element))
                }
            }
        }
        var mounts: [Pb_Mount] = []
        if given.contains(where: { $0.target == "/" }) {
            for member in ["from", "readonly"] {
                node[member]?.report("the mount at \"/\" says what the root is; leave this out")
            }
        } else {
            mounts.append(root())
        }
        for (target, mount) in given { mounts.append(self.mount(mount, at: target)) }
        return mounts
    }

    private mutating func root() -> Pb_Mount {
        var root = Pb_Mount()
        root.dest = "/"
        root.input = node["from"].map { use($0) } ?? -1
        root.readonly = node["readonly"]?.bool() ?? false
        root.output = root.readonly ? -1 : 0
        return root
    }

    private mutating func mount(_ given: Node, at target: String) -> Pb_Mount {
        var mount = Pb_Mount()
        guard given.isObject else {
            // The shortest form: the tree to mount.
            mount.dest = target
            mount.input = use(given)
            mount.output = target == "/" ? 0 : -1
            return mount
        }
        given.allow(Self.mountMembers, in: "a mount")
        mount.dest = target
        mount.input = given["from"].map { use($0) } ?? -1
        mount.selector = given["path"]?.string() ?? ""
        mount.readonly = given["readonly"]?.bool() ?? false
        mount.resultID = given["resultID"]?.string() ?? ""
        mount.contentCache = given["contentCache"]?.choice(["default": .default, "on": .on, "off": .off]) ?? .default
        mount.output = target == "/" && !mount.readonly ? 0 : -1
        readKind(given, &mount)
        if let output = given["output"] {
            if case .bool(false) = output.value.content {
                mount.output = -1
            } else {
                mount.output = output.integer(Int64.self) ?? -1
            }
        }
        return mount
    }

    private func readKind(_ given: Node, _ mount: inout Pb_Mount) {
        let kinds = ["cache", "tmpfs", "secret", "ssh"].filter { given[$0] != nil }
        if kinds.count > 1 { given.report("says both \"\(kinds[0])\" and \"\(kinds[1])\"; a mount is one thing") }
        func refuse(_ members: [String], of kind: String) {
            for member in members { given[member]?.report("only \(kind) has \"\(member)\"") }
        }
        let kind = kinds.first
        if kind != "cache" { refuse(["sharing"], of: "a cache") }
        if kind != "secret", kind != "ssh" { refuse(["uid", "gid", "mode", "optional"], of: "a secret or an agent") }
        switch kind {
        case "cache":
            mount.mountType = .cache
            mount.output = -1
            mount.cacheOpt.id = given["cache"]?.string("the id of the cache") ?? ""
            mount.cacheOpt.sharing =
                given["sharing"]?.choice(["shared": .shared, "private": .private, "locked": .locked]) ?? .shared
        case "tmpfs":
            mount.mountType = .tmpfs
            mount.output = -1
            mount.tmpfsOpt = Pb_TmpfsOpt()
            guard let size = given["tmpfs"] else { return }
            if case .bool(true) = size.value.content { return }
            mount.tmpfsOpt.size = size.integer(Int64.self) ?? 0
        case "secret":
            mount.mountType = .secret
            mount.output = 0
            mount.secretOpt.id = given["secret"]?.string("the id of the secret") ?? ""
            mount.secretOpt.uid = given["uid"]?.integer(UInt32.self) ?? 0
            mount.secretOpt.gid = given["gid"]?.integer(UInt32.self) ?? 0
            mount.secretOpt.mode = UInt32(bitPattern: given["mode"].flatMap(Self.mode) ?? 0o400)
            mount.secretOpt.optional = given["optional"]?.bool() ?? false
        case "ssh":
            mount.mountType = .ssh
            mount.output = 0
            mount.sshopt.id = given["ssh"]?.string("the id of the agent") ?? ""
            mount.sshopt.uid = given["uid"]?.integer(UInt32.self) ?? 0
            mount.sshopt.gid = given["gid"]?.integer(UInt32.self) ?? 0
            mount.sshopt.mode = UInt32(bitPattern: given["mode"].flatMap(Self.mode) ?? 0o600)
            mount.sshopt.optional = given["optional"]?.bool() ?? false
        default: break
        }
    }
}
