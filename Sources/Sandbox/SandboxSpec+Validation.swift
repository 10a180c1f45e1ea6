// SPDX-License-Identifier: Apache-2.0

extension SandboxSpec {
    /// Longest path the kernel takes, in bytes.
    private static let pathByteLimit = 4095

    /// Refuses what the kernel, or the launcher, would refuse with fewer words.
    func validate() throws(SandboxError) {
        guard let command = arguments.first else {
            throw SandboxError(.invalidSpec, "cannot run an empty command")
        }
        if command.isEmpty {
            throw SandboxError(.invalidSpec, "cannot run a command with an empty name")
        }
        for text in arguments + environment where text.utf8.contains(0) {
            throw SandboxError(.invalidSpec, "cannot pass \"\(text)\": it holds a zero byte")
        }
        for variable in environment where !variable.utf8.contains(UInt8(ascii: "=")) {
            throw SandboxError(
                .invalidSpec,
                "cannot set the variable \"\(variable)\": it has no \"=\""
            )
        }
        try validate(path: workingDirectory, as: "work in")
        for mount in mounts {
            try validate(path: mount.target, as: "mount at")
            if let reason = mount.refusal {
                throw SandboxError(.invalidSpec, "cannot mount at \(mount.target): \(reason)")
            }
        }
        if hostName.isEmpty || hostName.utf8.count > 64 || hostName.utf8.contains(0) {
            throw SandboxError(
                .invalidSpec,
                "cannot use the host name \"\(hostName)\": it must have 1 to 64 bytes"
            )
        }
        for limit in processLimits where limit.soft > limit.hard {
            throw SandboxError(
                .invalidSpec,
                "cannot set the limit \(limit.name): the soft limit \(limit.soft) exceeds the hard limit "
                    + "\(limit.hard)"
            )
        }
        // The kernel reads the highest id as "leave as it is".
        for id in [user.user, user.group] + user.supplementaryGroups where id == .max {
            throw SandboxError(.invalidSpec, "cannot run as user or group \(id): it is reserved")
        }
        try validateRoot()
    }

    private func validateRoot() throws(SandboxError) {
        guard case .overlay(let lower, let upper, let work) = root else { return }
        if lower.isEmpty && upper == nil {
            throw SandboxError(.invalidSpec, "cannot make a root of no layers")
        }
        if !lower.isEmpty && (upper == nil) != (work == nil) {
            throw SandboxError(.invalidSpec, "cannot make a writable root without a work directory")
        }
    }

    private func validate(path: String, as use: String) throws(SandboxError) {
        if !path.utf8.starts(with: [UInt8(ascii: "/")]) || path.utf8.contains(0) {
            throw SandboxError(.invalidSpec, "cannot \(use) \"\(path)\": the path must be absolute")
        }
        if path.utf8.count > Self.pathByteLimit {
            throw SandboxError(
                .invalidSpec,
                "cannot \(use) a path of \(path.utf8.count) bytes: at most \(Self.pathByteLimit) are possible"
            )
        }
    }
}

extension SandboxSpec.Mount {
    /// Why the target is not allowed, or `nil`.
    ///
    /// The launcher checks again, after symlinks are resolved.
    var refusal: String? {
        var components: [Substring] = []
        for component in target.split(separator: "/") {
            switch component {
            case ".": continue
            case "..": _ = components.popLast()
            default: components.append(component)
            }
        }
        guard let first = components.first else { return "the root cannot be covered" }
        if first == "proc" || first == "sys" { return "/\(first) belongs to the sandbox" }
        if components == ["dev"] { return "/dev belongs to the sandbox" }
        return nil
    }
}
