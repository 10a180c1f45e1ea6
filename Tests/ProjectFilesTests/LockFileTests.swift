// SPDX-License-Identifier: Apache-2.0

import OCI
import ProjectFiles
import Testing

struct LockFileTests {
    private static let text = """
        {
          "lockVersion": 1,
          "minReader": "0.1.0",
          "frontends": {
            "acme/next": {
              "constraint": "^2",
              "package": "acme/spec",
              "permissions": {"entitlements": ["device"], "exec": true, "frontends": ["yaml"], "host-runtime": true, "network": false, "secrets": ["a", "b"]},
              "platforms": {
                "any": "ft1:2222222222222222222222222222222222222222222222222222222222222222"
              },
              "protocol": "native 1.0",
              "release": "sha256:2200000000000000000000000000000000000000000000000000000000000000",
              "source": "oci://ghcr.io/acme/frontends/spec",
              "version": "2.1.0"
            },
            "acme/spec": {
              "constraint": "~1.4",
              "permissions": {"entitlements": [], "exec": false, "network": false, "secrets": ["npm-token"]},
              "platforms": {
                "darwin/arm64": "ft1:9999999999999999999999999999999999999999999999999999999999999999",
                "linux/amd64": "ft1:4141414141414141414141414141414141414141414141414141414141414141"
              },
              "protocol": "native 1.0 2.3",
              "release": "sha256:5d0b000000000000000000000000000000000000000000000000000000000000",
              "source": "oci://ghcr.io/acme/frontends/spec",
              "version": "1.4.2"
            }
          },
          "sources": {
            "docker-image://docker.io/library/alpine:3.20": {
              "digest": "sha256:aa00000000000000000000000000000000000000000000000000000000000000",
              "platforms": {
                "linux/amd64": "sha256:bb00000000000000000000000000000000000000000000000000000000000000",
                "linux/arm64": "sha256:cc00000000000000000000000000000000000000000000000000000000000000"
              }
            },
            "git://github.com/acme/tool.git#main": {
              "commit": "0123456789abcdef0123456789abcdef01234567"
            },
            "https://example.com/a\\\\b\\"c": {
              "digest": "sha256:dd00000000000000000000000000000000000000000000000000000000000000"
            }
          }
        }

        """

    @Test func `a lock is written as it was read, byte for byte`() throws {
        let lock = try LockFile(json: Array(Self.text.utf8))
        #expect(String(decoding: lock.json, as: UTF8.self) == Self.text)
        #expect(lock.frontends.count == 2)
        #expect(lock.sources.count == 3)
        let spec = try #require(lock.frontends[FrontendName(parsing: "acme/spec")])
        #expect(spec.version == SemanticVersion(1, 4, 2))
        #expect(spec.tree(for: Platform(os: "linux", architecture: "amd64"))?.description.hasPrefix("ft1:41") == true)
        #expect(spec.tree(for: Platform(os: "linux", architecture: "arm64")) == nil)
        let next = try #require(lock.frontends[FrontendName(parsing: "acme/next")])
        #expect(next.tree(for: Platform(os: "plan9", architecture: "mips")) != nil)
    }

    @Test func `an empty lock is two lines`() throws {
        let text = String(decoding: LockFile().json, as: UTF8.self)
        #expect(text == "{\n  \"lockVersion\": 1,\n  \"minReader\": \"0.1.0\"\n}\n")
        #expect(try LockFile(json: Array(text.utf8)) == LockFile())
    }

    @Test(arguments: [
        ("docker-image://alpine", "docker-image://docker.io/library/alpine:latest", "alpine:latest"),
        ("docker-image://docker.io/library/alpine:3", "docker-image://docker.io/library/alpine:3", "alpine:3"),
        ("docker-image://localhost:5000/a/b:1", "docker-image://localhost:5000/a/b:1", "localhost:5000/a/b:1"),
        ("git://host/r.git", "git://host/r.git", "git://host/r.git"),
        ("git://host/r.git#main:sub/dir", "git://host/r.git#main", "git://host/r.git#main"),
        ("https://host/x?y#z", "https://host/x?y#z", "https://host/x?y#z"),
    ])
    func `a source is pinned under what LLB calls it`(identifier: String, key: String, familiar: String) {
        let found = SourceKey(identifier: identifier)
        #expect(found?.text == key)
        #expect(found?.familiar == familiar)
    }

    @Test(arguments: [
        "docker-image://alpine@sha256:\(String(repeating: "a", count: 64))", "docker-image://UPPER",
        "git://host/r.git#\(String(repeating: "a", count: 40))", "local://context", "oci-layout://a/b", "x", "",
    ])
    func `what names its content needs no pin`(identifier: String) {
        #expect(SourceKey(identifier: identifier) == nil)
    }

    @Test(arguments: [
        ("alpine", true), ("alpine:3.20", true), ("docker.io/library/alpine", true), ("library/alpine", true),
        ("alpine:3.21", false), ("alpin", false), ("ALPINE", false),
        ("docker-image://docker.io/library/alpine:3.20", true),
    ])
    func `users name a pinned image as they name images`(word: String, isNamed: Bool) {
        #expect(SourceKey(identifier: "docker-image://alpine:3.20")?.isNamed(word) == isNamed)
    }

    @Test func `pins of one image join their platforms, and of two the newer one counts`() {
        let amd64 = LockedSource.image(.of("a"), platforms: ["linux/amd64": .of("b")])
        let arm64 = LockedSource.image(.of("a"), platforms: ["linux/arm64": .of("c")])
        #expect(
            amd64.joined(arm64) == .image(.of("a"), platforms: ["linux/amd64": .of("b"), "linux/arm64": .of("c")])
        )
        let moved = LockedSource.image(.of("z"), platforms: ["linux/arm64": .of("c")])
        #expect(amd64.joined(moved) == moved)
    }
}

struct ManifestTests {
    private static let text = """
        manifest = 1
        name     = "acme/spec"
        version  = "1.4.2"
        license  = "Apache-2.0"
        homepage = "https://example.com"
        [protocol]
        versions = ["1.0"]
        requires = ["readFile"]
        optional = ["progress"]
        [entry]
        argv = ["bin/spec", "--stdio"]
        [platforms]
        "linux/x86_64" = "linux-amd64"
        any = "script"
        [permissions]
        secrets = ["npm-token"]
        [cache]
        deterministic = true
        [limits]
        memory = "256MiB"
        [detect]
        files = ["*.acme.yaml"]
        [options]
        schema = "options.schema.json"
        """

    @Test func `a manifest says the same as TOML and as JSON`() throws {
        let manifest = try FrontendManifest(toml: Array(Self.text.utf8))
        #expect(try FrontendManifest(json: manifest.json, file: "config") == manifest)
        #expect(manifest.memoryLimit == 256 << 20)
        #expect(manifest.protocolText == "native 1.0")
        #expect(manifest.subtree(for: Platform(os: "linux", architecture: "amd64")) == "linux-amd64")
        #expect(manifest.subtree(for: Platform(os: "linux", architecture: "riscv64")) == "script")
    }

    @Test func `without platforms the package is the tree of any`() throws {
        let text = "manifest=1\nname='a/b'\nversion='1.0.0'\n[protocol]\nversions=['1.0']\n[entry]\nargv=['x']"
        let manifest = try FrontendManifest(toml: Array(text.utf8))
        #expect(manifest.subtree(for: Platform(os: "linux", architecture: "amd64"))?.isEmpty == true)
        #expect(manifest.permissions == .nothing)
    }

    @Test func `what the machine changes is not deterministic`() {
        let text = Self.text.replacing("argv = ", with: "runtime = \"host\"\nargv = ")
        let error = #expect(throws: ProjectError.self) { try FrontendManifest(toml: Array(text.utf8)) }
        #expect(error?.message.hasPrefix("deterministic = true contradicts runtime = \"host\"") == true)
    }

    @Test func `overrides are written as they are read`() throws {
        let overrides = LocalOverrides(paths: [
            try FrontendName(parsing: "acme/spec"): "../a \"b\"\\c", try FrontendName(parsing: "yaml"): "/x",
        ])
        #expect(try LocalOverrides(toml: Array(overrides.toml.utf8)) == overrides)
    }
}
