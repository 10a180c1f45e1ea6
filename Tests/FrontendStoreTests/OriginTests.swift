// SPDX-License-Identifier: Apache-2.0

import OCI
import ProjectFiles
import Registry
import SystemPackage
import Testing

@testable import FrontendStore

@Suite struct OriginTests {
    private static let base: FilePath = "/project"

    @Test func `each form of an origin is read, relative paths from the project`() throws {
        func read(_ text: String) throws -> FrontendOrigin { try FrontendOrigin(parsing: text, relativeTo: Self.base) }
        #expect(try read("oci://ghcr.io/acme/spec") == .registry(Repository(host: "ghcr.io", path: "acme/spec")))
        #expect(
            try read("127.0.0.1:5000/acme/spec") == .registry(Repository(host: "127.0.0.1:5000", path: "acme/spec"))
        )
        #expect(try read("https://frontends.example/acme/spec/") == .web("https://frontends.example/acme/spec"))
        #expect(try read("http://127.0.0.1:8080/spec") == .web("http://127.0.0.1:8080/spec"))
        #expect(try read("layout:../releases") == .layout("/releases"))
        #expect(try read("layout:/var/releases") == .layout("/var/releases"))
        #expect(try read("bundle:frontends.tar") == .bundle("/project/frontends.tar"))
        #expect(try read("vendor:v") == .vendor("/project/v"))
        #expect(try read("path:tools/gen") == .directory("/project/tools/gen"))
        for text in ["oci://ghcr.io/acme/spec", "layout:/releases", "https://frontends.example/acme"] {
            #expect(try read(read(text).description) == read(text))
        }
    }

    @Test(arguments: [
        ("ftp://host/x", "allowed are oci://"), ("http://example.com/x", "only https is used"),
        ("https://user:word@host/x", "no login"), ("https://host/x?y", "no login, query"),
        ("layout:", "followed by a path"),
        ("oci://Upper/Case", "lower case"), ("oci://host.example/x:1", "which version is decided by"), ("", "empty"),
    ])
    func `what is no origin is refused with a reason`(text: String, words: String) throws {
        let error = #expect(throws: FrontendStoreError.self) {
            try FrontendOrigin(parsing: text, relativeTo: Self.base)
        }
        #expect(error?.message.contains(words) == true, "\(String(describing: error))")
    }

    @Test func `a mirror maps what its pattern matches, and the source itself comes last`() throws {
        var places = FrontendPlaces(root: Self.base)
        places.rules = OriginRules(
            mirrors: try ProjectFile(
                toml: Array(
                    """
                    version = 1
                    [[mirror]]
                    match = "ghcr.io/acme/*"
                    to = "registry.corp/mirror/*"
                    [[mirror]]
                    match = "oci://ghcr.io/acme/spec"
                    to = "layout:mirror"
                    """.utf8
                )
            ).origins.mirrors
        )
        #expect(
            try places.origins(of: "oci://ghcr.io/acme/spec").map(\.description) == [
                "oci://registry.corp/mirror/spec", "layout:/project/mirror", "oci://ghcr.io/acme/spec",
            ]
        )
        #expect(try places.origins(of: "oci://ghcr.io/other/spec").map(\.description) == ["oci://ghcr.io/other/spec"])
    }
}
