// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages
internal import OCI

/// The part of an exec's cache key that its definition gives: BuildKit's `buildkit.exec.v0`.
///
/// Left out is what does not change the result: proxies, the addresses of extra hosts, which part of an input a mount
/// shows (that is the input's selector), and the identity of cache mounts other than a Dockerfile's usual ones.
func execCacheDigest(_ exec: Pb_ExecOp, platform: Platform) -> Digest {
    var json = GoJSON()
    json.add("Type", json: "\"buildkit.exec.v0\"")
    json.add("Exec", json: execJSON(exec))
    json.add("OS", json: GoJSON.string(platform.os))
    json.add("Arch", json: GoJSON.string(platform.architecture))
    json.add("Variant", platform.variant ?? "")
    json.add("OSVersion", platform.osVersion ?? "")
    json.add("OSFeatures", platform.osFeatures ?? [])
    return Digest.of(json.object)
}

private func execJSON(_ exec: Pb_ExecOp) -> String {
    var json = GoJSON()
    json.add("meta", json: metaJSON(exec.meta))
    // BuildKit once forgot the mounts; the usual case keeps that digest so that old caches still fit.
    let mounts = exec.mounts.map(keyed)
    if !mounts.isEmpty, !isPlainRootAlone(mounts) {
        json.add("mounts", json: GoJSON.array(mounts.map(mountJSON)))
    }
    json.add("network", exec.network.rawValue)
    json.add("security", exec.security.rawValue)
    if !exec.secretenv.isEmpty {
        json.add(
            "secretenv",
            json: GoJSON.array(
                exec.secretenv.map { secret in
                    var object = GoJSON()
                    object.add("ID", secret.id)
                    object.add("name", secret.name)
                    object.add("optional", secret.optional)
                    return object.object
                }
            )
        )
    }
    if !exec.cdiDevices.isEmpty {
        json.add(
            "cdiDevices",
            json: GoJSON.array(
                exec.cdiDevices.map { device in
                    var object = GoJSON()
                    object.add("name", device.name)
                    object.add("optional", device.optional)
                    return object.object
                }
            )
        )
    }
    return json.object
}

private func metaJSON(_ meta: Pb_Meta) -> String {
    var json = GoJSON()
    json.add("args", meta.args)
    json.add("env", meta.env)
    json.add("cwd", meta.cwd)
    json.add("user", meta.user)
    if !meta.extraHosts.isEmpty {
        json.add(
            "extraHosts",
            json: GoJSON.array(
                meta.extraHosts.map { host in
                    var object = GoJSON()
                    object.add("Host", host.host)
                    return object.object
                }
            )
        )
    }
    json.add("hostname", meta.hostname)
    if !meta.ulimit.isEmpty {
        json.add(
            "ulimit",
            json: GoJSON.array(
                meta.ulimit.map { limit in
                    var object = GoJSON()
                    object.add("Name", limit.name)
                    object.add("Soft", limit.soft)
                    object.add("Hard", limit.hard)
                    return object.object
                }
            )
        )
    }
    json.add("cgroupParent", meta.cgroupParent)
    json.add("removeMountStubsRecursive", meta.removeMountStubsRecursive)
    if !meta.validExitCodes.isEmpty {
        json.add("validExitCodes", json: GoJSON.array(meta.validExitCodes.map { String($0) }))
    }
    return json.object
}

/// A mount without what the key must not see.
private func keyed(_ mount: Pb_Mount) -> Pb_Mount {
    var mount = mount
    mount.selector = ""
    if mount.hasCacheOpt {
        let id = mount.cacheOpt.id
        // `<dest>` and `<namespace>/<dest>` are what a Dockerfile writes by default.
        let below = id.firstIndex(of: "/").map { String(id[id.index(after: $0)...]) }
        let isUsual = (id == mount.dest || below == mount.dest) && mount.cacheOpt.sharing == .shared
        if !isUsual {
            mount.cacheOpt.id = ""
            mount.cacheOpt.sharing = .shared
        }
    }
    return mount
}

private func isPlainRootAlone(_ mounts: [Pb_Mount]) -> Bool {
    guard mounts.count == 1, let mount = mounts.first else { return false }
    return mount.dest == "/" && !mount.readonly && mount.mountType == .bind && !mount.hasCacheOpt
        && !mount.hasSshopt && !mount.hasSecretOpt && mount.resultID.isEmpty
}

private func mountJSON(_ mount: Pb_Mount) -> String {
    var json = GoJSON()
    json.add("input", mount.input)
    json.add("selector", mount.selector)
    json.add("dest", mount.dest)
    json.add("output", mount.output)
    json.add("readonly", mount.readonly)
    json.add("mountType", mount.mountType.rawValue)
    if mount.hasTmpfsOpt {
        var object = GoJSON()
        object.add("size", mount.tmpfsOpt.size)
        json.add("TmpfsOpt", json: object.object)
    }
    if mount.hasCacheOpt {
        var object = GoJSON()
        object.add("ID", mount.cacheOpt.id)
        object.add("sharing", mount.cacheOpt.sharing.rawValue)
        json.add("cacheOpt", json: object.object)
    }
    if mount.hasSecretOpt {
        let secret = mount.secretOpt
        json.add(
            "secretOpt",
            json: fileMountJSON(secret.id, secret.uid, secret.gid, secret.mode, secret.optional)
        )
    }
    if mount.hasSshopt {
        let ssh = mount.sshopt
        json.add("SSHOpt", json: fileMountJSON(ssh.id, ssh.uid, ssh.gid, ssh.mode, ssh.optional))
    }
    json.add("resultID", mount.resultID)
    json.add("contentCache", mount.contentCache.rawValue)
    return json.object
}

private func fileMountJSON(
    _ id: String,
    _ uid: UInt32,
    _ gid: UInt32,
    _ mode: UInt32,
    _ optional: Bool
) -> String {
    var json = GoJSON()
    json.add("ID", id)
    json.add("uid", uid)
    json.add("gid", gid)
    json.add("mode", mode)
    json.add("optional", optional)
    return json.object
}
