// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
internal import FrontendStore
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
