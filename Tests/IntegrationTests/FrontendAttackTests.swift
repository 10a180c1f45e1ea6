// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import OCI
import RegistryTestSupport
import Testing

/// Everything by which a graph could reach what is not the build's own, tried by frontends that were granted nothing, in
/// builds that hold secrets and allow every entitlement.
@Suite(.enabled(if: geteuid() == 0, "building needs root"), .serialized, .timeLimit(.minutes(4)))
struct FrontendAttackTests {
    /// One operation, and what must come of it.
    struct Attack: Sendable, CustomTestStringConvertible {
        let name: String
        /// As JSON; `SERVER` stands for the server that must not be asked.
        let operation: String
        /// What the refusal names; `nil` for what is refused whatever was granted, in words of its own.
        var refusal: String?

        var testDescription: String { name }
        var isSource: Bool { operation.hasPrefix("{\"source\"") }
    }

    private static func exec(_ name: String, _ members: String, _ refusal: String, mount: String = "") -> Attack {
        let operation = """
            {"exec": {"meta": {"args": ["true"], "cwd": "/"}, "mounts": [{"dest": "/", "input": -1}\(mount)]\(members)}}
            """
        return Attack(name: name, operation: operation, refusal: refusal)
    }

    private static func source(
        _ name: String,
        _ identifier: String,
        _ attributes: [String: String] = [:],
        _ refusal: String? = nil
    ) -> Attack {
        let list = attributes.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \"\($0.value)\"" }.joined(
            separator: ", "
        )
        let operation = "{\"source\": {\"identifier\": \"\(identifier)\", \"attrs\": {\(list)}}}"
        return Attack(name: name, operation: operation, refusal: refusal)
    }

    static let attacks: [Attack] = [
        exec(
            "a secret as file",
            "",
            "the secret \"token\"",
            mount: #", {"dest": "/s", "input": -1, "output": -1, "mountType": "SECRET", "secretOpt": {"ID": "token"}}"#
        ),
        exec(
            "a secret as file, if there is one",
            "",
            "the secret \"token\"",
            mount: """
                , {"dest": "/s", "input": -1, "output": -1, "mountType": "SECRET", \
                "secretOpt": {"ID": "token", "optional": true}}
                """
        ),
        exec("a secret as variable", #", "secretenv": [{"ID": "token", "name": "T"}]"#, "the secret \"token\""),
        exec(
            "a secret as variable, if there is one",
            #", "secretenv": [{"ID": "token", "name": "T", "optional": true}]"#,
            "the secret \"token\""
        ),
        exec("the host's network", #", "network": "HOST""#, "the host's network"),
        exec("all privileges", #", "security": "INSECURE""#, "all privileges"),
        exec("a device", #", "cdiDevices": [{"name": "vendor.com/device=all"}]"#, "a device"),
        exec(
            "a device, if there is one",
            #", "cdiDevices": [{"name": "vendor.com/device=all", "optional": true}]"#,
            "a device"
        ),
        exec(
            "an SSH agent",
            "",
            "an SSH agent",
            mount: #", {"dest": "/s", "input": -1, "output": -1, "mountType": "SSH", "SSHOpt": {"ID": "default"}}"#
        ),
        exec(
            "an SSH agent, if there is one",
            "",
            "an SSH agent",
            mount: """
                , {"dest": "/s", "input": -1, "output": -1, "mountType": "SSH", \
                "SSHOpt": {"ID": "default", "optional": true}}
                """
        ),
        source("a header of the web", "http://SERVER/f", ["http.authheadersecret": "token"], "the secret \"token\""),
        source("the login of a server", "http://SERVER/f", [:], "the secret \"HTTP_AUTH_TOKEN_127.0.0.1\""),
        source("a token for git", "git://SERVER/r.git#main", ["git.authtokensecret": "token"], "the secret \"token\""),
        source(
            "a header for git",
            "git://SERVER/r.git#main",
            ["git.authheadersecret": "token"],
            "the secret \"token\""
        ),
        source(
            "the login for git",
            "git://SERVER/r.git#main",
            ["git.fullurl": "http://SERVER/r.git"],
            "the secret \"GIT_AUTH_TOKEN\""
        ),
        source(
            "the login for git, of a commit",
            "git://example.org/r.git#0123456789012345678901234567890123456789",
            ["git.fullurl": "http://SERVER/r.git"],
            "the secret \"GIT_AUTH_TOKEN\""
        ),
        source("an agent for git", "git://SERVER/r.git#main", ["git.mountsshsock": "default"], "an SSH agent"),
        source("a secret of another kind of source", "local://context", ["git.authtokensecret": "token"], "\"token\""),
    ]

    /// What nobody can grant.
    static let nonsense: [Attack] = [
        source("a directory that was not given", "local://etc"),
        source("a directory by its path", "local:///etc"),
        source("a directory beside the context", "local://context/../.."),
        source("a layout that was not given", "oci-layout://other@sha256:\(String(repeating: "a", count: 64))"),
        source(
            "a layout by its path",
            "oci-layout://x@sha256:\(String(repeating: "a", count: 64))",
            ["oci.store": "/var/lib"]
        ),
        source("a repository of the machine", "git://SERVER/r.git", ["git.fullurl": "file:///etc"]),
        source("a program as transport", "git://SERVER/r.git", ["git.fullurl": "ext::sh -c true"]),
        source("an option as host", "git://SERVER/r.git", ["git.fullurl": "ssh://-oProxyCommand=true/r.git"]),
        source("an option as user", "git://SERVER/r.git", ["git.fullurl": "-oProxyCommand=true@SERVER:r.git"]),
        source("an option as address", "git://SERVER/r.git", ["git.fullurl": "--upload-pack=true"]),
        source("a file of the machine", "file:///etc/passwd"),
        source("a second header", "http://SERVER/f", ["http.header.accept": #"a\r\nAuthorization: x"#]),
        Attack(
            name: "a definition in a tree",
            operation: #"{"build": {"builder": -1, "def": null}}"#
        ),
    ]

    /// How the attacker stands in the build.
    enum Stand: String, Sendable, CaseIterable {
        /// It is the build's own frontend.
        case first
        /// A frontend that was granted all of it calls it.
        case called
        /// It has a bundled frontend do it, which may do anything for a user.
        case caller
        /// It gives it as an input to a frontend that was granted all of it.
        case giver
        /// It was granted all of it: what the refusals of the others are worth.
        case granted
    }

    /// What the attacker was answered: kind and message by attack, and whether anybody asked the server.
    private struct Report: Sendable {
        let answers: [String: [String]]
        let requestCount: Int
    }

    private static let reports = Task {
        var reports: [Stand: Report] = [:]
        for stand in Stand.allCases { reports[stand] = try await report(stand) }
        return reports
    }

    private static func report(_ stand: Stand) async throws -> Report {
        let server = try ScriptedServer { _ in ScriptedServer.Reply(status: 404) }
        let attacks = (Self.attacks + (stand == .granted ? [] : nonsense)).map { attack in
            let operation = attack.operation.replacing("SERVER", with: server.host)
            return "{\"name\": \"\(attack.name)\", \"operation\": \(operation)}"
        }
        let everything = """
            secrets = ["token", "GIT_AUTH_TOKEN", "HTTP_AUTH_TOKEN_127.0.0.1"]
            entitlements = ["network.host", "security.insecure", "device", "ssh"]

            """
        let calls = "frontends = [\"our/inner\", \"llb\"]\n"
        let caller = """
            start("our/outer")
            finish(ask("frontend/solve", name="our/inner"), lambda result: result["refs"][0]["ref"])

            """
        let attacker = Self.attacker(stand == .called ? "our/inner" : "our/outer", attacks)
        let outerRights = calls + (stand == .called || stand == .granted ? everything : "")
        let innerRights = stand == .giver ? everything : ""
        let project = try await Project("# syntax=our/outer\n")
        let files = [
            "kiln.toml": """
            version = 1
            [frontends]
            "our/outer" = { path = "outer" }
            "our/inner" = { path = "inner" }
            [grant."our/outer"]
            host-runtime = true
            \(outerRights)
            [grant."our/inner"]
            host-runtime = true
            \(innerRights)
            """,
            "outer/frontend.toml": FrontendRightsTests.manifest("outer", outerRights),
            "outer/frontend.py": FrontendRightsTests.prelude + (stand == .called ? caller : attacker),
            "inner/frontend.toml": FrontendRightsTests.manifest("inner", innerRights),
            "inner/frontend.py": FrontendRightsTests.prelude
                + (stand == .called ? attacker : "start(\"our/inner\")\nfinish({\"error\": None}, None)\n"),
        ]
        for (name, text) in files {
            try project.workspace.write("context/" + name, text.replacing("STAND", with: stand.rawValue), mode: 0o755)
        }
        let secret = try project.workspace.write("token", "correct horse battery staple")
        try await project.build(
            "-o",
            "type=local,dest=" + project.workspace.path("out"),
            "--secret",
            "id=token,src=\(secret)",
            "--secret",
            "id=GIT_AUTH_TOKEN,src=\(secret)",
            "--secret",
            "id=HTTP_AUTH_TOKEN_127.0.0.1,src=\(secret)",
            "--allow",
            "network.host",
            "--allow",
            "security.insecure"
        )
        let answers = try JSONDecoder().decode(
            [String: [String]].self,
            from: Data(project.workspace.bytes("out/answers"))
        )
        return Report(answers: answers, requestCount: server.requests.count)
    }

    /// A frontend that tries everything and writes down what it was told.
    private static func attacker(_ name: String, _ attacks: [String]) -> String {
        """
        import base64
        start("\(name)")
        stand = "STAND"
        def told(answer):
            if "error" not in answer: return ["ok", ""]
            return [answer["error"]["data"]["kind"], answer["error"]["message"]]
        answers = {}
        harmless = ask("solve", definition=definition(file("/x")))["result"]["ref"]
        for line in r'''\(attacks.joined(separator: "\n"))'''.splitlines():
            attack = json.loads(line)
            graph = definition(attack["operation"])
            if stand == "caller":
                text = json.dumps(graph["json"])
                answer = ask("frontend/solve", name="llb", buildFile={"name": "a.json", "content": text})
                # The frontend need not have had it built.
                if "error" not in answer: answer = ask("evaluate", ref=answer["result"]["refs"][0]["ref"])
            elif stand == "giver":
                inputs = {"x": {"ref": harmless, "definition": graph}}
                answer = ask("frontend/solve", name="our/inner", inputs=inputs)
            else:
                # What the granted one tries need not be done.
                answer = ask("solve", definition=graph, evaluate=stand != "granted")
            answers[attack["name"]] = told(answer)
            source = attack["operation"].get("source")
            if source and stand in ("first", "called"):
                answer = ask("resolveSource", identifier=source["identifier"], attributes=source["attrs"])
                answers[attack["name"] + ", asked for"] = told(answer)
        result = file("/answers")
        result["file"]["actions"][0]["mkfile"]["data"] = base64.b64encode(json.dumps(answers).encode()).decode()
        finish(ask("solve", definition=definition(result)), lambda answer: answer["ref"])

        """
    }

    @Test(arguments: attacks)
    func `P-PERM-01: what was not granted is denied, whichever way it comes in`(_ attack: Attack) async throws {
        let reports = try await Self.reports.value
        for stand in Stand.allCases where stand != .granted {
            let report = try #require(reports[stand])
            let asked = attack.isSource && (stand == .first || stand == .called) ? [", asked for"] : []
            for way in [""] + asked {
                let answer = try #require(report.answers[attack.name + way])
                #expect(answer[0] == "denied", "\(stand)\(way): \(answer)")
                #expect(answer[1].contains("F214"), "\(stand)\(way): \(answer)")
                #expect(answer[1].contains(attack.refusal ?? "?"), "\(stand)\(way): \(answer)")
            }
        }
        let granted = try #require(reports[.granted]?.answers[attack.name])
        #expect(granted[0] != "denied", "\(granted)")
    }

    @Test(arguments: nonsense)
    func `what nobody can grant is refused`(_ attack: Attack) async throws {
        for stand in [Stand.first, .called, .caller] {
            let answer = try #require(try await Self.reports.value[stand]?.answers[attack.name])
            #expect(answer[0] != "ok" && answer[0] != "internal", "\(stand): \(answer)")
        }
    }

    @Test func `no server hears of a secret that was not granted`() async throws {
        for stand in [Stand.first, .called, .caller, .giver] {
            #expect(try await Self.reports.value[stand]?.requestCount == 0, "\(stand)")
        }
    }

    @Test func `what the user did not allow is denied as well`() async throws {
        let project = try await Project("# syntax=our/outer\n")
        try project.workspace.write(
            "context/kiln.toml",
            """
            version = 1
            [frontends]
            "our/outer" = { path = "outer" }
            [grant."our/outer"]
            host-runtime = true
            entitlements = ["network.host"]
            """
        )
        let asks = #"entitlements = ["network.host"]"#
        try project.workspace.write("context/outer/frontend.toml", FrontendRightsTests.manifest("outer", asks))
        let program = """
            start("our/outer")
            step = {"exec": {"meta": {"args": ["true"], "cwd": "/"}, "mounts": [{"dest": "/", "input": -1}], "network": 1}}
            answer = ask("solve", definition=definition(step), evaluate=True)
            if answer["error"]["data"]["kind"] != "denied": sys.exit(3)
            finish({"error": answer["error"]}, None)
            """
        try project.workspace.write("context/outer/frontend.py", FrontendRightsTests.prelude + program, mode: 0o755)
        let message = try await project.failure()
        #expect(message.contains("allow it with --allow network.host"), "\(message)")
    }
}
