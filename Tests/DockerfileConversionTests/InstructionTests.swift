// SPDX-License-Identifier: Apache-2.0

import LLB
import LLBMessages
import OCI
import Testing

@Suite struct InstructionTests {
    @Test func `writes history as Go formats it`() async throws {
        let converted = try await convert(
            """
            FROM scratch
            ENTRYPOINT ["a", "b\\"c"]
            CMD x "y"
            VOLUME /a /b
            EXPOSE 443 80/UDP 8000-8001
            HEALTHCHECK --interval=90s --timeout=1500ms --retries=2 CMD test "x"
            SHELL ["/bin/bash", "-c"]
            MAINTAINER me
            LABEL a=b "c d"=e
            USER u:g
            STOPSIGNAL SIGRTMIN+3
            """
        )
        #expect(
            converted.history == [
                #"ENTRYPOINT ["a" "b\"c"]"#, #"CMD ["/bin/sh" "-c" "x \"y\""]"#, "VOLUME [/a /b]",
                "EXPOSE [443/tcp 80/udp 8000/tcp 8001/tcp]",
                #"HEALTHCHECK {Test:[CMD-SHELL test "x"] Interval:1m30s Timeout:1.5s StartPeriod:0s StartInterval:0s Retries:2}"#,
                "SHELL [/bin/bash -c]", "MAINTAINER me", "LABEL a=b c d=e", "USER u:g",
                "STOPSIGNAL SIGRTMIN+3",
            ]
        )
        #expect(converted.image.author == "me")
        #expect(converted.image.config.argsEscaped)
    }

    @Test func `runs scripts in heredocs by their interpreter, others by the shell`() async throws {
        let converted = try await convert(
            """
            FROM a
            RUN <<EOF
            one
            two
            EOF
            RUN <<-EOF
            \t#!/bin/python
            \tprint()
            EOF
            RUN cat <<A && cat <<B
            a
            A
            b
            B
            """
        )
        #expect(converted.execs[0].meta.args == ["/bin/sh", "-c", "one\ntwo\n"])
        #expect(converted.execs[1].meta.args == ["/bin/sh", "-c", "/dev/pipes/EOF"])
        #expect(converted.actions[0].mkfile.data.elementsEqual("#!/bin/python\nprint()\n".utf8))
        #expect(converted.execs[2].meta.args[2] == "cat <<A && cat <<B\na\nA\nb\nB")
        #expect(converted.names[1].hasSuffix("RUN <<EOF (one...)"))
    }

    @Test func `mounts caches, binds, secrets and agents`() async throws {
        let converted = try await convert(
            """
            FROM a
            WORKDIR /w
            RUN --mount=type=cache,target=c,sharing=locked,uid=5 \\
                --mount=type=bind,from=tool,source=/bin,target=/tool \\
                --mount=type=bind,target=/rw,rw \\
                --mount=type=tmpfs,target=/tmp,size=1k \\
                --mount=type=secret,id=s,env=S,required \\
                --mount=type=secret,id=t \\
                --mount=type=ssh \\
                --network=none --security=insecure true
            """,
            options: ["build-arg:BUILDKIT_CACHE_MOUNT_NS": "ns"]
        )
        let exec = try #require(converted.execs.first)
        let mounts = Dictionary(uniqueKeysWithValues: exec.mounts.map { ($0.dest, $0) })
        #expect(
            mounts["/w/c"]?.cacheOpt.id == "ns/c" && mounts["/w/c"]?.cacheOpt.sharing == .locked
        )
        #expect(mounts["/w/c"]?.selector == "/cache")
        #expect(mounts["/tool"]?.selector == "/bin" && mounts["/tool"]?.readonly == true)
        #expect(mounts["/rw"]?.readonly == false && mounts["/rw"]?.output == -1)
        #expect(mounts["/tmp"]?.tmpfsOpt.size == 1024)
        #expect(mounts["/run/secrets/t"]?.secretOpt.optional == true)
        #expect(exec.secretenv.map(\.name) == ["S"] && exec.secretenv[0].optional == false)
        #expect(mounts["/run/buildkit/ssh_agent.0"]?.mountType == .ssh)
        #expect(exec.network == Pb_NetMode.none && exec.security == .insecure)
    }

    @Test func `copies with every flag`() async throws {
        let converted = try await convert(
            """
            FROM a
            COPY --chown=app:10 --chmod=0640 --exclude=*.md a/ b c/
            COPY --parents x/./y/*.txt /p/
            COPY <<one <<"two" /d/
            $PATH
            one
            $PATH
            two
            """
        )
        let first = converted.actions.filter { $0.copy.dest == "/c/" }
        #expect(first.map(\.copy.src) == ["/a/", "/b"].map { SlashPath.clean($0) })
        #expect(first[0].copy.mode == 0o640 && first[0].copy.excludePatterns == ["*.md"])
        #expect(
            first[0].copy.owner.user.byName.name == "app" && first[0].copy.owner.group.byID == 10
        )
        let parents = try #require(converted.actions.first { $0.copy.dest == "/p/" }?.copy)
        #expect(
            parents.src == "/x" && parents.includePatterns == ["y/*.txt"]
                && parents.requiredPaths.isEmpty
        )
        let contents = converted.actions.filter { !$0.mkfile.path.isEmpty }.map {
            String(decoding: $0.mkfile.data, as: UTF8.self)
        }
        #expect(contents == [State.defaultPath + "\n", "$PATH\n"])
    }

    @Test func `links copies as trees of their own`() async throws {
        let text = "FROM a\nCOPY --link x /y"
        let linked = try await convert(text)
        guard case .merge = linked.operations.last?.op else {
            Issue.record("no merge")
            return
        }
        #expect(linked.names.last == "[2/2] LINK COPY --link x /y")
        let plain = try await convert(
            text,
            capabilities: Capability.all.subtracting([Capability.mergeOp])
        )
        guard case .file = plain.operations.last?.op else {
            Issue.record("no file")
            return
        }
    }

    @Test func `downloads and clones with ADD`() async throws {
        let converted = try await convert(
            """
            FROM scratch
            ADD https://example.com/a%20b.tgz?x=1 /a
            ADD --keep-git-dir --checksum=abcdef0123456789abcdef0123456789abcdef01 https://example.com/r.git#v1:sub /b
            ADD git@example.com:r.git /c
            ADD --unpack=false x.tar /d
            """
        )
        let sources = Dictionary(
            uniqueKeysWithValues: converted.sources.map { ($0.identifier, $0.attrs) }
        )
        #expect(sources["https://example.com/a%20b.tgz?x=1"]?["http.filename"] == "a b.tgz")
        let git = try #require(sources["git://example.com/r.git#v1:sub"])
        #expect(git["git.keepgitdir"] == "true" && git["git.checksum"]?.hasPrefix("abcdef") == true)
        #expect(sources["git://example.com/r.git"]?["git.mountsshsock"] == "default")
        #expect(
            converted.actions.first { $0.copy.dest == "/d" }?.copy.attemptUnpackDockerCompatibility
                == false
        )
    }

    @Test func `refuses a copy of more sources than one operation may have`() async {
        let sources = String(repeating: "a ", count: FileActions.countMax + 1)
        let message = await refusal("FROM a\nCOPY \(sources)/b/", world: World())
        #expect(message.contains("10001 sources, at most 10000 are allowed"), "\(message)")
    }

    @Test func `refuses a working directory that no system could enter`() async {
        let lines = String(repeating: "WORKDIR \(String(repeating: "d", count: 100))\n", count: 60)
        let message = await refusal("FROM a\n" + lines, world: World())
        #expect(message.contains("a path may have 4095 at most"), "\(message)")
    }

    @Test func `names windows paths without their drive`() async throws {
        var image = World.plain
        image.platform = Platform(os: "windows", architecture: "amd64", osVersion: "10.0.1")
        let world = World(images: ["docker.io/library/win:latest": image])
        let text = "FROM --platform=windows/amd64 win\nWORKDIR C:\\app\nCOPY a C:/b/\nRUN dir"
        let converted = try await convert(text, world: world)
        #expect(converted.image.config.workingDirectory == #"\app"#)
        #expect(converted.execs[0].meta.args == ["cmd", "/S", "/C", "dir"])
        #expect(converted.actions.contains { $0.copy.dest == "/b/" })
        let other = await refusal(
            "FROM --platform=windows/amd64 win\nWORKDIR D:\\app",
            world: world
        )
        #expect(other.contains("not on the system drive"))
    }
}
