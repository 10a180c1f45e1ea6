// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages
internal import OCI
internal import PathPatterns

/// What of an exec's input decides whether an earlier result may be used.
struct ExecInputRule {
    /// Absolute paths that mounts show of the input.
    var paths: [String] = []
    /// Whether the content of those paths decides, rather than the input's definition.
    var usesContent = false

    /// The digest that tells this selection from others in a definition-based key.
    var selector: Digest? {
        paths.isEmpty ? nil : Digest.of(paths.joined(separator: "\0"))
    }

    /// The selections whose content is hashed; `nil` paths mean the whole tree.
    var selections: [ContentSelection] {
        let distinct = outermostPaths(paths)
        if distinct.contains(where: { $0.isEmpty || $0 == "/" }) { return [ContentSelection(path: "/")] }
        if distinct.isEmpty { return [ContentSelection(path: "/")] }
        return distinct.map { ContentSelection(path: $0, followSymlinks: true) }
    }
}

/// Rules for each input of an exec, as BuildKit derives them from the mounts.
///
/// Content decides where a mount cannot leak what it does not show into a result: it has no output, is read-only, or
/// shows the whole input. The root mount is exempt because hashing a root file system costs more than it saves.
///
/// - Throws: `invalidDefinition` when a mount names an input that is not there or demands content where it is unsafe.
func execInputRules(_ exec: Pb_ExecOp, inputCount: Int) throws(EngineError) -> [ExecInputRule] {
    var rules = [ExecInputRule](repeating: ExecInputRule(), count: inputCount)
    for mount in exec.mounts {
        switch mount.mountType {
        case .secret, .ssh, .tmpfs: continue
        default: break
        }
        if mount.input == -1 { continue }
        guard let input = Int(exactly: mount.input), rules.indices.contains(input) else {
            throw EngineError(
                .invalidDefinition,
                "mount \(mount.dest) names input \(mount.input), but the step has \(inputCount) inputs"
            )
        }
        let selector = cleanPath("/" + mount.selector)
        rules[input].paths.append(selector)
        var usesContent = mount.output == -1 || mount.readonly || selector == "/"
        switch mount.contentCache {
        case .off: usesContent = false
        case .on:
            if !usesContent {
                throw EngineError(
                    .invalidDefinition,
                    "mount \(mount.dest) demands content-based caching, which is unsafe for a writable part of an input with an output"
                )
            }
        default: if mount.dest == "/" { usesContent = false }
        }
        rules[input].usesContent = usesContent
    }
    return rules
}

/// Paths without those that lie below another of them, sorted.
func outermostPaths(_ paths: [String]) -> [String] {
    let distinct = Set(paths)
    guard distinct.count > 1 else { return paths.isEmpty ? [] : Array(distinct) }
    return distinct.filter { path in
        !distinct.contains { other in
            other != path && path.hasPrefix(other.hasSuffix("/") ? other : other + "/")
        }
    }
    .sorted()
}
