// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import LLBMessages
internal import OCI

/// The short forms a source might have, best first, and the plain one.
struct SourceForms {
    let source: Pb_SourceOp

    func candidates() -> [[JSONMember]] {
        var plain = [JSONMember("source", .string(source.identifier))]
        if !source.attrs.isEmpty { plain.append(JSONMember("attrs", .map(source.attrs))) }
        guard let separator = source.identifier.firstRange(of: "://") else { return [plain] }
        let scheme = source.identifier[..<separator.lowerBound]
        let rest = String(source.identifier[separator.upperBound...])
        switch scheme {
        case "docker-image": return image(rest) + [plain]
        case "oci-layout": return [layout(rest), plain]
        case "local": return [local(rest), plain]
        case "git": return git(rest) + [plain]
        case "http", "https": return [http(), plain]
        default: return [plain]
        }
    }

    /// Takes attributes away one after the other; what remains is written as it is.
    private struct Attributes {
        var left: [String: String]
        var members: [JSONMember] = []

        mutating func take(_ attribute: String, as name: String, _ value: (String) -> JSONValue? = { .string($0) }) {
            guard let text = left[attribute], let value = value(text) else { return }
            left[attribute] = nil
            members.append(JSONMember(name, value))
        }

        mutating func takeNumber(_ attribute: String, as name: String) {
            take(attribute, as: name) { text in Int64(text).map { .integer($0) } }
        }

        mutating func takeList(_ attribute: String, as name: String) {
            take(attribute, as: name) { text in
                guard let value = try? JSONValue(parsing: text), value.elements != nil else { return nil }
                return value
            }
        }

        mutating func takeFlag(_ attribute: String, as name: String) {
            take(attribute, as: name) { $0 == "true" ? .bool(true) : nil }
        }

        var all: [JSONMember] {
            left.isEmpty ? members : members + [JSONMember("attrs", .map(left))]
        }
    }

    private func image(_ name: String) -> [[JSONMember]] {
        var attributes = Attributes(left: source.attrs)
        attributes.take(SourceAttribute.imageResolveMode, as: "resolve")
        attributes.take(SourceAttribute.imageChecksum, as: "checksum")
        attributes.takeNumber(SourceAttribute.imageLayerLimit, as: "layerLimit")
        attributes.take(SourceAttribute.imageRecordType, as: "recordType")
        var names = [name]
        if let familiar = try? Reference(parsing: name).familiar { names.insert(familiar, at: 0) }
        return names.map { [JSONMember("image", .string($0))] + attributes.all }
    }

    private func layout(_ name: String) -> [JSONMember] {
        var attributes = Attributes(left: source.attrs)
        attributes.take(SourceAttribute.ociStore, as: "store")
        attributes.take(SourceAttribute.ociSession, as: "session")
        attributes.takeNumber(SourceAttribute.ociLayerLimit, as: "layerLimit")
        return [JSONMember("layout", .string(name))] + attributes.all
    }

    private func local(_ name: String) -> [JSONMember] {
        var attributes = Attributes(left: source.attrs)
        attributes.takeList(SourceAttribute.localIncludePatterns, as: "include")
        attributes.takeList(SourceAttribute.localExcludePatterns, as: "exclude")
        attributes.takeList(SourceAttribute.localFollowPaths, as: "follow")
        attributes.take(SourceAttribute.localSharedKeyHint, as: "hint")
        attributes.take(SourceAttribute.localDiffer, as: "differ")
        attributes.take(SourceAttribute.localSession, as: "session")
        attributes.take(SourceAttribute.localUnique, as: "unique")
        return [JSONMember("local", .string(name))] + attributes.all
    }

    private func git(_ rest: String) -> [[JSONMember]] {
        var attributes = Attributes(left: source.attrs)
        guard let url = attributes.left.removeValue(forKey: SourceAttribute.gitFullURL) else { return [] }
        let fragment = rest.firstIndex(of: "#").map { rest[rest.index(after: $0)...] } ?? ""
        let parts = fragment.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        var members = [JSONMember("git", .string(url))]
        if let reference = parts.first, !reference.isEmpty {
            members.append(JSONMember("ref", .string(String(reference))))
        }
        if parts.count > 1 { members.append(JSONMember("subdir", .string(String(parts[1])))) }
        attributes.take(SourceAttribute.gitChecksum, as: "checksum")
        attributes.takeFlag(SourceAttribute.gitKeepDirectory, as: "keepGitDir")
        attributes.takeFlag(SourceAttribute.gitSkipSubmodules, as: "skipSubmodules")
        attributes.takeFlag(SourceAttribute.gitFetchByCommit, as: "fetchByCommit")
        attributes.take(SourceAttribute.gitModificationTime, as: "mtime")
        // Logins have names of their own unless told otherwise; an empty name is none at all.
        let usual = State.GitOptions()
        for (attribute, name, usualName) in [
            (SourceAttribute.gitAuthTokenSecret, "authToken", usual.authTokenSecret),
            (SourceAttribute.gitAuthHeaderSecret, "authHeader", usual.authHeaderSecret),
        ] {
            let given = attributes.left.removeValue(forKey: attribute) ?? ""
            if given != usualName { attributes.members.append(JSONMember(name, .string(given))) }
        }
        attributes.take(SourceAttribute.gitKnownSSHHosts, as: "knownHosts")
        attributes.take(SourceAttribute.gitMountSSHSocket, as: "sshSocket")
        return [members + attributes.all]
    }

    private func http() -> [JSONMember] {
        var attributes = Attributes(left: source.attrs)
        attributes.take(SourceAttribute.httpChecksum, as: "checksum")
        attributes.take(SourceAttribute.httpFilename, as: "filename")
        attributes.take(SourceAttribute.httpPermissions, as: "mode")
        attributes.takeNumber(SourceAttribute.httpUser, as: "uid")
        attributes.takeNumber(SourceAttribute.httpGroup, as: "gid")
        attributes.take(SourceAttribute.httpAuthHeaderSecret, as: "authHeader")
        return [JSONMember("http", .string(source.identifier))] + attributes.all
    }
}
