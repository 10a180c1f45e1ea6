// SPDX-License-Identifier: Apache-2.0

import Foundation
import OCI
import RegistryTestSupport
import Testing

@testable import Registry

@Suite struct WireValueTests {
    @Test func `a bearer challenge gives its realm, service and scope`() {
        let header =
            #"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#
        let challenges = AuthenticationChallenge.parse([header])
        #expect(challenges.map(\.scheme) == ["bearer"])
        #expect(
            challenges.first?.parameters == [
                "realm": "https://auth.example/token", "service": "registry.example",
                "scope": "repository:a/b:pull,push",
            ]
        )
    }

    @Test func `several challenges in one header and in several are told apart`() {
        let challenges = AuthenticationChallenge.parse([
            #"Negotiate, Basic realm="a \"quoted\" one", charset=UTF-8"#, "BEARER Realm = x",
        ])
        #expect(challenges.map(\.scheme) == ["negotiate", "basic", "bearer"])
        #expect(challenges[1].parameters == ["realm": #"a "quoted" one"#, "charset": "UTF-8"])
        #expect(challenges[2].parameters == ["realm": "x"])
    }

    @Test(arguments: ["", ",,,", "=", "\"", "Bearer realm=\"never closed", "Bearer =x", "\u{0}"])
    func `a broken challenge is read without harm`(header: String) {
        let challenges = AuthenticationChallenge.parse([header])
        #expect(challenges.allSatisfy { $0.parameters["realm"] == nil })
    }

    @Test func `a challenge of a mebibyte is not read`() {
        let header = "Bearer realm=\"" + String(repeating: "x", count: 1 << 20) + "\""
        #expect(AuthenticationChallenge.parse([header]).isEmpty)
    }

    @Test func `content ranges are read as RFC 9110 writes them and no other way`() {
        #expect(ContentRange("bytes 5-9/10")?.first == 5)
        #expect(ContentRange("bytes 5-9/10")?.total == 10)
        #expect(ContentRange("bytes 0-0/*")?.total == nil)
        for wrong in [
            "", "bytes", "bytes 5-4/10", "bytes 5-10/10", "bytes */10", "bytes -1-4/10",
            "items 0-1/2",
            "bytes 0-1", "bytes 0-99999999999999999999/*", "bytes 0-1/2/3",
        ] {
            #expect(ContentRange(wrong) == nil, "\(wrong)")
        }
    }

    @Test func `upload ranges begin at zero`() {
        #expect(UploadRange("0-1023")?.last == 1023)
        #expect(UploadRange("bytes=0-7")?.last == 7)
        for wrong in ["", "0", "1-7", "0--1", "7-0", "0-99999999999999999999"] {
            #expect(UploadRange(wrong) == nil, "\(wrong)")
        }
    }

    @Test func `only hosts that are this machine by name are spoken to in plain HTTP`() {
        for host in [
            "localhost", "LOCALHOST:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000", "[::1]",
        ] {
            #expect(Endpoint(registry: host, insecureHosts: []).trust == .loopback, "\(host)")
        }
        for host in [
            "localhost.example", "127.0.0.1.example", "127.0.0.1.", "1127.0.0.1", "[::2]:5000",
            "registry:5000",
            "127.0.0.256",
        ] {
            #expect(Endpoint(registry: host, insecureHosts: []).trust == .verified, "\(host)")
        }
        #expect(
            Endpoint(registry: "r.example:5000", insecureHosts: ["r.example:5000"]).trust
                == .insecure
        )
        #expect(
            Endpoint(registry: "r.example", insecureHosts: ["r.example:5000"]).trust == .verified
        )
    }

    @Test func `Docker's registry is dialled by its own name and logged in to by its old one`() {
        let endpoint = Endpoint(registry: "docker.io", insecureHosts: [])
        #expect(endpoint.authority == "registry-1.docker.io")
        #expect(endpoint.credentialHost == "docker.io")
    }

    @Test func `mirrors come before the registry for a pull and never for a push`() {
        var configuration = RegistryConfiguration()
        configuration.mirrors["docker.io"] = [
            "https://mirror.example/proxy/", "", "localhost:5000",
        ]
        let repository = Repository(host: "docker.io", path: "library/busybox")
        let endpoints = configuration.pullEndpoints(repository)
        #expect(
            endpoints.map(\.authority) == [
                "mirror.example", "localhost:5000", "registry-1.docker.io",
            ]
        )
        #expect(endpoints[0].path(repository, "tags/list") == "/v2/proxy/library/busybox/tags/list")
        #expect(endpoints[2].path(repository, "tags/list") == "/v2/library/busybox/tags/list")
        #expect(configuration.pushEndpoint(repository).authority == "registry-1.docker.io")
    }

    @Test func `proxies are chosen by scheme, exceptions and port`() throws {
        let settings = ProxySettings(environment: [
            "HTTPS_PROXY": "http://user:pa%3Ass@proxy.example:3128", "http_proxy": "plain.example",
            "NO_PROXY":
                "internal.example, .below.example,10.0.0.0/8,r.example:5000,[fe80::1]:80,192.168.1.1",
        ])
        func proxy(_ address: String) throws -> ProxyServer? {
            try settings.proxy(for: try #require(URL(string: address)))
        }
        #expect(try proxy("https://docker.io/v2/")?.host == "proxy.example")
        #expect(try proxy("https://docker.io/v2/")?.port == 3128)
        #expect(try proxy("https://docker.io/v2/")?.login == "user:pa:ss")
        #expect(try proxy("http://docker.io/v2/")?.host == "plain.example")
        for direct in [
            "https://localhost:5000/", "http://127.0.0.1/", "https://internal.example",
            "https://a.INTERNAL.example", "https://x.below.example", "https://10.200.3.4/",
            "https://r.example:5000/", "http://[fe80::1]/", "https://192.168.1.1:8443",
        ] {
            #expect(try proxy(direct) == nil, "\(direct)")
        }
        for proxied in [
            "https://notinternal.example", "https://below.example", "https://11.0.0.1/",
            "https://r.example/", "https://192.168.1.10",
        ] {
            #expect(try proxy(proxied) != nil, "\(proxied)")
        }
    }

    @Test(arguments: ["ftp://proxy", "https://proxy", "http://", "http://a b", "://"])
    func `a proxy that cannot be used is an error, and not passed over`(text: String) throws {
        let settings = ProxySettings(environment: ["HTTPS_PROXY": text])
        let url = try #require(URL(string: "https://r.example"))
        #expect(throws: RegistryError.self) { _ = try settings.proxy(for: url) }
        let everything = ProxySettings(environment: ["HTTPS_PROXY": text, "NO_PROXY": "*"])
        #expect(try everything.proxy(for: url) == nil)
    }

    @Test func `text of a server cannot break out of its line`() {
        #expect(singleLine("a\u{1b}[31m\r\n  b\u{202e}c\u{0}") == "a [31m b c")
        #expect(singleLine(String(repeating: "x", count: 1000)).count == 301)
    }

    @Test func `waits double, stay below the limit, and follow the server up to it`() {
        let policy = RetryPolicy()
        for count in [1, 2, 5, 1000] {
            let delay = policy.delay(afterFailures: count, askedFor: nil)
            #expect(delay > .zero && delay <= policy.delayMax)
        }
        #expect(
            policy.delay(afterFailures: 1, askedFor: .seconds(1_000_000_000)) == policy.delayMax
        )
        #expect(policy.delay(afterFailures: 1, askedFor: .seconds(-5)) == .zero)
    }
}

@Suite struct ManifestDocumentTests {
    private let digest = Digest.of("x")

    private func parse(_ text: String, _ type: String? = nil) throws -> ManifestDocument {
        try ManifestDocument(parsing: Array(text.utf8), mediaType: type)
    }

    private var config: String { #"{"mediaType":"c","digest":"\#(digest)","size":2}"# }

    @Test func `an image and an index are told apart, with and without a media type`() throws {
        let image = try parse(#"{"schemaVersion":2,"config":\#(config),"layers":[\#(config)]}"#)
        guard case .image(let manifest) = image.content else { throw TestFailure("no image") }
        #expect(manifest.layers.map(\.size) == [2])
        #expect(image.descriptor.mediaType == MediaType.manifest)
        #expect(image.descriptor.digest == Digest.of(image.bytes))
        let index = try parse(
            #"{"schemaVersion":2,"manifests":[\#(config)]}"#,
            MediaType.dockerManifestList
        )
        guard case .index = index.content else { throw TestFailure("no index") }
        #expect(index.descriptor.mediaType == MediaType.dockerManifestList)
    }

    @Test func `hostile manifests are refused with the reason`() throws {
        let layers = (0...1000).map { _ in config }.joined(separator: ",")
        let cases: [(String, String?, String)] = [
            ("", nil, "JSON"),
            ("[]", nil, "no JSON object"),
            (#"{"schemaVersion":1,"fsLayers":[]}"#, nil, "schemaVersion"),
            (
                #"{"schemaVersion":2,"config":\#(config),"layers":[],"manifests":[]}"#, nil,
                "members of an image"
            ),
            (
                #"{"schemaVersion":2,"config":\#(config),"layers":[],"manifests":[]}"#,
                MediaType.manifest, "of an index"
            ),
            (
                #"{"schemaVersion":2,"manifests":[],"layers":[]}"#, MediaType.index,
                "members of an image"
            ),
            (#"{"schemaVersion":2,"layers":[]}"#, nil, "config is missing"),
            (
                #"{"schemaVersion":2,"config":\#(config),"layers":[],"layers":[]}"#, nil,
                "stands twice"
            ),
            (
                #"{"schemaVersion":2,"mediaType":"text/html","config":\#(config),"layers":[]}"#,
                nil, "no image"
            ),
            (
                #"{"schemaVersion":2,"mediaType":"\#(MediaType.index)","manifests":[]}"#,
                MediaType.manifest, "was announced as"
            ),
            (
                #"{"schemaVersion":2,"config":{"mediaType":"c","digest":"\#(digest)","size":-1},"layers":[]}"#,
                nil, "size -1"
            ),
            (
                #"{"schemaVersion":2,"config":{"mediaType":"c","digest":"sha256:../../x","size":1},"layers":[]}"#,
                nil, "is no digest"
            ),
            (
                #"{"schemaVersion":2,"config":{"mediaType":"c","digest":"\#(digest)","size":1e400},"layers":[]}"#,
                nil, "cannot read manifest"
            ),
            (
                #"{"schemaVersion":2,"config":\#(config),"layers":[\#(layers)]}"#, nil,
                "1001 layers, at most 1000"
            ),
            (String(repeating: "[", count: 100_000), nil, "nested"),
        ]
        for (text, type, reason) in cases {
            let error = #expect(throws: OCIError.self, "\(text.prefix(80))") {
                _ = try parse(text, type)
            }
            #expect(
                error?.message.contains(reason) == true,
                "\(error?.message ?? "none") lacks \(reason)"
            )
        }
    }
}
