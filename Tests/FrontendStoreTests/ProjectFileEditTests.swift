// SPDX-License-Identifier: Apache-2.0

import ProjectFiles
import Testing

@testable import FrontendStore

@Suite struct ProjectFileEditTests {
    private static let text = """
        # what this project wants
        version = 1
        platforms = ["linux/amd64"]   # and no other

        [frontends]
        dockerfile = "^1.7"  # bundled
        "acme/spec" = { version = "~1.4", source = "oci://ghcr.io/acme/spec" } # see #12

        # patterns
        [files]
        "*.acme.yaml" = "acme/spec"

        """

    private func edit(_ text: String, _ body: (inout ProjectFileEdit) throws -> Void) throws -> String {
        var edit = try ProjectFileEdit(Array(text.utf8))
        try body(&edit)
        return String(decoding: edit.bytes, as: UTF8.self)
    }

    @Test func `a new file begins with its version`() throws {
        var edit = try ProjectFileEdit(nil)
        try edit.setFrontend(
            FrontendName(parsing: "acme/spec"),
            version: VersionConstraint(parsing: "^1"),
            source: "oci://ghcr.io/acme/spec"
        )
        #expect(
            String(decoding: edit.bytes, as: UTF8.self) == """
                version = 1

                [frontends]
                "acme/spec" = { version = "^1", source = "oci://ghcr.io/acme/spec" }

                """
        )
    }

    @Test func `an entry is changed in its line, its comment stays, and nothing else moves`() throws {
        let changed = try edit(Self.text) {
            try $0.setFrontend(
                FrontendName(parsing: "acme/spec"),
                version: VersionConstraint(parsing: "^2"),
                source: "oci://ghcr.io/acme/spec"
            )
        }
        #expect(
            changed
                == Self.text.replacing(
                    "{ version = \"~1.4\", source",
                    with: "{ version = \"^2\", source"
                )
        )
    }

    @Test func `a new entry comes at the end of its table, before the comment of the next`() throws {
        let changed = try edit(Self.text) {
            try $0.setFrontend(
                FrontendName(parsing: "acme/next"),
                version: VersionConstraint(parsing: "^2"),
                source: "layout:releases",
                package: FrontendName(parsing: "acme/spec")
            )
        }
        let line = "\"acme/next\" = { package = \"acme/spec\", version = \"^2\", source = \"layout:releases\" }\n"
        #expect(changed == Self.text.replacing("# see #12\n", with: "# see #12\n" + line))
    }

    @Test func `an entry goes with its line, or with its table, and no more`() throws {
        var found = false
        let changed = try edit(Self.text) { found = try $0.removeFrontend(FrontendName(parsing: "acme/spec")) }
        #expect(found)
        #expect(!changed.contains("ghcr.io/acme/spec") && changed.contains("# patterns\n[files]"))
        let table =
            "version = 1\n[frontends.\"acme/spec\"]\nversion = \"^1\"\nsource = \"layout:x\"\n\n# next\n[alias]\n"
        let rest = try edit(table) { _ = try $0.removeFrontend(FrontendName(parsing: "acme/spec")) }
        #expect(rest == "version = 1\n\n# next\n[alias]\n")
        _ = try edit(Self.text) { found = try $0.removeFrontend(FrontendName(parsing: "acme/none")) }
        #expect(!found)
    }

    @Test func `an entry with a table of its own is changed key by key`() throws {
        let table = "version = 1\n[frontends.\"acme/spec\"]\nversion = \"^1\" # now\nsource = \"layout:x\"\n"
        let changed = try edit(table) {
            try $0.setFrontend(
                FrontendName(parsing: "acme/spec"),
                version: VersionConstraint(parsing: "^2"),
                source: "layout:x"
            )
        }
        #expect(changed == table.replacing("\"^1\"", with: "\"^2\""))
    }

    @Test func `a file written in a way of its own is left to its author`() throws {
        let dotted = "version = 1\nfrontends.dockerfile = \"^1\"\n"
        let error = #expect(throws: FrontendStoreError.self) {
            try edit(dotted) {
                try $0.setFrontend(
                    FrontendName(parsing: "acme/spec"),
                    version: VersionConstraint(parsing: "^2"),
                    source: "layout:x"
                )
            }
        }
        #expect(error?.message.contains("by hand") == true)
    }

    @Test func `a key is trusted once, and further keys stand beside it`() throws {
        let one = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
        let two = "ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="
        var isNew = false
        let first = try edit(Self.text) {
            isNew = try $0.addTrust(TrustedKey(parsing: one), for: "ghcr.io/acme/*", isRequired: false)
        }
        #expect(isNew && first == Self.text + "\n[trust.\"ghcr.io/acme/*\"]\nkeys = [\"\(one)\"]\n")
        let again = try edit(first) {
            isNew = try $0.addTrust(TrustedKey(parsing: one), for: "ghcr.io/acme/*", isRequired: false)
        }
        #expect(!isNew && again == first)
        let both = try edit(first) {
            _ = try $0.addTrust(TrustedKey(parsing: two), for: "ghcr.io/acme/*", isRequired: true)
        }
        #expect(
            both == Self.text
                + "\n[trust.\"ghcr.io/acme/*\"]\nkeys = [\"\(one)\", \"\(two)\"]\nrequired = true\n"
        )
    }
}
