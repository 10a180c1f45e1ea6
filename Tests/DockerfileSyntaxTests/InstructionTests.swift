// SPDX-License-Identifier: Apache-2.0

import DockerfileSyntax
import Testing

@Suite struct InstructionTests {
    static func stages(_ text: String) throws -> [Stage] {
        var linter = Linter()
        return try Dockerfile(parsing: Array(text.utf8), linter: &linter).stages
    }

    static func instruction(_ text: String) throws -> Instruction {
        try #require(try stages("FROM base\n" + text).first?.instructions.first)
    }

    static func body(_ text: String) throws -> Instruction.Body { try instruction(text).body }

    @Test func `stages know name, base, platform and description`() throws {
        let text =
            "ARG V=1\n# build makes it\nFROM --platform=$BUILDPLATFORM go:$V AS Build\nRUN x\nFROM build\n"
        var linter = Linter()
        let file = try Dockerfile(parsing: Array(text.utf8), linter: &linter)
        #expect(file.globalArguments.map(\.text) == ["ARG V=1"])
        #expect(file.stages.map(\.name) == ["build", ""])
        #expect(file.stages.map(\.base.text) == ["go:$V", "build"])
        #expect(file.stages.map(\.platform) == ["$BUILDPLATFORM", ""])
        #expect(file.stages.map(\.description) == ["makes it", ""])
        #expect(file.stages.map(\.lines) == [3...3, 5...5])
        #expect(file.stages[0].text == "FROM --platform=$BUILDPLATFORM go:$V AS Build")
        #expect(file.stages[0].instructions.map(\.text) == ["RUN x"])
    }

    @Test func `the text of an instruction is its joined line, trimmed, without heredocs`() throws {
        let run = try Self.instruction("  RUN echo \\\n   a  <<E\nx\nE\n")
        #expect(run.text == "RUN echo    a  <<E")
        #expect(run.lines == 2...5)
        #expect(run.keyword == "RUN")
    }

    @Test func `reads key-value instructions`() throws {
        #expect(
            try Self.body("ENV a=1 b='x y'")
                == .env(
                    EnvInstruction(pairs: [
                        KeyValue(key: "a", value: "1"), KeyValue(key: "b", value: "'x y'"),
                    ])
                )
        )
        #expect(
            try Self.body("LABEL a b c")
                == .label(
                    LabelInstruction(pairs: [KeyValue(key: "a", value: "b c", isLegacy: true)])
                )
        )
        let arg = try Self.stages("FROM x\n# b is second\nARG a b=2 c=").first?.instructions.first?
            .body
        #expect(
            arg
                == .arg(
                    ArgInstruction(declarations: [
                        .init(name: "a", defaultValue: nil),
                        .init(name: "b", defaultValue: "2", description: "is second"),
                        .init(name: "c", defaultValue: ""),
                    ])
                )
        )
    }

    @Test func `reads commands in both forms`() throws {
        #expect(
            try Self.body("CMD a 'b'  c")
                == .cmd(CommandLine(arguments: ["a 'b'  c"], usesShell: true))
        )
        #expect(
            try Self.body("ENTRYPOINT [\"a\"]")
                == .entrypoint(CommandLine(arguments: ["a"], usesShell: false))
        )
        #expect(
            try Self.body("ENTRYPOINT []")
                == .entrypoint(CommandLine(arguments: [], usesShell: false))
        )
        #expect(try Self.body("CMD") == .cmd(CommandLine(arguments: [], usesShell: true)))
        #expect(try Self.body("SHELL [\"a\", \"-c\"]") == .shell(["a", "-c"]))
    }

    @Test func `reads one-word instructions and lists`() throws {
        #expect(try Self.body("WORKDIR /a b") == .workdir("/a b"))
        #expect(try Self.body("USER 1:2") == .user("1:2"))
        #expect(try Self.body("STOPSIGNAL SIGINT") == .stopsignal("SIGINT"))
        #expect(try Self.body("MAINTAINER me <me@x>") == .maintainer("me <me@x>"))
        #expect(try Self.body("EXPOSE 90 8080/udp 443") == .expose(["443", "8080/udp", "90"]))
        #expect(try Self.body("VOLUME [\" /a \", \"/b\"]") == .volume(["/a", "/b"]))
        #expect(try Self.body("VOLUME /a /b") == .volume(["/a", "/b"]))
    }

    @Test func `reads every flag of COPY and ADD`() throws {
        var copy = CopyInstruction(sources: CopySources(paths: ["a", "b"], destination: "/d/"))
        copy.from = "x"
        copy.owner = "1:2"
        copy.mode = "u+x"
        copy.link = true
        copy.parents = true
        copy.excludes = ["*.o", "t"]
        let text =
            "COPY --from=x --chown=1:2 --chmod=u+x --link --parents=true --exclude=*.o --exclude=t a b /d/"
        #expect(try Self.body(text) == .copy(copy))

        var add = AddInstruction(sources: CopySources(paths: ["a"], destination: "b"))
        add.keepsGitDirectory = false
        add.unpacks = true
        add.checksum = "sha256:x"
        #expect(
            try Self.body("ADD --keep-git-dir=false --unpack --checksum=sha256:x a b") == .add(add)
        )
    }

    @Test func `heredocs are sources of COPY`() throws {
        guard case .copy(let copy) = try Self.body("COPY <<A <<-'B' c /d/\n$V\nA\n\t\tx\n\tB\n")
        else {
            Issue.record("not a COPY")
            return
        }
        #expect(copy.sources.paths == ["c"])
        #expect(copy.sources.destination == "/d/")
        #expect(copy.sources.inlineFiles.map(\.name) == ["A", "B"])
        #expect(
            copy.sources.inlineFiles.map { String(decoding: $0.content, as: UTF8.self) } == [
                "$V\n", "x\n",
            ]
        )
        #expect(copy.sources.inlineFiles.map(\.isExpanded) == [true, false])
    }

    @Test func `reads health checks with durations`() throws {
        var check = Healthcheck(test: ["CMD-SHELL", "a b"])
        check.interval = 90_000_000_000
        check.timeout = 1_500_000
        check.startPeriod = 0
        check.retries = 3
        let text =
            "HEALTHCHECK --interval=1m30s --timeout=1.5ms --start-period=0 --retries=3 cmd a b"
        #expect(try Self.body(text) == .healthcheck(check))
        #expect(try Self.body("HEALTHCHECK NONE") == .healthcheck(Healthcheck(test: ["NONE"])))
        #expect(
            try Self.body("HEALTHCHECK CMD [\"a\"]")
                == .healthcheck(Healthcheck(test: ["CMD", "a"]))
        )
    }

    @Test func `ONBUILD keeps the inner instruction as text, with heredocs`() throws {
        #expect(
            try Self.body(" onbuild  RUN a \\\n b")
                == .onbuild(OnbuildInstruction(expression: "RUN a  b"))
        )
        #expect(
            try Self.body("ONBUILD COPY <<A /x\ny\nA\n")
                == .onbuild(OnbuildInstruction(expression: "COPY <<A /x\ny\nA"))
        )
    }

    // MARK: RUN

    static func run(_ text: String) throws -> RunInstruction {
        guard case .run(let run) = try body(text) else {
            throw DockerfileError(.badArguments, "not a RUN")
        }
        return run
    }

    static func mounts(_ text: String, _ variables: [String: String] = [:]) throws -> [Mount] {
        try run(text).mounts { (value) throws(DockerfileError) in
            try Expander().text(value, variables)
        }
    }

    @Test func `reads mounts of every type`() throws {
        var bind = Mount()
        bind.source = "a"
        bind.target = "/b"
        bind.isReadOnly = false
        bind.from = "x"
        #expect(try Self.mounts("RUN --mount=from=x,src=a,dst=/b,rw c") == [bind])

        var cache = Mount()
        cache.kind = .cache
        cache.target = "/c"
        cache.isReadOnly = false
        cache.sharing = .locked
        cache.mode = 0o1777
        cache.uid = 5
        #expect(
            try Self.mounts("RUN --mount=type=cache,target=/c,sharing=LOCKED,mode=1777,uid=5 c")
                == [cache]
        )

        var tmpfs = Mount()
        tmpfs.kind = .tmpfs
        tmpfs.target = "/t"
        tmpfs.isReadOnly = false
        tmpfs.sizeLimit = 67_108_864
        #expect(try Self.mounts("RUN --mount=type=tmpfs,target=/t,size=64m c") == [tmpfs])

        var secret = Mount()
        secret.kind = .secret
        secret.id = "key"
        secret.environmentName = "KEY"
        secret.isRequired = true
        #expect(
            try Self.mounts("RUN --mount=type=secret,id=key,env=$N,required c", ["N": "KEY"]) == [
                secret
            ]
        )

        var ssh = Mount()
        ssh.kind = .ssh
        #expect(try Self.mounts("RUN --mount=type=ssh c") == [ssh])
        #expect(try Self.mounts("RUN '--mount=type=bind,\"target=/a,b\"' c") == [])
        #expect(
            try Self.mounts("RUN --mount='type=bind,\"target=/a,b\"' c").map(\.target) == ["/a,b"]
        )
    }

    @Test func `knows where mounts come from before variables are known`() throws {
        let run = try Self.run(
            "RUN --mount=type=cache,target=$T --mount=from=build,target=/x --network=none a"
        )
        #expect(run.mountOrigins == ["", "build"])
        #expect(run.network == .none)
        #expect(run.security == .sandbox)
        #expect(run.usedFlags == ["mount", "network"])
        #expect(
            try Self.run("RUN --device=v/c=x,required a").devices == [
                Device(name: "v/c=x", isRequired: true)
            ]
        )
    }

    @Test(arguments: [
        ("type=typ", "unsupported mount type \"typ\"; allowed are bind, cache, tmpfs, secret, ssh"),
        ("typ=bind", "unexpected key \"typ\"; did you mean type"),
        ("type=secret", "a secret needs an id, source or target"),
        ("type=bind,mode=1", "key mode is not allowed for mounts of type bind"),
        ("target=/x,z", "invalid field \"z\": it must be key=value"),
        ("type=bind,sharing=shared", "key sharing is not allowed for mounts of type bind"),
        ("type=bind,required", "key required is not allowed for mounts of type bind"),
        ("type=cache,mode=8", "invalid value for mode: 8; write octal digits"),
        ("type=tmpfs,size=x", "invalid value for size: x"),
        ("type=secret,id=a,source=b", "source and id of a secret mean the same; give one of them"),
        ("type=cache,uid=-1", "invalid value for uid: -1"), ("type=tmp", "did you mean tmpfs"),
    ])
    func `refuses a mount`(flag: String, reason: String) {
        let error = #expect(throws: DockerfileError.self) {
            try Self.mounts("RUN --mount=\(flag) x")
        }
        #expect(error?.code == .badMount)
        #expect(error?.explanation.contains(reason) == true, "\(error?.explanation ?? "")")
        #expect(error?.range?.start == SourcePosition(line: 2, column: 5))
    }

    @Test func `expands what the format expands and nothing else`() throws {
        func expanded(_ text: String) throws -> Instruction.Body {
            var body = try Self.body(text)
            try body.expand { (word) throws(DockerfileError) in
                try Expander().text(word, ["V": "1"])
            }
            try body.expandHeredocs { (word) throws(DockerfileError) in
                try Expander.heredocContent.text(word, ["V": "1"])
            }
            return body
        }
        #expect(try expanded("ENV a$V='$V'\"$V\"") == Self.body("ENV a1=$V1"))
        #expect(
            try expanded("COPY --chown=$V --chmod=$V --exclude=$V $V <<A /$V\n'$V'\nA\n")
                == Self.body("COPY --chown=1 --chmod=1 --exclude=$V 1 <<A /1\n'1'\nA\n")
        )
        #expect(try expanded("RUN echo $V") == Self.body("RUN echo $V"))
        #expect(try expanded("EXPOSE $V") == Self.body("EXPOSE $V"))
        #expect(try expanded("VOLUME $V /$V") == Self.body("VOLUME 1 /1"))
        #expect(try expanded("WORKDIR /$V") == Self.body("WORKDIR /1"))
    }

    // MARK: Errors

    @Test(arguments: [
        ("FROM a\nRUNN x", "Dockerfile:2:1: unknown instruction RUNN; did you mean RUN"),
        ("FROM a\nfrmo x", "Dockerfile:2:1: unknown instruction frmo; did you mean from"),
        ("FROM a\nXYZZY x", "Dockerfile:2:1: unknown instruction XYZZY"),
        (
            "FROM a\nRUN --mont=x y",
            "Dockerfile:2:5: unknown flag --mont of RUN; did you mean --mount"
        ),
        ("FROM a\nUSER --x y", "Dockerfile:2:6: unknown flag --x of USER"),
        ("FROM a\nCOPY --from a b", "Dockerfile:2:6: missing a value for flag --from of COPY"),
        (
            "FROM a\nCOPY --link=yes a b",
            "Dockerfile:2:6: flag --link of COPY must be true or false, not yes"
        ),
        ("FROM a\nCOPY --from=a --from=b a b", "Dockerfile:2:15: duplicate flag --from of COPY"),
        (
            "FROM a\nCOPY a",
            "Dockerfile:2:1: COPY requires at least two arguments, sources and a destination"
        ),
        ("FROM a\nCOPY a <<A\nA\n", "Dockerfile:2:8: COPY cannot have a heredoc as destination"),
        (
            "FROM a b",
            "Dockerfile:1:1: FROM requires either one or three arguments: an image, or image AS name"
        ),
        (
            "FROM a AS 1x",
            "Dockerfile:1:11: invalid name for build stage \"1x\": it must begin with a letter and hold only letters, "
                + "digits, -, _ and ."
        ),
        (
            "RUN x",
            "Dockerfile:1:1: RUN stands before the first FROM: only ARG may; begin a stage with FROM"
        ),
        ("ARG x", "Dockerfile: cannot build from this file: it has no stage; begin one with FROM"),
        ("FROM a\nARG =x", "Dockerfile:2:5: ARG names cannot be blank"),
        ("FROM a\nENV", "Dockerfile:2:1: ENV requires at least one argument"),
        ("FROM a\nENV =x", "Dockerfile:2:5: ENV names cannot be blank"),
        (
            "FROM a\nSHELL a",
            "Dockerfile:2:1: SHELL requires its arguments in JSON form, for example SHELL [\"/bin/sh\", \"-c\"]"
        ),
        ("FROM a\nVOLUME [\"\"]", "Dockerfile:2:9: VOLUME cannot be an empty string"),
        ("FROM a\nWORKDIR", "Dockerfile:2:1: WORKDIR requires exactly one argument"),
        ("FROM a\nHEALTHCHECK", "Dockerfile:2:1: HEALTHCHECK requires at least one argument"),
        ("FROM a\nHEALTHCHECK CMD", "Dockerfile:2:1: HEALTHCHECK CMD requires a command"),
        ("FROM a\nHEALTHCHECK NONE x", "Dockerfile:2:1: HEALTHCHECK NONE takes no arguments"),
        (
            "FROM a\nHEALTHCHECK CMDD x",
            "Dockerfile:2:13: unknown type CMDD of HEALTHCHECK; allowed are CMD and NONE; did you mean CMD"
        ),
        (
            "FROM a\nHEALTHCHECK --interval=1us CMD x",
            "Dockerfile:2:13: --interval of HEALTHCHECK is 1us, less than 1ms"
        ),
        (
            "FROM a\nHEALTHCHECK --timeout=5 CMD x",
            "Dockerfile:2:13: --timeout of HEALTHCHECK must be a duration like 30s or 1m30s, not 5"
        ),
        (
            "FROM a\nHEALTHCHECK --retries=-1 CMD x",
            "Dockerfile:2:13: --retries of HEALTHCHECK must be a number from 0 to 2147483647, not -1"
        ),
        ("FROM a\nONBUILD ONBUILD RUN x", "Dockerfile:2:9: ONBUILD cannot hold another ONBUILD"),
        (
            "FROM a\nONBUILD from x",
            "Dockerfile:2:9: ONBUILD cannot hold FROM: it is no step of a build"
        ),
        (
            "FROM a\nRUN --network=hots x",
            "Dockerfile:2:5: invalid network mode \"hots\"; allowed are default, none, host; did you mean host"
        ),
        (
            "FROM a\nRUN --mount=from=$x,target=/y z",
            "Dockerfile:2:5: from of --mount cannot hold a variable: $x; name a stage with FROM and use its name"
        ),
    ])
    func `says what is wrong and where`(text: String, expected: String) {
        var linter = Linter()
        let error = #expect(throws: DockerfileError.self) {
            try Dockerfile(parsing: Array(text.utf8), linter: &linter)
        }
        #expect(error?.description == expected)
    }

    @Test func `tells of several instructions that cannot be read at once`() {
        let lines =
            ["FROM a", "RUNN x", "COPY --form=b c d", "RUN ok", "USER"] + Array(repeating: "NONSENSE", count: 20)
        var linter = Linter()
        let error = #expect(throws: DockerfileError.self) {
            try Dockerfile(parsing: Array(lines.joined(separator: "\n").utf8), linter: &linter)
        }
        #expect(error?.message == "unknown instruction RUNN")
        #expect(error?.further.count == Limit.reportedErrorCount - 1)
        #expect(error?.further.prefix(3).map { $0.lines?.lowerBound } == [3, 5, 6])
        #expect(error?.further.first?.suggestion == "--from")
        #expect(linter.warnings.isEmpty)
    }
}

@Suite struct LintTests {
    static func warnings(_ text: String, _ options: String = "") throws -> [String] {
        var linter = Linter(options: try LintOptions(parsing: options))
        _ = try Dockerfile(parsing: Array(text.utf8), linter: &linter)
        return linter.warnings.map { "\($0.lines.lowerBound) \($0.rule.name): \($0.message)" }
    }

    @Test(arguments: [
        ("FROM a AS Bee", ["1 StageNameCasing: Stage name 'Bee' should be lowercase"]),
        ("FROM a as bee", ["1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"]),
        ("from a as bee", []),
        ("FROM a\nRUN x \\\n\n y", ["4 NoEmptyContinuation: Empty continuation line"]),
        (
            "FROM a\nMAINTAINER x",
            ["2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"]
        ),
        (
            "FROM a\nRun x\nuser y",
            [
                "2 ConsistentInstructionCasing: Command 'Run' should match the case of the command majority (uppercase)",
                "3 ConsistentInstructionCasing: Command 'user' should match the case of the command majority (uppercase)",
            ]
        ),
        (
            "FROM a AS scratch\nFROM b AS scratch",
            [
                "1 ReservedStageName: Stage name should not use the same name as reserved stage \"scratch\"",
                "2 ReservedStageName: Stage name should not use the same name as reserved stage \"scratch\"",
                "2 DuplicateStageName: Duplicate stage name \"scratch\", stage names should be unique",
            ]
        ),
        ("# other text\nFROM a AS b", []),
        (
            "# check=skip=StageNameCasing\n#\n# check=skip=MaintainerDeprecated\nFROM a AS Bee\n",
            ["4 StageNameCasing: Stage name 'Bee' should be lowercase"]
        ),
        ("FROM a\n# check=skip=all\nMAINTAINER x", []),
    ])
    func `finds`(text: String, expected: [String]) throws {
        #expect(try Self.warnings(text) == expected)
    }

    @Test func `options switch rules off and on`() throws {
        #expect(try Self.warnings("FROM a AS Bee", "skip=all") == [])
        #expect(
            try Self.warnings("FROM a as Bee", " skip = StageNameCasing , FromAsCasing ;error=true")
                == []
        )
        #expect(
            try Self.warnings("# other text\nFROM a AS b", "experimental=all")
                == [
                    "2 InvalidDefinitionDescription: Comment for FROM should follow the format: `# b <description>`"
                ]
        )
        var linter = Linter(options: try LintOptions(parsing: "error=true"))
        _ = try Dockerfile(parsing: Array("FROM a as Bee".utf8), linter: &linter)
        #expect(linter.violations == ["FromAsCasing", "StageNameCasing"])
    }

    @Test(arguments: [
        ("skip", "cannot read check option \"skip\": it has no ="),
        ("error=maybe", "cannot read check option error=maybe: it must be true or false"),
        (
            "skp=all",
            "unknown check option skp; allowed are skip, error and experimental; did you mean skip"
        ),
    ])
    func `refuses options`(text: String, message: String) {
        let error = #expect(throws: DockerfileError.self) { try LintOptions(parsing: text) }
        #expect(error?.explanation == message)
    }

    @Test func `the nearest word is at most two edits away`() {
        #expect(nearestWord(to: "RUNN", among: ["RUN", "ENV"]) == "RUN")
        #expect(nearestWord(to: "runn", among: ["RUN"], caseSensitive: false) == "run")
        #expect(nearestWord(to: "RUN", among: ["RUN"]) == nil)
        #expect(nearestWord(to: "ABCDE", among: ["AXYZE"]) == nil)
        #expect(nearestWord(to: String(repeating: "x", count: 10_000), among: ["x"]) == nil)
    }

    @Test func `there are twenty-two rules with distinct names`() {
        #expect(LintRule.all.count == 22)
        #expect(Set(LintRule.all.map(\.name)).count == 22)
    }
}
