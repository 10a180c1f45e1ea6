// SPDX-License-Identifier: Apache-2.0

internal import BuildCache
internal import ContentStore
internal import FrontendHost
internal import FrontendStore
internal import Registry
internal import Sandbox
internal import Snapshots
internal import Solver
internal import Sources

/// The parts every build of one engine shares.
struct EngineServices: Sendable {
    let state: StateDirectory
    let content: ContentStore
    let snapshots: SnapshotStore
    let cache: BuildCache
    let solver: Solver
    let launcher: Launcher
    let frontends: FrontendHost
    let bundled: BundledFrontends
    let packages: FrontendService
    /// Results of deterministic frontends; `nil` when there is no place for them.
    let results: FrontendResultStore?
    let registry: RegistryClient
    let local: LocalSource
}
