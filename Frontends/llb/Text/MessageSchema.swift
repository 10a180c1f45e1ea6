// SPDX-License-Identifier: Apache-2.0

/// The messages of `ops.proto` by their members, as far as JSON shows them.
///
/// Protobuf's own JSON reader says neither where a mistake stands nor what was meant; texts are held against this table
/// first, and what passes is read by it.
enum MessageSchema {
    /// What a member holds.
    indirect enum Kind: Sendable {
        case string, bool, int32, int64, uint32, uint64, bytes
        case enumeration([String])
        case message(String)
        case list(Kind)
        case map(Kind)
    }

    /// Members of a message by their names in `ops.proto`.
    static let messages: [String: [(name: String, kind: Kind)]] = [
        "Op": [
            ("inputs", .list(.message("Input"))), ("exec", .message("ExecOp")), ("source", .message("SourceOp")),
            ("file", .message("FileOp")), ("build", .message("BuildOp")), ("merge", .message("MergeOp")),
            ("diff", .message("DiffOp")), ("passthrough", .message("PassthroughOp")),
            ("platform", .message("Platform")), ("constraints", .message("WorkerConstraints")),
        ],
        "Platform": [
            ("Architecture", .string), ("OS", .string), ("Variant", .string), ("OSVersion", .string),
            ("OSFeatures", .list(.string)),
        ],
        "Input": [("digest", .string), ("index", .int64)],
        "ExecOp": [
            ("meta", .message("Meta")), ("mounts", .list(.message("Mount"))),
            ("network", .enumeration(["UNSET", "HOST", "NONE"])),
            ("security", .enumeration(["SANDBOX", "INSECURE"])), ("secretenv", .list(.message("SecretEnv"))),
            ("cdiDevices", .list(.message("CDIDevice"))),
        ],
        "Meta": [
            ("args", .list(.string)), ("env", .list(.string)), ("cwd", .string), ("user", .string),
            ("proxy_env", .message("ProxyEnv")), ("extraHosts", .list(.message("HostIP"))), ("hostname", .string),
            ("ulimit", .list(.message("Ulimit"))), ("cgroupParent", .string), ("removeMountStubsRecursive", .bool),
            ("validExitCodes", .list(.int32)),
        ],
        "HostIP": [("Host", .string), ("IP", .string)],
        "Ulimit": [("Name", .string), ("Soft", .int64), ("Hard", .int64)],
        "SecretEnv": [("ID", .string), ("name", .string), ("optional", .bool)],
        "CDIDevice": [("name", .string), ("optional", .bool)],
        "Mount": [
            ("input", .int64), ("selector", .string), ("dest", .string), ("output", .int64), ("readonly", .bool),
            ("mountType", .enumeration(["BIND", "SECRET", "SSH", "CACHE", "TMPFS"])),
            ("TmpfsOpt", .message("TmpfsOpt")), ("cacheOpt", .message("CacheOpt")),
            ("secretOpt", .message("SecretOpt")), ("SSHOpt", .message("SSHOpt")), ("resultID", .string),
            ("contentCache", .enumeration(["DEFAULT", "ON", "OFF"])),
        ],
        "TmpfsOpt": [("size", .int64)],
        "CacheOpt": [("ID", .string), ("sharing", .enumeration(["SHARED", "PRIVATE", "LOCKED"]))],
        "SecretOpt": secretOptions, "SSHOpt": secretOptions,
        "SourceOp": [("identifier", .string), ("attrs", .map(.string))],
        "BuildOp": [
            ("builder", .int64), ("inputs", .map(.message("BuildInput"))), ("def", .message("Definition")),
            ("attrs", .map(.string)),
        ],
        "BuildInput": [("input", .int64)],
        "OpMetadata": [
            ("ignore_cache", .bool), ("description", .map(.string)), ("export_cache", .message("ExportCache")),
            ("caps", .map(.bool)), ("progress_group", .message("ProgressGroup")),
            ("linux_resources", .message("LinuxResources")),
        ],
        "Source": [
            ("locations", .map(.message("Locations"))), ("infos", .list(.message("SourceInfo"))),
        ],
        "Locations": [("locations", .list(.message("Location")))],
        "SourceInfo": [
            ("filename", .string), ("data", .bytes), ("definition", .message("Definition")), ("language", .string),
        ],
        "Location": [("sourceIndex", .int32), ("ranges", .list(.message("Range")))],
        "Range": [("start", .message("Position")), ("end", .message("Position"))],
        "Position": [("line", .int32), ("character", .int32)],
        "ExportCache": [("Value", .bool)],
        "ProgressGroup": [("id", .string), ("name", .string), ("weak", .bool)],
        "LinuxResources": [
            ("memory", .int64), ("memorySwap", .int64), ("cpuShares", .uint64), ("cpuPeriod", .uint64),
            ("cpuQuota", .int64), ("cpusetCpus", .string), ("cpusetMems", .string),
        ],
        "ProxyEnv": [
            ("http_proxy", .string), ("https_proxy", .string), ("ftp_proxy", .string), ("no_proxy", .string),
            ("all_proxy", .string),
        ],
        "WorkerConstraints": [("filter", .list(.string))],
        "Definition": [
            ("def", .list(.bytes)), ("metadata", .map(.message("OpMetadata"))), ("Source", .message("Source")),
        ],
        "FileOp": [("actions", .list(.message("FileAction")))],
        "FileAction": [
            ("input", .int64), ("secondaryInput", .int64), ("output", .int64), ("copy", .message("FileActionCopy")),
            ("mkfile", .message("FileActionMkFile")), ("mkdir", .message("FileActionMkDir")),
            ("rm", .message("FileActionRm")), ("symlink", .message("FileActionSymlink")),
        ],
        "FileActionCopy": [
            ("src", .string), ("dest", .string), ("owner", .message("ChownOpt")), ("mode", .int32),
            ("followSymlink", .bool), ("dirCopyContents", .bool), ("attemptUnpackDockerCompatibility", .bool),
            ("createDestPath", .bool), ("allowWildcard", .bool), ("allowEmptyWildcard", .bool), ("timestamp", .int64),
            ("include_patterns", .list(.string)), ("exclude_patterns", .list(.string)),
            ("alwaysReplaceExistingDestPaths", .bool), ("modeStr", .string), ("required_paths", .list(.string)),
        ],
        "FileActionMkFile": [
            ("path", .string), ("mode", .int32), ("data", .bytes), ("owner", .message("ChownOpt")),
            ("timestamp", .int64),
        ],
        "FileActionSymlink": [
            ("oldpath", .string), ("newpath", .string), ("owner", .message("ChownOpt")), ("timestamp", .int64),
        ],
        "FileActionMkDir": [
            ("path", .string), ("mode", .int32), ("makeParents", .bool), ("owner", .message("ChownOpt")),
            ("timestamp", .int64),
        ],
        "FileActionRm": [("path", .string), ("allowNotFound", .bool), ("allowWildcard", .bool)],
        "ChownOpt": [("user", .message("UserOpt")), ("group", .message("UserOpt"))],
        "UserOpt": [("byName", .message("NamedUserOpt")), ("byID", .uint32)],
        "NamedUserOpt": [("name", .string), ("input", .int64)],
        "MergeInput": [("input", .int64)],
        "MergeOp": [("inputs", .list(.message("MergeInput")))],
        "LowerDiffInput": [("input", .int64)],
        "UpperDiffInput": [("input", .int64)],
        "DiffOp": [("lower", .message("LowerDiffInput")), ("upper", .message("UpperDiffInput"))],
        "PassthroughOp": [("id", .string), ("outputs", .list(.int64))],
    ]

    private static let secretOptions: [(name: String, kind: Kind)] = [
        ("ID", .string), ("uid", .uint32), ("gid", .uint32), ("mode", .uint32), ("optional", .bool),
    ]

    /// Members by both their names: the one of `ops.proto` and the one of protobuf's JSON.
    static let members: [String: [String: (name: String, kind: Kind)]] = messages.mapValues { fields in
        var members: [String: (name: String, kind: Kind)] = [:]
        for field in fields {
            members[field.name] = field
            members[camelCase(field.name)] = field
        }
        return members
    }

    /// The member of Go's JSON that a oneof of a message is nested in.
    static let nests: [String: String] = ["Op": "Op", "FileAction": "Action", "UserOpt": "User"]

    private static func camelCase(_ name: String) -> String {
        var result = ""
        var isStart = false
        for character in name {
            if character == "_" {
                isStart = true
            } else {
                result += isStart ? character.uppercased() : String(character)
                isStart = false
            }
        }
        return result
    }
}
