// SPDX-License-Identifier: Apache-2.0

import SystemPackage
import Testing

struct DocumentTests {
    @Test func `the commands of the documents do what is shown`() async throws {
        let kiln = try await Kiln.shared
        let result = try await Command(
            Kiln.repository.appending("dev/check-docs").string,
            [kiln.directory.string, Kiln.repository.appending("docs/frontends.md").string]
        ).result()
        #expect(result.status == 0, "\(result.outputText)\(result.error)")
    }
}
