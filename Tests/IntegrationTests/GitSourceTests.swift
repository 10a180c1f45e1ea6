// SPDX-License-Identifier: Apache-2.0

import Foundation
import RegistryTestSupport
import Testing

/// Repositories as sources, through the executable and git's own server.
@Suite(.serialized) struct GitSourceTests {
    /// Builds a project into a folder and gives it.
    private func build(_ project: Project, _ extra: String...) async throws -> (BuildReport, Workspace) {
        let result = try await project.kiln.start(
            project.arguments(["-o", "type=local,dest=\(project.workspace.path("tree"))"] + extra),
            state: project.workspace.state
        )
        .result()
        let report = try BuildReport(result.error)
        try #require(result.status == 0, "\(report.message)")
        return (report, project.workspace)
    }

    @Test func `ADD takes a branch, its subdirectory, and the repository itself where that is asked for`() async throws
    {
        let server = try GitServer()
        try await server.makeRepository("r", ["a.txt": "one\n", "sub/b.txt": "two\n"])
        let project = try await Project(
            """
            FROM scratch
            ADD \(server.address("r"))#main /all/
            ADD \(server.address("r"))#main:sub /sub/
            ADD --keep-git-dir=true \(server.address("r"))#main /kept/
            """
        )
        let (_, workspace) = try await build(project)
        #expect(try workspace.read("tree/all/a.txt") == "one\n")
        #expect(!workspace.exists("tree/all/.git"))
        #expect(workspace.names(in: "tree/sub") == ["b.txt"])
        #expect(workspace.exists("tree/kept/.git/HEAD"))
        let log = try await runTool(
            "/usr/bin/git",
            "-c",
            "safe.directory=*",
            "-C",
            workspace.path("tree/kept"),
            "log",
            "--format=%s"
        )
        #expect(log.outputText == "change\n")
        // Another build of the same commit fetches nothing.
        let fetchCount = server.requests.count { $0.target.hasSuffix("git-upload-pack") && $0.method == "POST" }
        _ = try await build(project)
        let again = server.requests.count { $0.target.hasSuffix("git-upload-pack") && $0.method == "POST" }
        // Only ls-remote of protocol 2 asks by POST again, once for each source.
        #expect(again - fetchCount <= 3)
    }

    @Test func `a branch that moved is fetched again, a commit that is named is not asked for`() async throws {
        let server = try GitServer()
        let first = try await server.makeRepository("r", ["a.txt": "one\n"])
        let moving = try await Project("FROM scratch\nADD \(server.address("r"))#main /\n")
        let (_, workspace) = try await build(moving)
        #expect(try workspace.read("tree/a.txt") == "one\n")
        try await server.commit("r", ["a.txt": "two\n"])
        _ = try await build(moving)
        #expect(try workspace.read("tree/a.txt") == "two\n")

        let fixed = try await Project("FROM scratch\nADD \(server.address("r"))#\(first) /\n")
        let (_, tree) = try await build(fixed)
        #expect(try tree.read("tree/a.txt") == "one\n")
        let count = server.requests.count
        _ = try await build(fixed)
        #expect(server.requests.count == count)
    }

    @Test func `tags, annotated or not, and checksums decide what is taken`() async throws {
        let server = try GitServer()
        let first = try await server.makeRepository("r", ["a.txt": "one\n"])
        try await server.git("r", "tag", "light")
        try await server.git("r", "tag", "-a", "-m", "heavy", "heavy")
        let second = try await server.commit("r", ["a.txt": "two\n"])
        for tag in ["light", "heavy", "refs/tags/heavy"] {
            let project = try await Project("FROM scratch\nADD --checksum=\(first) \(server.address("r"))#\(tag) /\n")
            let (_, workspace) = try await build(project)
            #expect(try workspace.read("tree/a.txt") == "one\n")
        }
        let wrong = try await Project("FROM scratch\nADD --checksum=\(second) \(server.address("r"))#light /\n")
        #expect(try await wrong.failure().contains("expected \(second)"))
        let missing = try await Project("FROM scratch\nADD \(server.address("r"))#nowhere /\n")
        #expect(try await missing.failure().contains("no branch or tag \"nowhere\""))
    }

    @Test func `a token of a secret lets a build in, and stays out of the result`() async throws {
        let server = try GitServer()
        try await server.makeRepository("r", ["a.txt": "one\n"])
        let login = Data("x-access-token:t0ken-of-the-test".utf8).base64EncodedString()
        server.demand("basic \(login)")
        let project = try await Project("FROM scratch\nADD --keep-git-dir=true \(server.address("r"))#main /\n")
        let refused = try await project.failure(status: 1)
        #expect(refused.contains("GIT_AUTH_TOKEN"), "\(refused)")
        let secret = try project.workspace.write("token", "t0ken-of-the-test\n")
        let (_, workspace) = try await build(project, "--secret", "id=GIT_AUTH_TOKEN,src=\(secret)")
        let found = try await Command("/bin/grep", ["-r", "t0ken", workspace.path("tree")]).result()
        #expect(found.status == 1)
    }

    @Test func `a lock is made and moved with the same secrets as a build`() async throws {
        let server = try GitServer()
        let first = try await server.makeRepository("r", ["a.txt": "one\n"])
        let login = Data("x-access-token:t0ken-of-the-test".utf8).base64EncodedString()
        server.demand("basic \(login)")
        let project = try await Project(
            "FROM scratch\nADD \(server.address("r"))#main /\n",
            files: ["kiln.toml": "version = 1\n"]
        )
        let secret = "id=GIT_AUTH_TOKEN,src=\(try project.workspace.write("token", "t0ken-of-the-test\n"))"
        let state = project.workspace.state
        let context = project.workspace.path("context")
        func kiln(_ arguments: String...) async throws -> CommandResult {
            try await project.kiln.start(arguments, state: state).result()
        }
        func lock() throws -> String { try project.workspace.read("context/kiln.lock") }

        #expect(try await kiln("lock", context).status != 0)
        #expect(!project.workspace.exists("context/kiln.lock"))
        let locked = try await kiln("lock", context, "--secret", secret)
        try #require(locked.status == 0, "\(locked.error)")
        #expect(try lock().contains(first) && !lock().contains("t0ken"))

        let second = try await server.commit("r", ["a.txt": "two\n"])
        #expect(try await kiln("update", "--project", context).status != 0)
        let moved = try await kiln("update", "--project", context, "--secret", secret)
        try #require(moved.status == 0, "\(moved.error)")
        #expect(try lock().contains(second) && !lock().contains(first))
    }

    @Test func `P-INPUT-03: a repository is a build context, with its Dockerfile in it`() async throws {
        let server = try GitServer()
        try await server.makeRepository(
            "r",
            [
                "Dockerfile": "FROM scratch\nCOPY a.txt /root.txt\n", "a.txt": "one\n",
                "sub/Dockerfile": "FROM scratch\nCOPY . /\n", "sub/b.txt": "two\n",
            ]
        )
        let kiln = try await Kiln.shared
        let workspace = try Workspace()
        let output = "type=local,dest=\(workspace.path("tree"))"
        let whole = try await kiln.run("build", server.address("r") + "#main", "-o", output, state: workspace.state)
        #expect(whole.status == 0, "\(whole.error)")
        #expect(try workspace.read("tree/root.txt") == "one\n")
        let part = try await kiln.run("build", server.address("r") + "#main:sub", "-o", output, state: workspace.state)
        #expect(part.status == 0, "\(part.error)")
        #expect(try workspace.read("tree/b.txt") == "two\n")
    }

    @Test func `submodules come along unless they are refused`() async throws {
        let server = try GitServer()
        try await server.makeRepository("inner", ["i.txt": "inner\n"])
        try await server.makeRepository("outer", ["o.txt": "outer\n"])
        try await server.git("outer", "submodule", "--quiet", "add", server.address("inner"), "in")
        try await server.commit("outer", [:])
        let project = try await Project(
            """
            FROM scratch
            ADD \(server.address("outer"))?branch=main /with/
            ADD \(server.address("outer"))?branch=main&submodules=false /without/
            """
        )
        let (_, workspace) = try await build(project)
        #expect(workspace.names(in: "tree/with/in") == ["i.txt"])
        #expect(workspace.names(in: "tree/without/in") == [])
    }

    @Test func `a hostile repository runs nothing and reaches nothing of this machine`() async throws {
        let server = try GitServer()
        let marker = server.workspace.path("marker")
        let secret = try server.workspace.write("host/secret.txt", "secret of the host\n")
        try await server.makeRepository(
            "evil",
            [
                ".gitattributes": "* filter=run\n", ".gitconfig": "[core]\n\tfsmonitor = touch \(marker)\n",
                "a.txt": "one\n", "hooks/post-checkout": "#!/bin/sh\ntouch \(marker)\n",
            ]
        )
        // Submodules at addresses of this machine and behind programs.
        for (name, address) in [
            ("file", "file://\(server.workspace.path("host"))"), ("path", server.workspace.path("work/evil")),
            ("ext", "ext::sh -c touch% \(marker)"), ("option", "-u./hooks/post-checkout"),
            ("ssh", "ssh://-oProxyCommand=touch/x"),
        ] {
            try await server.git("evil", "checkout", "--quiet", "-B", name, "main")
            let modules = "[submodule \"m\"]\n\tpath = m\n\turl = \(address)\n\tupdate = !touch \(marker)\n"
            try server.workspace.write("work/evil/.gitmodules", modules)
            try await server.git("evil", "update-index", "--add", "--cacheinfo", "160000,\(server.head("evil")),m")
            try await server.git("evil", "add", ".gitmodules")
            try await server.git("evil", "commit", "--quiet", "-m", "evil")
            let project = try await Project("FROM scratch\nADD \(server.address("evil"))?branch=\(name) /\n")
            let message = try await project.failure(status: 75)
            #expect(message.contains("cannot fetch"), "\(name): \(message)")
            #expect(!server.workspace.exists("marker"), "\(name)")
        }
        // Links that lead out of the tree stay links; a subdirectory is never a link.
        try await server.git("evil", "checkout", "--quiet", "main")
        try FileManager.default.createSymbolicLink(
            atPath: server.workspace.path("work/evil/out"),
            withDestinationPath: server.workspace.path("host")
        )
        try await server.commit("evil", [:])
        let linked = try await Project("FROM scratch\nADD \(server.address("evil"))?branch=main&subdir=out /\n")
        #expect(try await linked.failure().contains("no directory \"out\""))
        let whole = try await Project("FROM scratch\nADD \(server.address("evil"))?branch=main /\n")
        let (_, workspace) = try await build(whole)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: workspace.path("tree/out")).hasSuffix("host"))
        #expect(!server.workspace.exists("marker"))
        #expect(try String(contentsOfFile: secret, encoding: .utf8) == "secret of the host\n")
    }

    @Test(arguments: [
        ("ssh://git@-oProxyCommand=x/r.git", "is no name of a host"), ("git@-x:r.git", "is no name of a host"),
        ("https://127.0.0.1:1/r.git#--upload-pack=touch", "begins with \"-\""),
        ("https://127.0.0.1:1/r.git#a%0ab", "names no repository"),
        ("https://127.0.0.1:1/r.git#a..b", "names no branch"),
    ])
    func `addresses that git would misread are refused`(address: String, reason: String) async throws {
        let project = try await Project("FROM scratch\nADD \(address) /\n")
        let message = try await project.failure()
        #expect(message.contains(reason), "\(message)")
    }
}
