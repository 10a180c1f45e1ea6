// SPDX-License-Identifier: Apache-2.0

import OCI
import Testing

@Suite struct ReferenceTests {
    private static let hex = String(repeating: "0123456789abcdef", count: 4)

    @Test(arguments: [
        ("alpine", "docker.io/library/alpine"),
        ("alpine:3.20", "docker.io/library/alpine:3.20"),
        ("library/alpine", "docker.io/library/alpine"),
        ("moby/buildkit", "docker.io/moby/buildkit"),
        ("docker.io/alpine", "docker.io/library/alpine"),
        ("index.docker.io/alpine", "docker.io/library/alpine"),
        ("localhost/a", "localhost/a"),
        ("localhost:5000/a/b:tag", "localhost:5000/a/b:tag"),
        ("ghcr.io/a/b_c.d--e", "ghcr.io/a/b_c.d--e"),
        ("Foo/bar", "Foo/bar"),
        ("[::1]:5000/a", "[::1]:5000/a"),
        ("a@sha256:\(hex)", "docker.io/library/a@sha256:\(hex)"),
        ("a:1@sha256:\(hex)", "docker.io/library/a:1@sha256:\(hex)"),
    ])
    func `fills in registry and library`(text: String, full: String) throws {
        let reference = try Reference(parsing: text)
        #expect(reference.description == full)
        #expect(try Reference(parsing: full) == reference)
    }

    @Test func `a message shows the beginning of a long name`() {
        let error = #expect(throws: OCIError.self) { try Reference(parsing: String(repeating: "A", count: 100_000)) }
        #expect((error?.message.utf8.count ?? 0) < 1_000)
    }

    @Test(arguments: [
        "", ":", "a:", "a@", "Alpine", "a/B", "a b", "a//b", "/a", "a/", "-a", "a-", "a..b",
        "a___b", "a:-x",
        "a:\(String(repeating: "x", count: 129))", "a@sha256:abc", "a@md5:\(hex)", hex,
        "host:port/a", "ä",
        String(repeating: "a", count: 300), "a:b:c", "http://a/b",
    ])
    func `refuses what is no name`(text: String) {
        #expect(throws: OCIError.self) { try Reference(parsing: text) }
    }

    @Test func `adds the default tag to bare names only`() throws {
        #expect(try Reference(parsing: "a").withDefaultTag.tag == "latest")
        #expect(try Reference(parsing: "a:1").withDefaultTag.tag == "1")
        #expect(try Reference(parsing: "a@sha256:\(Self.hex)").withDefaultTag.tag == nil)
    }

    @Test(arguments: [
        ("docker.io/library/alpine:3", "alpine:3"), ("docker.io/a/b", "a/b"),
        ("ghcr.io/a/b", "ghcr.io/a/b"),
    ])
    func `shortens as people write`(full: String, short: String) throws {
        #expect(try Reference(parsing: full).familiar == short)
    }
}
