// SPDX-License-Identifier: Apache-2.0

package import ContentStore
package import OCI

/// A client of the OCI distribution protocol: pulls into and pushes from a content store.
///
/// All that is received is checked against digest and size before anybody sees it. Nothing is
/// dialled and no thread is started before the first call that needs the network. Safe to use from
/// many tasks; one blob that many of them want is fetched once.
///
/// Source: OCI distribution-spec v1.1.
package final class RegistryClient: Sendable {
    let configuration: RegistryConfiguration
    let content: ContentStore
    let session: RegistrySession
    let transfers = SharedTransfers()
    let gate: TransferGate
    private let isOffline: Bool

    package init(
        configuration: RegistryConfiguration = RegistryConfiguration(),
        content: ContentStore
    ) {
        self.configuration = configuration
        self.content = content
        session = RegistrySession(configuration: configuration)
        gate = TransferGate(limit: max(1, configuration.transferCountMax))
        isOffline = false
    }

    private init(offline other: RegistryClient) {
        configuration = other.configuration
        content = other.content
        session = other.session
        gate = other.gate
        isOffline = true
    }

    /// The same for builds that may not use a network: what the store lacks is `unavailable`, and nothing is asked for.
    package func offline() -> RegistryClient { RegistryClient(offline: self) }

    /// Ends all connections and returns when they are closed; calls that run fail.
    ///
    /// The client cannot be used again.
    package func shutdown() async { await session.transport.shutdown() }

    /// Asks the servers of a repository in turn until one succeeds; mirrors first.
    ///
    /// - Throws: What the registry itself said, as the reason why the undertaking failed.
    func askingEach<Value>(
        of repository: Repository,
        to undertaking: @autoclosure () -> String,
        _ body: (Endpoint) async throws -> Value
    ) async throws -> Value {
        if isOffline {
            throw RegistryError(
                .unavailable,
                "cannot \(undertaking()): it is not in the store, and this build is offline"
            )
        }
        let endpoints = configuration.pullEndpoints(repository)
        for endpoint in endpoints.dropLast() {
            do {
                return try await body(endpoint)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                // A mirror is a convenience: whatever is wrong with it, the registry itself
                // decides.
                continue
            }
        }
        guard let origin = endpoints.last else {
            throw RegistryError(
                .notFound,
                "cannot \(undertaking()): no server is known for \(repository.host)"
            )
        }
        do {
            return try await body(origin)
        } catch let error as RegistryError {
            throw error.failing(undertaking())
        } catch let error as OCIError {
            throw RegistryError(
                .badResponse,
                "cannot \(undertaking()): \(error.message)",
                cause: error
            )
        }
    }
}

extension Repository {
    /// The repository of a reference.
    package init(_ reference: Reference) {
        self.init(host: reference.domain, path: reference.path)
    }
}
