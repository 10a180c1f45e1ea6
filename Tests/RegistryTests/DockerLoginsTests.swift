// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import RegistryTestSupport
import SystemPackage
import Testing

@testable import Registry

@Suite struct DockerLoginsTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func logins(_ json: String?, path: String = "") throws -> DockerLogins {
        if let json { try scratch.write("docker/config.json", json) }
        return DockerLogins(environment: [
            "DOCKER_CONFIG": scratch.path + "/docker", "HOME": scratch.path,
            "PATH": scratch.path + "/bin:" + path,
            "CANARY": "sings",
        ])
    }

    private func helper(_ name: String, _ script: String) throws {
        try scratch.write("bin/docker-credential-\(name)", "#!/bin/sh\n" + script, executable: true)
    }

    private func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    @Test func `no file means no login`() async throws {
        #expect(try await logins(nil).credential(forRegistry: "r.example") == nil)
    }

    @Test func `a login is found by host, however its key is written`() async throws {
        let logins = try logins(
            #"{"auths":{"https://index.docker.io/v1/":{"auth":"\#(base64("hub:a:b"))"},"#
                + #""https://r.example/v2/":{"auth":"\#(base64("u:p"))"},"r.example:5000":{"username":"n","password":"w"},"#
                + #""t.example":{"auth":"","identitytoken":"id"}},"other":{"x":[1]}}"#
        )
        #expect(
            try await logins.credential(forRegistry: "docker.io")
                == .password(user: "hub", password: "a:b")
        )
        #expect(
            try await logins.credential(forRegistry: "r.example")
                == .password(user: "u", password: "p")
        )
        #expect(
            try await logins.credential(forRegistry: "r.example:5000")
                == .password(user: "n", password: "w")
        )
        #expect(try await logins.credential(forRegistry: "t.example") == .identityToken("id"))
        #expect(try await logins.credential(forRegistry: "example") == nil)
    }

    @Test(arguments: [
        "", "{", "[]", #"{"auths":{"r.example":{"auth":"%%%"}}}"#,
        #"{"auths":{"r.example":{"auth":"bm9jb2xvbg=="}}}"#,
        #"{"credsStore":5}"#,
    ])
    func `a broken file is named, and is not taken for no login`(json: String) async throws {
        let logins = try logins(json)
        let error = try await registryError {
            _ = try await logins.credential(forRegistry: "r.example")
        }
        #expect(error.code == .credentials)
        #expect(error.message.contains("docker/config.json"))
    }

    @Test func `a helper is asked for the server on its standard input`() async throws {
        try helper(
            "own",
            #"read -r server || true; printf '{"ServerURL":"%s","Username":"u","Secret":"%s"}' "$server" "$1-$server-$CANARY""#
        )
        let logins = try logins(#"{"credHelpers":{"r.example":"own"}}"#, path: "/usr/bin:/bin")
        #expect(
            try await logins.credential(forRegistry: "r.example")
                == .password(user: "u", password: "get-r.example-sings")
        )
        #expect(try await logins.credential(forRegistry: "other.example") == nil)
    }

    @Test
    func
        `the store of all logins knows Docker's registry by its old name, and tokens by their user`()
        async throws
    {
        try helper("store", #"printf '{"Username":"<token>","Secret":"%s"}' "$(cat)""#)
        let logins = try logins(#"{"credsStore":"store"}"#, path: "/usr/bin:/bin")
        #expect(
            try await logins.credential(forRegistry: "docker.io")
                == .identityToken("https://index.docker.io/v1/")
        )
    }

    @Test func `a helper that knows no login leaves the word to the file`() async throws {
        try helper("none", "echo 'credentials not found in native keychain'; exit 1")
        let logins = try logins(
            #"{"credsStore":"none","auths":{"r.example":{"auth":"\#(base64("u:p"))"}}}"#
        )
        #expect(
            try await logins.credential(forRegistry: "r.example")
                == .password(user: "u", password: "p")
        )
        #expect(try await logins.credential(forRegistry: "x.example") == nil)
    }

    @Test(arguments: [
        ("exit 3", "status 3"), ("echo keyring is locked; exit 1", "keyring is locked"),
        ("echo not json", "no JSON object"),
        (#"echo '{"Username":"u"}'"#, "lacks Username or Secret"),
        ("kill -9 $$", "status 137"),
        ("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", "more than"),
    ])
    func `a helper that fails is named with its reason`(script: String, reason: String) async throws {
        try helper("bad", script)
        let logins = try logins(#"{"credsStore":"bad"}"#, path: "/usr/bin:/bin")
        let error = try await registryError {
            _ = try await logins.credential(forRegistry: "r.example")
        }
        #expect(error.code == .credentials)
        #expect(error.message.contains("docker-credential-bad"))
        #expect(error.message.contains(reason), "\(error.message)")
    }

    @Test(arguments: ["missing", "../../bin/sh", "a b", "a/b"])
    func `a helper that is missing or has a path for a name is not run`(name: String) async throws {
        let logins = try logins(#"{"credsStore":"\#(name)"}"#)
        let error = try await registryError {
            _ = try await logins.credential(forRegistry: "r.example")
        }
        #expect(error.code == .credentials)
        #expect(error.message.contains(name))
    }

    @Test func `a helper whose child keeps its output open does not hold up the answer`()
        async throws
    {
        try helper("daemon", #"sleep 30 & printf '{"Username":"u","Secret":"s"}'"#)
        let logins = try logins(#"{"credsStore":"daemon"}"#, path: "/usr/bin:/bin")
        let start = ContinuousClock.now
        #expect(
            try await logins.credential(forRegistry: "r.example")
                == .password(user: "u", password: "s")
        )
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test func `a helper that hangs is killed at its time limit`() throws {
        let path = try scratch.write("bin/hang", "#!/bin/sh\nsleep 60\n", executable: true)
        let program = HelperProgram(
            path: .init(path),
            arguments: [],
            environment: ["PATH": "/usr/bin:/bin"]
        )
        #expect(throws: HelperProgram.Failure.timedOut) {
            _ = try program.run(input: [], outputByteLimit: 10, timeLimit: .milliseconds(100))
        }
    }
}
