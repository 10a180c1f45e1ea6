// SPDX-License-Identifier: Apache-2.0

import SystemPackage
import Testing

struct DocumentTests {
    @Test(arguments: ["docs/frontends.md", "docs/lint.md", "Protocol/README.md"])
    func `the commands of the documents do what is shown`(_ document: String) async throws {
        let kiln = try await Kiln.shared
        let result = try await Command(
            Kiln.repository.appending("dev/check-docs").string,
            [kiln.directory.string, Kiln.repository.appending(document).string]
        ).result()
        #expect(result.status == 0, "\(result.outputText)\(result.error)")
    }
}
