// SPDX-License-Identifier: Apache-2.0

import ContentStore
import OCI
import Registry
import RegistryTestSupport
import Synchronization
import Testing

@Suite struct ManifestTests {
    private let scratch: Scratch
    private let store: ContentStore
    private let image: ManifestDocument

    init() throws {
        scratch = try Scratch()
        store = try scratch.store()
        image = try storeImage(in: scratch.store("other"), layers: [noise(100)])
    }

    private func reply(_ headers: [(name: String, value: String)] = []) -> ScriptedServer.Reply {
        .init(headers: [("Content-Type", MediaType.manifest)] + headers, body: image.bytes)
    }

    private func resolve(
        _ server: ScriptedServer,
        _ suffix: String,
        known: Digest? = nil
    ) async throws -> ManifestDocument {
        try await withClient(quickConfiguration(), store) { client in
            try await client.resolve(
                Reference(parsing: "\(server.host)/a/b\(suffix)"),
                known: known
            )
        }
    }

    @Test func `a tag is resolved by one request and the manifest is stored`() async throws {
        let server = try ScriptedServer { [reply = reply()] _ in reply }
        let found = try await resolve(server, "")
        #expect(found.descriptor == image.descriptor)
        #expect(store.contains(image.descriptor.digest))
        #expect(
            server.requests.map { "\($0.method) \($0.target)" } == ["GET /v2/a/b/manifests/latest"]
        )
        #expect(
            server.requests.first?.headers["accept"]?.contains(MediaType.dockerManifestList) == true
        )
    }

    @Test func `a digest that is in the store never dials`() async throws {
        try store.put(image.bytes)
        let server = try ScriptedServer { _ in .init(status: 500) }
        #expect(
            try await resolve(server, ":v1@\(image.descriptor.digest)").descriptor
                == image.descriptor
        )
        #expect(server.requests.isEmpty)
    }

    @Test func `a tag that still means what it meant costs one HEAD`() async throws {
        try store.put(image.bytes)
        let server = try ScriptedServer {
            [reply = reply([("Docker-Content-Digest", "\(image.descriptor.digest)")])] _ in reply
        }
        _ = try await resolve(server, ":v1", known: image.descriptor.digest)
        #expect(server.requests.map(\.method) == ["HEAD"])
    }

    @Test func `a damaged manifest in the store is fetched again`() async throws {
        let digest = image.descriptor.digest
        try scratch.write("state/blobs/sha256/\(digest.hex)", "damaged")
        let server = try ScriptedServer { [reply = reply()] _ in reply }
        #expect(try await resolve(server, "@\(digest)").bytes == image.bytes)
        #expect(server.requests.count == 1)
    }

    @Test func `a manifest that is not the one asked for is refused`() async throws {
        let server = try ScriptedServer { [reply = reply()] _ in reply }
        let error = try await registryError {
            _ = try await resolve(server, "@\(Digest.of("other"))")
        }
        #expect(error.code == .digestMismatch)
    }

    @Test func `a header that lies about the digest is noticed`() async throws {
        let server = try ScriptedServer {
            [reply = reply([("Docker-Content-Digest", "\(Digest.of("lie"))")])] _ in reply
        }
        let error = try await registryError { _ = try await resolve(server, ":v1") }
        #expect(error.code == .digestMismatch)
        #expect(!store.contains(image.descriptor.digest))
    }

    @Test func `a manifest of more than four mebibytes is refused, announced or not`() async throws {
        let server = try ScriptedServer { _ in
            .init(body: [UInt8](repeating: 32, count: (4 << 20) + 1))
        }
        let error = try await registryError { _ = try await resolve(server, ":v1") }
        #expect(error.code == .tooLarge)
        #expect(error.message.contains("4194304"))
    }

    @Test func `an old or broken manifest is told as the registry's fault, with the reason`()
        async throws
    {
        let server = try ScriptedServer { _ in .json(#"{"schemaVersion":1}"#) }
        let error = try await registryError { _ = try await resolve(server, ":v1") }
        #expect(error.code == .badResponse)
        #expect(
            error.message.contains(
                "cannot resolve \(server.host)/a/b:v1: cannot read manifest: its schemaVersion"
            )
        )
    }

    @Test func `a config of more than its limit is refused before it is asked for`() async throws {
        let server = try ScriptedServer { _ in .init() }
        var config = describe([1], MediaType.config)
        config.size = 9 << 20
        let error = try await registryError {
            try await withClient(quickConfiguration(), store) { [config] client in
                _ = try await client.read(config, from: Repository(host: server.host, path: "a"))
            }
        }
        #expect(error.code == .tooLarge)
        #expect(server.requests.isEmpty)
    }
}

@Suite struct RedirectionTests {
    private let scratch: Scratch
    private let store: ContentStore
    private let bytes = noise(1000)
    private let login = Credential.password(user: "u", password: "p")

    init() throws {
        scratch = try Scratch()
        store = try scratch.store()
    }

    private func fetch(_ server: ScriptedServer) async throws {
        try await withClient(
            quickConfiguration(credentials: FixedCredentials([server.host: login])),
            store
        ) { client in
            try await client.fetch(
                describe(bytes),
                from: Repository(host: server.host, path: "a/b")
            )
        }
    }

    @Test func `a login stays behind when a redirection leaves the host`() async throws {
        let other = try ScriptedServer { [bytes] _ in .init(body: bytes) }
        let server = try ScriptedServer { request in
            request.headers["authorization"] == nil
                ? .init(status: 401, headers: [("WWW-Authenticate", "Basic realm=x")])
                : .init(status: 307, headers: [("Location", "http://\(other.host)/signed?sig=1")])
        }
        try await fetch(server)
        #expect(server.requests.map { $0.headers["authorization"] } == [nil, "Basic dTpw"])
        #expect(other.requests.map(\.target) == ["/signed?sig=1"])
        #expect(other.requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test func `a login goes along to another path of the host`() async throws {
        let server = try ScriptedServer { [bytes] request in
            if request.headers["authorization"] == nil {
                return .init(status: 401, headers: [("WWW-Authenticate", "Basic realm=x")])
            }
            return request.target == "/moved"
                ? .init(body: bytes) : .init(status: 302, headers: [("Location", "/moved")])
        }
        try await fetch(server)
        #expect(server.requests.last?.headers["authorization"] == "Basic dTpw")
    }

    @Test func `a circle of redirections is left`() async throws {
        let server = try ScriptedServer { request in
            .init(status: 302, headers: [("Location", request.target)])
        }
        let error = try await registryError { try await fetch(server) }
        #expect(error.code == .badResponse)
        #expect(error.message.contains("redirected more than 10 times"))
        #expect(server.requests.count == 11)
    }

    @Test(arguments: ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://", "", "javascript:1"])
    func `a redirection to anything but HTTP is refused`(location: String) async throws {
        let server = try ScriptedServer { _ in .init(status: 302, headers: [("Location", location)])
        }
        await #expect(throws: RegistryError.self) { try await fetch(server) }
        #expect(server.requests.count <= 11)
    }
}

@Suite struct TokenTests {
    private let scratch: Scratch
    private let store: ContentStore
    private let bytes = noise(1000)

    init() throws {
        scratch = try Scratch()
        store = try scratch.store()
    }

    /// A registry that wants a token of another server.
    private func registry(
        _ tokens: ScriptedServer,
        accepting: @escaping @Sendable (String) -> Bool
    ) throws -> ScriptedServer {
        try ScriptedServer { [bytes] request in
            if let header = request.headers["authorization"], accepting(header) {
                return .init(body: bytes)
            }
            let challenge =
                #"Bearer realm="http://\#(tokens.host)/token?x=1",service="a service",scope="repository:a/b:pull""#
            return .json(
                #"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#,
                status: 401,
                headers: [("WWW-Authenticate", challenge)]
            )
        }
    }

    private func fetch(_ host: String, _ path: String, _ client: RegistryClient) async throws {
        try await client.fetch(describe(bytes), from: Repository(host: host, path: path))
        try store.remove(Digest.of(bytes))
    }

    @Test func `an anonymous token is asked for once a repository`() async throws {
        let tokens = try ScriptedServer { _ in .json(#"{"token":"t1","expires_in":300}"#) }
        let server = try registry(tokens) { $0 == "Bearer t1" }
        try await withClient(quickConfiguration(), store) { client in
            try await fetch(server.host, "a/b", client)
            try await fetch(server.host, "a/b", client)
            try await fetch(server.host, "c", client)
        }
        #expect(
            tokens.requests.map(\.target) == [
                "/token?x=1&service=a%20service&scope=repository%3Aa%2Fb%3Apull",
                "/token?x=1&service=a%20service&scope=repository%3Ac%3Apull",
            ]
        )
        #expect(tokens.requests.allSatisfy { $0.headers["authorization"] == nil })
        // Only the first request of all was in vain.
        #expect(
            server.requests.map { $0.headers["authorization"] } == [
                nil, "Bearer t1", "Bearer t1", "Bearer t1",
            ]
        )
    }

    @Test func `many requests at once ask for one token`() async throws {
        let tokens = try ScriptedServer { _ in
            var reply = ScriptedServer.Reply.json(#"{"access_token":"t"}"#)
            reply.delay = 100
            return reply
        }
        let server = try registry(tokens) { $0 == "Bearer t" }
        try await withClient(quickConfiguration(), store) { client in
            try await withThrowingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask {
                        _ = try? await client.digest(
                            of: "v1",
                            in: Repository(host: server.host, path: "a/b")
                        )
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(tokens.requests.count == 1)
    }

    @Test func `a login is shown to the token server and not to the registry`() async throws {
        let tokens = try ScriptedServer { request in
            request.headers["authorization"] == "Basic dTpw"
                ? .json(#"{"token":"mine"}"#) : .init(status: 401)
        }
        let server = try registry(tokens) { $0 == "Bearer mine" }
        let logins = FixedCredentials([server.host: .password(user: "u", password: "p")])
        try await withClient(quickConfiguration(credentials: logins), store) { client in
            try await fetch(server.host, "a/b", client)
        }
        #expect(tokens.requests.first?.target.hasSuffix("&account=u") == true)
        #expect(
            server.requests.allSatisfy { $0.headers["authorization"]?.hasPrefix("Basic") != true }
        )
    }

    @Test func `an identity token is exchanged by a form`() async throws {
        let tokens = try ScriptedServer { _ in .json(#"{"access_token":"t"}"#) }
        let server = try registry(tokens) { $0 == "Bearer t" }
        let logins = FixedCredentials([server.host: .identityToken("secret/+")])
        try await withClient(quickConfiguration(credentials: logins), store) { client in
            try await fetch(server.host, "a/b", client)
        }
        let request = try #require(tokens.requests.first)
        #expect(request.method == "POST")
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == "service=a%20service&client_id=kiln&grant_type=refresh_token&refresh_token=secret%2F%2B"
                + "&scope=repository%3Aa%2Fb%3Apull"
        )
    }

    @Test func `a token that the registry no longer takes is replaced`() async throws {
        let number = Mutex(0)
        let tokens = try ScriptedServer { _ in
            .json(#"{"token":"t\#(number.withLock { $0 += 1; return $0 })","expires_in":300}"#)
        }
        let server = try registry(tokens) { $0 == "Bearer t\(number.withLock { $0 })" }
        try await withClient(quickConfiguration(), store) { client in
            try await fetch(server.host, "a/b", client)
            number.withLock { $0 += 1 }
            try await fetch(server.host, "a/b", client)
        }
        #expect(tokens.requests.count == 2)
    }

    @Test func `a login that the token server refuses is told without its secret`() async throws {
        let tokens = try ScriptedServer { _ in
            .json(#"{"details":"incorrect username or password"}"#, status: 401)
        }
        let server = try registry(tokens) { _ in false }
        let logins = FixedCredentials([server.host: .password(user: "user-x", password: "secret-x")]
        )
        let error = try await registryError {
            try await withClient(quickConfiguration(credentials: logins), store) {
                try await fetch(server.host, "a/b", $0)
            }
        }
        #expect(error.code == .unauthorized)
        #expect(
            error.message.contains(
                "(incorrect username or password); log in with `docker login \(server.host)`"
            ),
            "\(error)"
        )
        #expect(!"\(error)".contains("secret-x") && !String(reflecting: error).contains("secret-x"))
    }

    @Test func `a registry that refuses every token is not asked for ever`() async throws {
        let tokens = try ScriptedServer { _ in .json(#"{"token":"t"}"#) }
        let server = try registry(tokens) { _ in false }
        let error = try await registryError {
            try await withClient(quickConfiguration(), store) {
                try await fetch(server.host, "a/b", $0)
            }
        }
        #expect(error.code == .unauthorized)
        #expect(server.requests.count == 2)
    }

    @Test(arguments: [
        "", "{}", #"{"token":""}"#, #"{"token":5}"#, #"{"token":"a\r\nX-Evil: 1"}"#, "nonsense",
    ])
    func `an answer without a usable token is refused`(answer: String) async throws {
        let tokens = try ScriptedServer { _ in .json(answer) }
        let server = try registry(tokens) { _ in true }
        let error = try await registryError {
            try await withClient(quickConfiguration(), store) { client in
                try await fetch(server.host, "a/b", client)
                try await fetch(server.host, "a/b", client)
            }
        }
        #expect(error.code == .badResponse)
    }

    @Test func `a token server elsewhere without TLS gets no login`() async throws {
        let tokens = try ScriptedServer { _ in .json(#"{"token":"t"}"#) }
        let server = try ScriptedServer { _ in
            // This name means this machine too, and does not look like it.
            let challenge = #"Bearer realm="http://0.0.0.0:\#(tokens.port)/token""#
            return .init(status: 401, headers: [("WWW-Authenticate", challenge)])
        }
        let logins = FixedCredentials([server.host: .password(user: "u", password: "p")])
        let error = try await registryError {
            try await withClient(quickConfiguration(credentials: logins), store) {
                try await fetch(server.host, "a/b", $0)
            }
        }
        #expect(error.code == .badResponse)
        #expect(error.message.contains("names a token server without TLS"))
        #expect(tokens.requests.isEmpty)
    }

    @Test func `a new login counts once the old one was refused`() async throws {
        let server = try ScriptedServer { [bytes] request in
            request.headers["authorization"] == "Basic dTpuZXc="
                ? .init(body: bytes)
                : .init(status: 401, headers: [("WWW-Authenticate", "Basic realm=x")])
        }
        let logins = DockerLogins(environment: ["HOME": scratch.path])
        func logIn(_ password: String) throws {
            let login = #"{"username":"u","password":"\#(password)"}"#
            try scratch.write(".docker/config.json", #"{"auths":{"\#(server.host)":\#(login)}}"#)
        }
        try logIn("old")
        try await withClient(quickConfiguration(credentials: logins), store) { client in
            let error = try await registryError { try await fetch(server.host, "a/b", client) }
            #expect(error.code == .unauthorized)
            try logIn("new")
            try await fetch(server.host, "a/b", client)
        }
    }

    @Test func `a broken login file stops the pull and is not taken for anonymous`() async throws {
        try scratch.write("docker/config.json", "{")
        let tokens = try ScriptedServer { _ in .json(#"{"token":"t"}"#) }
        let server = try registry(tokens) { _ in true }
        let logins = DockerLogins(environment: ["DOCKER_CONFIG": scratch.path + "/docker"])
        let challenged = try ScriptedServer { _ in
            .init(
                status: 401,
                headers: [("WWW-Authenticate", #"Bearer realm="http://\#(tokens.host)/""#)]
            )
        }
        let error = try await registryError {
            try await withClient(quickConfiguration(credentials: logins), store) {
                try await fetch(challenged.host, "a", $0)
            }
        }
        #expect(error.code == .credentials)
        #expect(tokens.requests.isEmpty && server.requests.isEmpty)
    }
}
