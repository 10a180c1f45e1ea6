// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
internal import FrontendStore
internal import LLB
internal import LLBMessages
internal import FrontendProtocol
internal import ProjectFiles

/// A frontend that was chosen for a piece of work, ready to run, with what it may do.
struct SelectedFrontend: Sendable {
    let program: FrontendProgram
    /// What the project calls it.
    let name: FrontendName
    let rights: FrontendRights
    /// The whole directive or argument that chose it.
    let commandLine: String?
    /// Whether its result may be used again without starting it.
    let isReusable: Bool
    /// Holds an installed package in the store.
    let package: FrontendPackage?
}

/// What a frontend may put into a build.
///
/// Checked where its graphs come in, for every front door.
struct FrontendRights: Sendable {
    /// The frontend, for messages.
    let name: String
    /// `nil`: everything the one who builds allows.
    let grant: Grant?
    /// The frontends it may call.
    let callable: [String]

    /// Refuses a graph that uses what the frontend was not granted.
    ///
    /// What the one who builds must allow besides is checked where the step runs.
    ///
    /// - Throws: `denied`.
    func check(_ graph: LLB.Graph) throws(ProtocolFailure) {
        guard let grant else { return }
        for vertex in graph.vertices {
            guard case .exec(let exec) = vertex.operation.op else { continue }
            for secret in exec.secretenv.map(\.id) + exec.mounts.filter({ $0.mountType == .secret }).map(\.secretOpt.id)
            where !grant.secrets.contains(secret) {
                throw refusal("the secret \"\(secret)\"", "secrets = [\"\(secret)\"]", vertex.name)
            }
            if exec.network == .host, !grant.entitlements.contains("network.host") {
                throw refusal("the host's network", "entitlements = [\"network.host\"]", vertex.name)
            }
            if exec.security == .insecure, !grant.entitlements.contains("security.insecure") {
                throw refusal("all privileges", "entitlements = [\"security.insecure\"]", vertex.name)
            }
            if !exec.cdiDevices.isEmpty, !grant.entitlements.contains("device") {
                throw refusal("a device", "entitlements = [\"device\"]", vertex.name)
            }
            if exec.mounts.contains(where: { $0.mountType == .ssh }), !grant.entitlements.contains("ssh") {
                throw refusal("an SSH agent", "entitlements = [\"ssh\"]", vertex.name)
            }
        }
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
