// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing

struct SchedulingTests {
    /// A step that ends once it met the other one in a directory they share.
    private static func meeting(_ mine: String, _ other: String) -> String {
        """
        RUN --mount=type=cache,target=/meet touch /meet/\(mine) && i=0 \
        && until [ -e /meet/\(other) ]; do i=$((i+1)); [ $i -lt 300 ] || exit 1; sleep 0.1; done
        """
    }

    @Test func `stages that do not depend on each other run at the same time`() async throws {
        let project = try await Project(
            """
            FROM busybox AS one
            \(Self.meeting("one", "two"))
            RUN echo 1 >/one
            FROM busybox AS two
            \(Self.meeting("two", "one"))
            RUN echo 2 >/two
            FROM scratch
            COPY --from=one /one /
            COPY --from=two /two /
            """
        )
        try await project.build()
    }

    @Test func `a stage nothing needs never runs and its base is never asked for`() async throws {
        let project = try await Project(
            """
            FROM 127.0.0.1:1/no/such:image AS unused
            RUN exit 1
            FROM busybox AS broken
            RUN exit 2
            FROM busybox
            RUN echo ok >/ok
            """
        )
        let report = try await project.build(
            "-o",
            "type=local,dest=\(project.workspace.path("out"))"
        )
        #expect(try project.workspace.read("out/ok") == "ok\n")
        for step in report.steps.values {
            #expect(!step.name.contains("exit") && !step.name.contains("127.0.0.1"), "\(step.name)")
        }
    }

    private static let layered = """
        FROM busybox AS tools
        RUN echo tool >/tool
        FROM busybox AS left
        COPY left.txt /in
        RUN tr a-z A-Z </in >/left
        FROM busybox AS right
        COPY right.txt /in
        RUN tr a-z A-Z </in >/right
        FROM busybox
        COPY --from=tools /tool /
        COPY --from=left /left /
        COPY --from=right /right /
        """

    /// What a build did that was neither cached nor kiln's own reading.
    private func work(_ report: BuildReport) -> [String] {
        report.executed
            .filter { $0.contains("] RUN") || $0.contains("] COPY") }
            .map { String($0.drop { $0 != "]" }.dropFirst(2)) }
            .sorted()
    }

    @Test func `what stands on a local directory is kept, and the directory is known as a source`() async throws {
        let project = try await Project("FROM tree\nCOPY a /y\nCOPY --link a /z\n", files: ["a": "a\n"])
        try project.workspace.write("tree/b", "b\n")
        let context = "tree=\(project.workspace.path("tree"))"
        #expect(work(try await project.build("--build-context", context)).count == 2)
        #expect(work(try await project.build("--build-context", context)) == [])
        try project.workspace.write("tree/b", "c\n")
        // What is linked does not look at what lies below.
        #expect(work(try await project.build("--build-context", context)) == ["COPY a /y"])
        let state = project.workspace.state
        let sources = try await project.kiln.run("du", "--filter", "type=source.local", "--json", state: state)
        #expect(sources.outputText.split(separator: "\n").count == 2, "\(sources.outputText) \(sources.error)")
        #expect(sources.outputText.contains("local source for tree"))
        let wrong = try await project.kiln.run("du", "--filter", "kind=x", state: state)
        #expect(wrong.status == 1 && wrong.error.contains("there is no field \"kind\""), "\(wrong.error)")
    }

    @Test func `a changed line runs only what depends on it`() async throws {
        let project = try await Project(Self.layered, files: ["left.txt": "l", "right.txt": "r"])
        #expect(work(try await project.build()).count == 8)
        #expect(work(try await project.build()) == [])
        let changed = Self.layered.replacing("tr a-z A-Z </in >/left", with: "cat /in >/left")
        try project.workspace.write("context/Dockerfile", changed)
        #expect(
            work(try await project.build()) == [
                "COPY --from=left /left /", "COPY --from=right /right /", "RUN cat /in >/left",
            ]
        )
    }

    @Test func `a changed file runs only what reads it, and stops where the result is the same`()
        async throws
    {
        let project = try await Project(Self.layered, files: ["left.txt": "l", "right.txt": "r"])
        try await project.build()
        // In capitals it gives the same as before, so the last stage need not notice.
        try project.workspace.write("context/left.txt", "L")
        #expect(
            work(try await project.build()) == ["COPY left.txt /in", "RUN tr a-z A-Z </in >/left"]
        )
    }

    @Test func `an equal file with a new time stays cached`() async throws {
        let project = try await Project(Self.layered, files: ["left.txt": "l", "right.txt": "r"])
        try await project.build()
        try FileManager.default.removeItem(atPath: project.workspace.path("context/left.txt"))
        try project.workspace.write("context/left.txt", "l")
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)],
            ofItemAtPath: project.workspace.path("context/left.txt")
        )
        #expect(work(try await project.build()) == [])
    }

    /// A build whose one slow step leaves a line in a cache mount for each time it runs.
    private static let counted = """
        FROM busybox AS count
        RUN --mount=type=cache,target=/count echo x >>/count/x && sleep 1
        FROM busybox
        COPY --from=count /etc/passwd /passwd
        """

    /// How often the counted step ran.
    private func count(_ project: Project) async throws -> String {
        try project.workspace.write(
            "context/count.Dockerfile",
            """
            FROM busybox AS read
            RUN --mount=type=cache,target=/count wc -l </count/x >/lines
            FROM scratch
            COPY --from=read /lines /
            """
        )
        let file = project.workspace.path("context/count.Dockerfile")
        try await project.build(
            "-f",
            file,
            "--no-cache",
            "-o",
            "type=local,dest=\(project.workspace.path("counted"))"
        )
        return try project.workspace.read("counted/lines")
    }

    @Test func `two processes at once on one state directory share their work`() async throws {
        let project = try await Project(Self.counted)
        let commands = try (0..<3).map { _ in try project.start() }
        for command in commands {
            let result = try await command.result()
            #expect(result.status == 0, "\(result.error)")
        }
        #expect(try await count(project) == "1\n")
    }

    @Test func `--no-cache runs every step anew`() async throws {
        let project = try await Project(Self.counted)
        try await project.build()
        try await project.build()
        try await project.build("--no-cache")
        #expect(try await count(project) == "2\n")
    }
}
