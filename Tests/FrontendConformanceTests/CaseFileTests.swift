// SPDX-License-Identifier: Apache-2.0

import FrontendConformance
import Foundation
import Glibc
import SystemPackage
import Testing

/// The cases as files: what is written is what is run.
struct CaseFileTests {
    private let folder = URL(filePath: ConformanceFixture.repository.appending("Protocol/conformance/cases").string)

    /// With KILN_WRITE_CASES=1 in the environment the files are written anew.
    @Test func `the files of the protocol's folder are the cases that are run`() throws {
        let cases = ConformanceCase.standard
        if unsafe getenv("KILN_WRITE_CASES") != nil {
            for name in try FileManager.default.contentsOfDirectory(atPath: folder.path()) {
                try FileManager.default.removeItem(at: folder.appending(path: name))
            }
            for test in cases { try Data(test.toml.utf8).write(to: folder.appending(path: test.fileName)) }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path())
        #expect(Set(names) == Set(cases.map(\.fileName)))
        for test in cases {
            let text = try String(contentsOf: folder.appending(path: test.fileName), encoding: .utf8)
            #expect(text == test.toml, "\(test.fileName) is not the case that is run; KILN_WRITE_CASES=1 writes it")
        }
    }

    @Test(arguments: ConformanceCase.standard)
    func `a case is the same after writing and reading`(_ test: ConformanceCase) throws {
        #expect(try ConformanceCase(toml: Array(test.toml.utf8), file: test.fileName) == test)
    }

    @Test func `names are unique, and every suite has cases`() {
        let names = ConformanceCase.standard.map(\.name)
        #expect(Set(names).count == names.count)
        let suites = Set(ConformanceCase.standard.compactMap(\.suite))
        // The golden suite is the package's own build files.
        #expect(suites == Set(ConformanceCase.Suite.allCases).subtracting([.golden]))
    }

    @Test func `every rule that a case names is one of the specification, and has words`() throws {
        let path = ConformanceFixture.repository.appending("Protocol/SPEC.md").string
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for rule in Set(ConformanceCase.standard.flatMap(\.rules)).union(ProtocolRule.all) {
            #expect(text.contains("| \(rule) |"), "SPEC.md has no \(rule)")
            #expect(ProtocolRule.text(rule) != nil, "\(rule) has no words")
        }
    }

    @Test(arguments: [
        ("rules = [\"P-ID-01\"]", "lacks \"name\""),
        ("name = \"x/y\"\nrules = [\"P-ID-01\"]", "must begin with a suite"),
        ("name = \"eof/y\"\nrules = []", "name one at least"),
        ("name = \"eof/y\"\nrules = [\"P\"]\nbiuld = \"none\"", "does not know \"biuld\""),
        ("name = \"eof/y\"\nrules = [\"P\"]\nbuild = \"all\"", "allowed are none, unknown, samples"),
        ("name = \"eof/y\"\nrules = [\"P\"]\n[engine]\nwrite = -1", "[engine] write must be a whole number"),
        ("name = \"eof/y\"\nrules = [\"P\"]\n[engine]\nmembers = \"[]\"", "members is no JSON object"),
        ("name = \"eof/y\"\nrules = [\"P\"]\n[[send]]\nhex = \"0g\"", "hex must be pairs"),
        ("name = \"eof/y\"\nrules = [\"P\"]\n[[send]]\nat = \"start\"", "has none of"),
        ("name = ", "f.toml:1:"),
    ])
    func `a file that makes no sense is refused with words`(text: String, words: String) {
        let error = #expect(throws: CaseTextError.self) {
            _ = try ConformanceCase(toml: Array(text.utf8), file: "f.toml")
        }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
}
