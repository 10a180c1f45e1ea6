// SPDX-License-Identifier: Apache-2.0

internal import OCI

/// A member of LLB's JSON form that is no field: where it stands, and which field was meant.
struct UnknownField: CustomStringConvertible {
    /// Where it stands, as `file.actions[0].secondInput`.
    let path: String
    /// `nil` where no field is near.
    let meant: String?

    /// Finds the member in a message that a reader refused for it.
    ///
    /// - Parameters:
    ///   - unknownField: The name of the field for which a value is refused; `nil` for a value that is read.
    init(_ name: String, in json: JSONValue, unknownField: (JSONValue) -> String?) {
        let places = Self.places(of: name, in: json)
        // A field of one message may be unknown in another: it is the place without which something else is said.
        let place =
            places.count == 1
            ? places.first
            : places.prefix(Self.placeCountMax).first { place in
                unknownField(json.renaming(name, to: nil, at: place)) != name
            }
        guard let place else {
            (path, meant) = (name, nil)
            return
        }
        path = place.reduce("") { $0 + $1.text(isFirst: $0.isEmpty) }
        meant = Self.fields
            .filter { Self.isNear(name, $0) && unknownField(json.renaming(name, to: $0, at: place)) != $0 }
            .max { Self.likeness(name, $0) < Self.likeness(name, $1) }
    }

    var description: String {
        "\(path) is no field of LLB" + (meant.map { "; did you mean \($0)?" } ?? "")
    }

    /// A large message is looked through at so many places only.
    private static let placeCountMax = 16

    // MARK: Places

    fileprivate enum Step {
        case member(String)
        case element(Int)

        func text(isFirst: Bool) -> String {
            switch self {
            case .member(let name): isFirst ? name : "." + name
            case .element(let index): "[\(index)]"
            }
        }
    }

    private static func places(of name: String, in json: JSONValue) -> [[Step]] {
        switch json {
        case .object(let members):
            members.flatMap { member in
                (member.name == name ? [[.member(name)]] : [])
                    + places(of: name, in: member.value).map { [.member(member.name)] + $0 }
            }
        case .array(let elements):
            elements.enumerated().flatMap { index, element in
                places(of: name, in: element).map { [.element(index)] + $0 }
            }
        default: []
        }
    }

    // MARK: Names

    /// How many characters of two words agree at their beginnings and ends, whatever their case.
    private static func likeness(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.lowercased().utf8), Array(right.lowercased().utf8))
        let count = min(left.count, right.count)
        let head = zip(left, right).prefix { $0 == $1 }.count
        let tail = zip(left.reversed(), right.reversed()).prefix { $0 == $1 }.count
        return min(head + tail, count)
    }

    /// Whether at most four characters in the middle of the longer word differ, and most agree.
    private static func isNear(_ left: String, _ right: String) -> Bool {
        let longer = max(left.utf8.count, right.utf8.count)
        let common = likeness(left, right)
        return longer <= 64 && longer - common <= 4 && common * 5 >= longer * 3
    }

    /// The fields of the messages in `Protocol/llb/ops.proto` that people write, in protobuf's JSON form.
    static let fields = [
        "actions", "allowEmptyWildcard", "allowNotFound", "allowWildcard", "allProxy",
        "alwaysReplaceExistingDestPaths", "Architecture", "args", "attemptUnpackDockerCompatibility", "attrs",
        "build", "builder", "byID", "byName", "cacheOpt", "caps", "cdiDevices", "cgroupParent", "character",
        "constraints", "contentCache", "copy", "cpuPeriod", "cpuQuota", "cpusetCpus", "cpusetMems", "cpuShares",
        "createDestPath", "cwd", "data", "def", "definition", "description", "dest", "diff", "digest",
        "dirCopyContents", "end", "env", "excludePatterns", "exec", "exportCache", "extraHosts", "file", "filename",
        "filter", "followSymlink", "ftpProxy", "gid", "group", "Hard", "Host", "hostname", "httpProxy", "httpsProxy",
        "id", "ID", "identifier", "ignoreCache", "includePatterns", "index", "infos", "input", "inputs", "IP",
        "language", "line", "linuxResources", "locations", "lower", "makeParents", "memory", "memorySwap", "merge",
        "meta", "metadata", "mkdir", "mkfile", "mode", "modeStr", "mounts", "mountType", "name", "Name", "network",
        "newpath", "noProxy", "oldpath", "optional", "OS", "OSFeatures", "OSVersion", "output", "outputs", "owner",
        "passthrough", "path", "platform", "progressGroup", "proxyEnv", "ranges", "readonly",
        "removeMountStubsRecursive", "requiredPaths", "resultID", "rm", "secondaryInput", "secretenv", "secretOpt",
        "security", "selector", "sharing", "size", "Soft", "Source", "source", "sourceIndex", "src", "SSHOpt",
        "start", "symlink", "timestamp", "TmpfsOpt", "uid", "ulimit", "upper", "user", "validExitCodes", "Value",
        "Variant", "weak",
    ]
}

extension JSONValue {
    /// The value with another name for one member; `nil` leaves the member out.
    fileprivate func renaming(_ name: String, to other: String?, at place: [UnknownField.Step]) -> JSONValue {
        guard let step = place.first else { return self }
        let rest = Array(place.dropFirst())
        switch (self, step) {
        case (.object(let members), .member(let key)):
            return .object(
                members.compactMap { member in
                    guard member.name == key else { return member }
                    if rest.isEmpty { return other.map { JSONMember($0, member.value) } }
                    return JSONMember(key, member.value.renaming(name, to: other, at: rest))
                }
            )
        case (.array(var elements), .element(let index)) where elements.indices.contains(index):
            elements[index] = elements[index].renaming(name, to: other, at: rest)
            return .array(elements)
        default: return self
        }
    }
}
