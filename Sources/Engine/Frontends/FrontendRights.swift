// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import LLB
internal import LLBMessages
internal import ProjectFiles
internal import Sources

/// What a frontend may put into a build.
///
/// Checked where its graphs and its questions about sources come in, for every front door; a result that is used again
/// asks the same again, and so is checked again.
struct FrontendRights: Sendable {
    /// The frontend, as the project calls it.
    let name: String
    /// `nil`: everything the one who builds allows.
    let grant: Grant?
    /// The frontends it may call.
    let callable: [String]

    /// The rights of a frontend that this one calls.
    ///
    /// One without a grant of its own, because it comes with the engine or is a program under development, does what
    /// its caller tells it to: so it may do what its caller may, and no more.
    func lent(to callee: FrontendRights) -> FrontendRights {
        callee.grant != nil ? callee : FrontendRights(name: name, grant: grant, callable: callee.callable)
    }

    /// Refuses a graph that uses what the frontend was not granted.
    ///
    /// What the one who builds must allow besides is checked where the step runs.
    ///
    /// - Parameter session: What the build was given; `nil` = nothing.
    /// - Throws: `denied`.
    func check(_ graph: LLB.Graph, in session: BuildSession?) throws(ProtocolFailure) {
        guard let grant else { return }
        for vertex in graph.vertices {
            switch vertex.operation.op {
            case .exec(let exec): try check(exec, vertex.name, grant)
            case .source(let source): try check(source.identifier, source.attrs, in: session, of: vertex.name)
            default: continue
            }
        }
    }

    private func check(_ exec: Pb_ExecOp, _ step: String, _ grant: Grant) throws(ProtocolFailure) {
        let secrets = exec.secretenv.map(\.id) + exec.mounts.filter { $0.mountType == .secret }.map(\.secretOpt.id)
        for secret in secrets where !grant.secrets.contains(secret) { throw refusal(secret: secret, step) }
        if exec.network == .host, !grant.entitlements.contains("network.host") {
            throw refusal("the host's network", "entitlements = [\"network.host\"]", step)
        }
        if exec.security == .insecure, !grant.entitlements.contains("security.insecure") {
            throw refusal("all privileges", "entitlements = [\"security.insecure\"]", step)
        }
        if !exec.cdiDevices.isEmpty, !grant.entitlements.contains("device") {
            throw refusal("a device", "entitlements = [\"device\"]", step)
        }
        if exec.mounts.contains(where: { $0.mountType == .ssh }) { try checkAgent(step, grant) }
    }

    /// Refuses a source that would be fetched with what the frontend was not granted.
    ///
    /// A secret that its attributes name is refused in any case. One that is only looked for, as `GIT_AUTH_TOKEN` is, is
    /// when the build was given it: it would go to a server that the frontend chose.
    ///
    /// - Parameter step: What people call the operation or question.
    /// - Throws: `denied`.
    func check(
        _ identifier: String,
        _ attributes: [String: String],
        in session: BuildSession?,
        of step: String
    ) throws(ProtocolFailure) {
        guard let grant else { return }
        // Whatever kind of source it is: an attribute that is passed over today may not be so tomorrow.
        for attribute in Self.secretAttributes {
            guard let secret = attributes[attribute], !secret.isEmpty, !grant.secrets.contains(secret),
                !Self.usualSecrets.contains(secret)
            else { continue }
            throw refusal(secret: secret, step)
        }
        if let agent = attributes[SourceAttribute.gitMountSSHSocket], !agent.isEmpty { try checkAgent(step, grant) }
        // What cannot be read is refused by whoever fetches it.
        let login = (try? RemoteSources.login(identifier, attributes)) ?? []
        for secret in login where session?.secrets[secret.id] != nil {
            if grant.secrets.contains(secret.id) || grant.secrets.contains(secret.name) { continue }
            throw refusal(secret: secret.id, step)
        }
    }

    private static let secretAttributes = [
        SourceAttribute.gitAuthHeaderSecret, SourceAttribute.gitAuthTokenSecret, SourceAttribute.httpAuthHeaderSecret,
    ]

    /// Written down by every builder of graphs, whether or not there is such a secret.
    private static let usualSecrets = [GitRequest.usualTokenSecret, GitRequest.usualHeaderSecret]

    private func checkAgent(_ step: String, _ grant: Grant) throws(ProtocolFailure) {
        if !grant.entitlements.contains("ssh") { throw refusal("an SSH agent", "entitlements = [\"ssh\"]", step) }
    }

    private func refusal(secret: String, _ step: String) -> ProtocolFailure {
        refusal("the secret \"\(secret)\"", "secrets = [\"\(secret)\"]", step)
    }

    private func refusal(_ what: String, _ line: String, _ step: String) -> ProtocolFailure {
        ProtocolFailure(
            .denied,
            """
            F214 \(name) uses \(what) in "\(step)", which it was not granted; its frontend.toml must ask for it, and \
            kiln.toml grant it: [grant."\(name)"] \(line)
            """
        )
    }
}
