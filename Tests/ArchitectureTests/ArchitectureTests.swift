// SPDX-License-Identifier: Apache-2.0

import Testing

@Suite struct ArchitectureTests {
    @Test(arguments: allowedImports.keys.sorted())
    func `imports go down the module map only`(module: String) throws {
        #expect(try forbiddenImports(of: module) == [])
    }

    @Test func `every source folder is on the module map`() throws {
        #expect(try unmappedFolders() == [])
    }

    @Test func `every source file opens with its licence`() throws {
        #expect(try unlicensedFiles() == [])
    }

    @Test func `no source leaves work undone or traps on outside data`() throws {
        #expect(try bannedWords() == [])
    }
}
