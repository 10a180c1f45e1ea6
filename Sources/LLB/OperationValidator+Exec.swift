// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages

extension OperationValidator {
    /// Mounts of one step; more are refused.
    static let mountCountLimit = 1024

    func validate(_ exec: Pb_ExecOp) throws(LLBError) -> Int {
        guard exec.hasMeta else { throw refusal("it has no meta") }
        guard !exec.meta.args.isEmpty else { throw refusal("it has no arguments") }
        guard exec.meta.cwd.isEmpty || exec.meta.cwd.hasPrefix("/") else {
            throw refusal("working directory \"\(exec.meta.cwd)\" is not absolute")
        }
        for text in exec.meta.args + exec.meta.env where text.utf8.contains(0) {
            throw refusal("an argument or environment variable holds a NUL byte")
        }
        if case .UNRECOGNIZED(let value) = exec.network {
            throw refusal("network mode \(value) is unknown")
        }
        if case .UNRECOGNIZED(let value) = exec.security {
            throw refusal("security mode \(value) is unknown")
        }
        guard exec.mounts.count <= OperationValidator.mountCountLimit else {
            throw refusal(
                "it has \(exec.mounts.count) mounts, at most \(OperationValidator.mountCountLimit) are allowed"
            )
        }
        let roots = exec.mounts.filter { $0.dest == "/" }
        guard let root = roots.first, roots.count == 1 else {
            throw refusal("it has \(roots.count) mounts at \"/\"; exactly one is needed")
        }
        guard root.mountType == .bind else {
            throw refusal("the mount at \"/\" must be a bind mount")
        }
        var outputs: [Int64] = []
        for mount in exec.mounts {
            if let output = try validate(mount) { outputs.append(output) }
        }
        return try checkOutputs(outputs)
    }

    /// - Returns: The output the mount makes, if any.
    private func validate(_ mount: Pb_Mount) throws(LLBError) -> Int64? {
        let part = "mount at \"\(mount.dest)\""
        guard !mount.dest.isEmpty, !mount.dest.utf8.contains(0) else {
            throw refusal("a mount has destination \"\(mount.dest)\"")
        }
        try checkInput(mount.input, of: part)
        if case .UNRECOGNIZED(let value) = mount.contentCache {
            throw refusal("content cache mode \(value) of \(part) is unknown")
        }
        switch mount.mountType {
        case .bind:
            guard mount.output >= -1 else { throw refusal("\(part) has output \(mount.output)") }
            return mount.output >= 0 ? mount.output : nil
        case .cache:
            guard mount.hasCacheOpt else { throw refusal("\(part) lacks its cache options") }
            guard mount.output == -1 else {
                throw refusal("\(part) is a cache and cannot be an output")
            }
            if case .UNRECOGNIZED(let value) = mount.cacheOpt.sharing {
                throw refusal("sharing mode \(value) of \(part) is unknown")
            }
        case .tmpfs:
            guard mount.input == -1 else {
                throw refusal("\(part) is a tmpfs and cannot have an input")
            }
            guard mount.tmpfsOpt.size >= 0 else {
                throw refusal("\(part) has size \(mount.tmpfsOpt.size)")
            }
        // Clients leave `output` 0 on secret and ssh mounts; it means nothing there.
        case .secret:
            guard mount.hasSecretOpt else { throw refusal("\(part) lacks its secret options") }
        case .ssh:
            guard mount.hasSshopt else { throw refusal("\(part) lacks its ssh options") }
        case .UNRECOGNIZED(let value):
            throw refusal("mount type \(value) of \(part) is unknown")
        }
        return nil
    }
}
