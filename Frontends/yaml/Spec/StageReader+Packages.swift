// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import OCI

extension StageReader {
    /// Reads `packages`; the managers come in the order apt, apk, pip, npm.
    func installs(_ node: YAMLNode) -> [Step] {
        let managers = PackageInstall.Manager.allCases
        guard let fields = reader.fields(node, "packages", managers.map(\.rawValue)) else { return [] }
        return managers.compactMap { manager in
            guard let node = fields[manager.rawValue] else { return nil }
            let place = fields.keyPlace(manager.rawValue) ?? node.place
            guard let install = install(manager, node, place) else { return nil }
            var words = install.packages + install.requirementFiles
            if let project = install.project { words.append("the packages of \(project)") }
            return Step(
                place: place,
                name: "install \(words.joined(separator: " ")) with \(manager.rawValue)",
                action: .install(install)
            )
        }
    }

    private func install(_ manager: PackageInstall.Manager, _ node: YAMLNode, _ place: Place) -> PackageInstall? {
        var install = PackageInstall(manager: manager, place: place)
        if case .mapping = node.content {
            let extra: [String] =
                switch manager {
                case .apt: ["recommended"]
                case .apk: []
                case .pip: ["requirements", "break-system-packages"]
                case .npm: ["project", "omit"]
                }
            let what = "packages \(manager.rawValue)"
            guard let fields = reader.fields(node, what, ["install"] + extra) else { return nil }
            if let list = fields["install"] { install.packages = packages(list, manager) }
            if let recommended = fields["recommended"] {
                install.takesRecommended = reader.boolean(recommended, "recommended") ?? false
            }
            if let files = fields["requirements"] {
                install.requirementFiles = reader.elements(files, "requirements").compactMap { contextPath($0, what) }
            }
            if let breaks = fields["break-system-packages"] {
                install.breaksSystemPackages = reader.boolean(breaks, "break-system-packages") ?? false
            }
            if let project = fields["project"] { install.project = contextPath(project, "project") }
            if let omits = fields["omit"] {
                for omit in reader.elements(omits, "omit") {
                    guard let word = reader.text(omit, "omit") else { continue }
                    if ["dev", "optional", "peer"].contains(word) {
                        install.omits.append(word)
                    } else {
                        reader.report("omit is \"\(shortened(word))\", expected dev, optional or peer", at: omit.place)
                    }
                }
            }
        } else {
            install.packages = packages(node, manager)
        }
        guard !install.packages.isEmpty || !install.requirementFiles.isEmpty || install.project != nil else {
            return nil
        }
        return install
    }

    private func contextPath(_ node: YAMLNode, _ what: String) -> String? {
        guard let path = reader.path(node, what) else { return nil }
        let parts = path.split(separator: "/").filter { $0 != "." }
        guard !parts.contains("..") else {
            reader.report("\(what) cannot leave the context: \(shortened(path))", at: node.place)
            return nil
        }
        return parts.isEmpty ? "." : parts.joined(separator: "/")
    }

    /// Names of packages, sorted, each once.
    private func packages(_ node: YAMLNode, _ manager: PackageInstall.Manager) -> [String] {
        let words = reader.elements(node, "packages \(manager.rawValue)").compactMap { element -> String? in
            guard let text = reader.text(element, "a package") else { return nil }
            // `when`-like choices leave a package out by an empty name.
            guard !text.isEmpty else { return nil }
            guard Self.isPackage(text, manager) else {
                let hint = text.contains(" ") ? "; write one package an element" : ""
                reader.report("\"\(shortened(text))\" is no package of \(manager.rawValue)" + hint, at: element.place)
                return nil
            }
            return text
        }
        return Set(words).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Whether a text can be a package's name with its version; never an option of the program, nor anything a shell reads.
    private static func isPackage(_ text: String, _ manager: PackageInstall.Manager) -> Bool {
        let bytes = text.utf8
        guard bytes.count <= 256, let first = bytes.first else { return false }
        func isPlain(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) }
        let extra: String =
            switch manager {
            case .apt: "+.-:~=/_"
            case .apk: "+.-_~=<>@"
            case .pip: "._-[]=<>!~,;@:/+ "
            case .npm: "@/._-^~=<>:+*"
            }
        guard isPlain(first) || (manager == .npm && first == UInt8(ascii: "@")) || first == UInt8(ascii: "_") else {
            return false
        }
        return bytes.allSatisfy { isPlain($0) || extra.utf8.contains($0) }
    }

    // MARK: Users

    /// Reads `users`: names, or mappings.
    func users(_ node: YAMLNode) -> [Step] {
        var accounts: [UserAccount] = []
        for element in reader.elements(node, "users") {
            guard let account = user(element) else { continue }
            if accounts.contains(where: { $0.name == account.name }) {
                reader.report("user \(account.name) is created twice", at: element.place)
                continue
            }
            if let id = account.id, let other = accounts.first(where: { $0.id == id }) {
                reader.report("uid \(id) is already \(other.name)'s", at: element.place)
                continue
            }
            accounts.append(account)
        }
        guard !accounts.isEmpty else { return [] }
        let name = "create users " + accounts.map(\.name).joined(separator: ", ")
        return [Step(place: node.place, name: name, action: .createUsers(accounts))]
    }

    private func user(_ node: YAMLNode) -> UserAccount? {
        var fields: SpecReader.Fields?
        var nameNode = node
        if case .mapping = node.content {
            let keys = ["name", "uid", "group", "gid", "home", "shell", "create-home"]
            guard let found = reader.fields(node, "a user", keys) else { return nil }
            guard let name = found["name"] else {
                reader.report("a user has no name:", at: node.place)
                return nil
            }
            fields = found
            nameNode = name
        }
        guard let name = accountName(nameNode, "a user") else { return nil }
        func id(_ key: String) -> UInt32? {
            fields?[key].flatMap { reader.integer($0, key, in: 0...Int64(UInt32.max) - 1) }.map { UInt32($0) }
        }
        func path(_ key: String) -> String? {
            guard let node = fields?[key], let path = reader.absolutePath(node, key) else { return nil }
            guard !path.utf8.contains(where: { $0 < 0x21 || $0 == UInt8(ascii: ":") }) else {
                reader.report("\(key) holds a blank or a colon, which /etc/passwd cannot", at: node.place)
                return nil
            }
            return path
        }
        return UserAccount(
            name: name,
            id: id("uid"),
            group: fields?["group"].flatMap { accountName($0, "group") } ?? name,
            groupID: id("gid"),
            home: path("home") ?? "/home/\(name)",
            shell: path("shell") ?? "/bin/sh",
            createsHome: fields?["create-home"].flatMap { reader.boolean($0, "create-home") } ?? true
        )
    }

    private func accountName(_ node: YAMLNode, _ what: String) -> String? {
        guard let name = reader.text(node, what) else { return nil }
        let isName =
            (1...32).contains(name.utf8.count)
            && name.utf8.enumerated().allSatisfy { index, byte in
                (0x61...0x7a).contains(byte) || byte == UInt8(ascii: "_")
                    || (index > 0 && ((0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")))
            }
        guard isName else {
            reader.report(
                "\"\(shortened(name))\" cannot name \(what): expected small letters, digits, - and _",
                at: node.place
            )
            return nil
        }
        return name
    }
}
