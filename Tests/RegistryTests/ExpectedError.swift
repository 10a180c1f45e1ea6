// SPDX-License-Identifier: Apache-2.0

import Registry
import Testing

/// Runs a body that must fail with a `RegistryError`, and gives that error.
func registryError(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> Void
) async throws -> RegistryError {
    try #require(
        await #expect(throws: RegistryError.self, sourceLocation: sourceLocation) {
            try await body()
        },
        sourceLocation: sourceLocation
    )
}
