// SPDX-License-Identifier: Apache-2.0

import LinuxSystem
import Testing

/// `dev/protocol-coverage` finds the rules of the specification and the tests that name them.
struct CoverageTests {
    @Test func `every rule and every F-code of the specification is named by a test`() throws {
        let (exit, output) = try ProtocolFolder.run("protocol-coverage", ["--check"])
        #expect(exit == .exited(0), "\(output)")
    }
}
