// SPDX-License-Identifier: Apache-2.0

import OCI
import Registry
import RegistryTestSupport
import Testing

@Suite struct TagTests {
    private func tags(_ limit: Int = 100, _ handler: @escaping ScriptedServer.Handler) async throws -> [String] {
        let scratch = try Scratch()
        defer { withExtendedLifetime(scratch) {} }
        let server = try ScriptedServer(handler)
        let repository = Repository(host: server.host, path: "acme/spec")
        return try await withClient(quickConfiguration(attempts: 1), scratch.store()) { client in
            try await client.tags(of: repository, countLimit: limit)
        }
    }

    @Test func `pages are followed to the last, and tags come sorted and once`() async throws {
        let found = try await tags { request in
            switch request.target {
            case "/v2/acme/spec/tags/list":
                .init(
                    headers: [("Link", "</v2/acme/spec/tags/list?last=b&n=2>; rel=\"next\"")],
                    body: Array(#"{"name":"acme/spec","tags":["b","a"]}"#.utf8)
                )
            case "/v2/acme/spec/tags/list?last=b&n=2":
                .init(body: Array(#"{"name":"acme/spec","tags":["c","b"]}"#.utf8))
            default: .init(status: 404)
            }
        }
        #expect(found == ["a", "b", "c"])
    }

    @Test func `a repository without tags has none, one that does not exist is an error`() async throws {
        #expect(try await tags { _ in .init(body: Array(#"{"name":"acme/spec","tags":null}"#.utf8)) } == [])
        let error = await #expect(throws: RegistryError.self) { try await tags { _ in .init(status: 404) } }
        #expect(error?.code == .notFound)
        #expect(error?.message.hasPrefix("cannot list the tags of 127.0.0.1:") == true)
    }

    @Test func `pages without end, too many tags, other servers and no JSON are refused or left alone`() async throws {
        let endless = await #expect(throws: RegistryError.self) {
            try await tags(5) { _ in
                .init(
                    headers: [("Link", "</v2/acme/spec/tags/list?again>; rel=\"next\"")],
                    body: Array(#"{"tags":["a"]}"#.utf8)
                )
            }
        }
        #expect(endless?.code == .badResponse)
        let many = await #expect(throws: RegistryError.self) {
            try await tags(2) { _ in .init(body: Array(#"{"tags":["a","b","c"]}"#.utf8)) }
        }
        #expect(many?.code == .tooLarge)
        // A page on another server is not asked for.
        let own = try await tags { _ in
            .init(headers: [("Link", "<http://127.0.0.1:1/x>; rel=\"next\"")], body: Array(#"{"tags":["a"]}"#.utf8))
        }
        #expect(own == ["a"])
        let text = await #expect(throws: RegistryError.self) {
            try await tags { _ in .init(body: Array("hello".utf8)) }
        }
        #expect(text?.code == .badResponse)
    }
}
