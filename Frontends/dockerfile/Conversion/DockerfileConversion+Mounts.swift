// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import LLBMessages
internal import OCI

extension DockerfileConversion {
    func add(_ mounts: [DockerfileSyntax.Mount], to options: inout RunOptions, _ step: Step) throws {
        for (index, mount) in mounts.enumerated() {
            switch mount.kind {
            case .secret: options.secrets.append(try secret(mount, step))
            case .ssh: options.sshSockets.append(try socket(mount, step))
            case .bind, .cache, .tmpfs:
                let source = step.sources.indices.contains(index) ? step.sources[index] : nil
                options.mounts.append(try self.mount(mount, from: source, step))
            }
        }
    }

    private func mount(
        _ mount: DockerfileSyntax.Mount,
        from origin: StageState?,
        _ step: Step
    ) throws -> LLB.Mount {
        // A cache without a source starts empty, not as the build context.
        let usesContext = mount.from.isEmpty && mount.kind != .cache
        var source = mainContext.state
        if !usesContext, let origin {
            source = origin.state
            guard origin.isDispatched else {
                throw ConversionError(
                    .badSource,
                    "cannot mount from stage \"\(mount.from)\" to \"\(mount.target)\", stage needs to be defined before "
                        + "current command"
                )
            }
        }
        var result = LLB.Mount(try target(of: mount, step))
        result.isReadOnly = mount.isReadOnly
        switch mount.kind {
        case .tmpfs:
            source = .scratch
            result.kind = .tmpfs(byteLimit: mount.sizeLimit)
        case .cache:
            let id = mount.id.isEmpty ? SlashPath.clean(mount.target) : mount.id
            result.kind = .cache(
                id: self.options.cacheNamespace + "/" + id,
                sharing: mount.sharing.message
            )
        default:
            result.discardsOutput =
                !mount.isReadOnly
                && input.capabilities.contains(Capability.execMountBindReadWriteNoOutput)
        }
        let path = SlashPath.join("/", mount.source)
        if path != "/" {
            result.selector = path
        } else if mount.uid != nil || mount.gid != nil || mount.mode != nil {
            source = ownedCache(mount, source)
            result.selector = "/cache"
        }
        result.source = source
        if mount.from.isEmpty, mount.kind != .cache {
            step.stage.contextPaths.insert(path)
        } else {
            origin?.usedPaths.paths.insert(path)
        }
        return result
    }

    private func target(of mount: DockerfileSyntax.Mount, _ step: Step) throws -> String {
        guard !SlashPath.isAbsolute(SlashPath.clean(mount.target)) else {
            guard mount.target != "/" else {
                throw ConversionError(.badSource, "invalid mount target \"/\"")
            }
            return mount.target
        }
        let target = SlashPath.join("/", step.stage.state.directory, mount.target)
        guard target != "/" else { throw ConversionError(.badSource, "invalid mount target \"/\"") }
        return target
    }

    /// A cache's seed with the owner and mode it was asked to have.
    private func ownedCache(_ mount: DockerfileSyntax.Mount, _ source: State) -> State {
        var actions = FileActions()
        actions.makeDirectory(
            "/cache",
            mode: Int32(truncatingIfNeeded: mount.mode ?? 0o755),
            owner: FileOwner(user: .id(mount.uid ?? 0), group: .id(mount.gid ?? 0))
        )
        return source.file(
            actions,
            constraints: Constraints(name: "[internal] setting cache mount permissions")
        )
    }

    private func secret(_ mount: DockerfileSyntax.Mount, _ step: Step) throws -> RunSecret {
        var id = mount.source.isEmpty ? mount.id : mount.source
        if id.isEmpty {
            guard !mount.target.isEmpty else {
                throw ConversionError(.badSource, "one of source, target required")
            }
            id = SlashPath.base(mount.target)
        }
        let need = OutlineCapture.Need(isRequired: mount.isRequired, lines: step.lines)
        if step.stage.outline.secrets[id] == nil { step.stage.outline.secrets[id] = need }
        var secret = RunSecret(id: id, target: mount.target.isEmpty ? nil : mount.target)
        if let name = mount.environmentName {
            secret.environmentName = name
        } else if secret.target == nil {
            secret.target = "/run/secrets/" + SlashPath.base(id)
        }
        secret.isOptional = !mount.isRequired
        if mount.uid != nil || mount.gid != nil || mount.mode != nil {
            secret.userID = mount.uid ?? 0
            secret.groupID = mount.gid ?? 0
            secret.mode = mount.mode ?? 0o400
        }
        return secret
    }

    private func socket(_ mount: DockerfileSyntax.Mount, _ step: Step) throws -> RunSSHSocket {
        guard mount.source.isEmpty else {
            throw ConversionError(.badSource, "ssh does not support source")
        }
        let id = mount.id.isEmpty ? "default" : mount.id
        let need = OutlineCapture.Need(isRequired: mount.isRequired, lines: step.lines)
        if step.stage.outline.sockets[id] == nil { step.stage.outline.sockets[id] = need }
        var socket = RunSSHSocket(id: mount.id, target: mount.target)
        socket.isOptional = !mount.isRequired
        if mount.uid != nil || mount.gid != nil || mount.mode != nil {
            socket.userID = mount.uid ?? 0
            socket.groupID = mount.gid ?? 0
            socket.mode = mount.mode ?? 0o600
        }
        return socket
    }
}

extension DockerfileSyntax.Mount.Sharing? {
    fileprivate var message: Pb_CacheSharingOpt {
        switch self {
        case .private: .private
        case .locked: .locked
        case .shared, nil: .shared
        }
    }
}
