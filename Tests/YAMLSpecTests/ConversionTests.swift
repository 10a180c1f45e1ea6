// SPDX-License-Identifier: Apache-2.0

import FrontendKit
import LLB
import LLBMessages
import OCI
import Testing
import YAMLSpec

struct ConversionTests {
    private func image(_ body: String) -> String {
        "images:\n  app:\n    base: busybox\n    " + body.replacing("\n", with: "\n    ") + "\n"
    }

    @Test func `a hundred conversions give the same bytes`() async throws {
        let text = """
            variables: {a: 1, b: 2, c: 3}
            stages:
              x: {base: alpine:3, env: {Z: 1, A: 2, M: 3}, steps: [{run: make, inputs: [b, a, c], caches: [/q, /p]}]}
              y: {base: "debian:${a}", packages: {apt: [zlib1g, curl, bash], pip: [b, a]}}
              z: {base: golang:1, files: [{copy: [q, r], to: /s/}]}
            images:
              app:
                base: x
                labels: {c: 1, a: 2, b: 3}
                files: [{copy: /m, from: y, to: /m}, {copy: /n, from: z, to: /n}, {copy: /o, from: "nginx:1", to: /o}]
            """
        let first = try await convert(text)
        let bytes = try first.definition.serialized()
        for _ in 0..<100 {
            let again = try await convert(text)
            #expect(try again.definition.serialized() == bytes)
            #expect(again.config.encoded == first.config.encoded)
        }
    }

    @Test func `declared inputs are mounts of those paths alone, read-only`() async throws {
        let converted = try await convert(
            image(
                "workdir: /src\nsteps:\n  - run: make\n    inputs: [src/lib, Makefile, {path: data, to: /data, writable: true}]"
            )
        )
        let mounts = try converted.commands()[0]["mounts"]?.elements ?? []
        #expect(mounts.map { $0["dest"]?.text } == ["/", "/data", "/src/Makefile", "/src/src/lib"])
        #expect(mounts.map { $0["selector"]?.text } == [nil, "/data", "/Makefile", "/src/lib"])
        #expect(mounts.map { $0["readonly"]?.truth } == [nil, nil, true, true])
        // What is written to an input goes nowhere.
        #expect(mounts[1]["output"]?.text == "-1" || mounts[1]["output"]?.integer == -1)
        let local = try converted.operations().compactMap { $0["source"] }.first {
            $0["identifier"]?.text == "local://context"
        }
        #expect(local?["attrs"]?["local.followpaths"]?.text == #"["Makefile","data","src/lib"]"#)
    }

    @Test func `inputs without some files are selected before they are shown`() async throws {
        let converted = try await convert(
            image("workdir: /src\nsteps:\n  - run: make\n    inputs: [{path: src, exclude: ['**/*_test.go']}]")
        )
        #expect(try converted.actions().contains { $0["copy"]?["excludePatterns"]?.texts == ["**/*_test.go"] })
        let mount = try converted.commands()[0]["mounts"]?.elements?.last
        #expect(mount?["selector"]?.text == "/input")
        #expect(mount?["dest"]?.text == "/src/src")
    }

    @Test func `an input cannot hide the whole tree`() async {
        let message = await complaint(image("steps:\n  - run: make\n    inputs: [.]"))
        #expect(message.contains("image.yaml:6:18: an input cannot stand in place of the whole tree"), "\(message)")
    }

    @Test func `scripts reach the shell untouched, lists are programs`() async throws {
        let converted = try await convert(
            "variables: {v: 1}\n"
                + image(
                    "shell: [/bin/ash, -c]\nsteps:\n  - run: echo ${v} $HOME\n  - run: [echo, \"${v}\"]\n  - {run: x, shell: [/bin/sh]}"
                )
        )
        let arguments = try converted.commands().compactMap { $0["meta"]?["args"]?.texts }
        #expect(arguments == [["/bin/ash", "-c", "echo ${v} $HOME"], ["echo", "1"], ["/bin/sh", "x"]])
    }

    @Test func `a script ends at its first failure`() async throws {
        let converted = try await convert(image("steps: [{run: x}]"))
        #expect(try converted.commands()[0]["meta"]?["args"]?.texts == ["/bin/sh", "-e", "-c", "x"])
    }

    @Test func `apt's directories are locked caches and its archives are kept`() async throws {
        let converted = try await convert(
            "images:\n  app: {base: \"debian:12\", packages: {apt: [curl, bash, curl]}}\n"
        )
        let command = try converted.commands()[0]
        #expect(command["meta"]?["args"]?.texts.suffix(2) == ["bash", "curl"])
        #expect(command["meta"]?["args"]?.texts[3].contains("--no-install-recommends") == true)
        #expect(command["meta"]?["env"]?.texts.contains("DEBIAN_FRONTEND=noninteractive") == true)
        let mounts = command["mounts"]?.elements ?? []
        let caches = mounts.filter { $0["cacheOpt"] != nil }
        #expect(caches.map { $0["dest"]?.text } == ["/var/cache/apt", "/var/lib/apt/lists"])
        #expect(caches.allSatisfy { $0["cacheOpt"]?["sharing"]?.text == "LOCKED" })
        let configuration = mounts.first { $0["dest"]?.text == "/etc/apt/apt.conf.d/docker-clean" }
        #expect(configuration?["readonly"]?.truth == true)
        // The image keeps nothing of it.
        #expect(!converted.config.config.environment.contains { $0.hasPrefix("DEBIAN_FRONTEND") })
    }

    @Test func `apk, pip and npm have their caches outside of the image`() async throws {
        let converted = try await convert(
            """
            images:
              app:
                base: alpine:3
                workdir: /app
                packages:
                  npm: {install: [typescript@5, "@types/node"], project: web, omit: [dev]}
                  apk: [git]
                  pip: {requirements: requirements.txt, install: ["uvicorn[standard]>=0.30"]}
            """
        )
        let commands = try converted.commands()
        let arguments = commands.compactMap { $0["meta"]?["args"]?.texts }
        #expect(
            arguments == [
                ["apk", "add", "--update-cache", "git"],
                [
                    "pip", "install", "--requirement", "/run/kiln/requirements/requirements.txt",
                    "uvicorn[standard]>=0.30",
                ],
                ["npm", "install", "--global", "@types/node", "typescript@5"], ["npm", "ci", "--omit=dev"],
            ]
        )
        func caches(_ command: JSONValue) -> [String] {
            (command["mounts"]?.elements ?? []).filter { $0["cacheOpt"] != nil }.compactMap { $0["dest"]?.text }
        }
        #expect(commands.map(caches) == [["/etc/apk/cache"], ["/root/.cache/pip"], ["/root/.npm"], ["/root/.npm"]])
        let shown = (commands[3]["mounts"]?.elements ?? []).filter { $0["selector"] != nil }
        #expect(shown.compactMap { $0["dest"]?.text } == ["/app/web/package-lock.json", "/app/web/package.json"])
        #expect(commands[3]["meta"]?["cwd"]?.text == "/app/web")
    }

    @Test func `copies say whether a directory goes into a place or becomes it`() async throws {
        let converted = try await convert(
            image(
                "workdir: /w\nfiles:\n  - {copy: d, to: /srv}\n  - {copy: d, to: /srv/}\n  - {copy: d/, to: /srv/}\n  - {copy: d, to: .}\n"
                    + "  - {copy: d, to: e, mode: \"0750\", owner: \"1:2\", exclude: ['*.o']}"
            )
        )
        let copies = try converted.actions().compactMap { $0["copy"] }
        #expect(copies.map { $0["dest"]?.text } == ["/srv", "/srv/", "/srv/", "/w/", "/w/e"])
        #expect(copies.map { $0["dirCopyContents"]?.truth } == [true, nil, true, nil, true])
        #expect(copies[4]["mode"]?.integer == 0o750)
        #expect(copies[4]["excludePatterns"]?.texts == ["*.o"])
    }

    @Test func `secrets are required unless said otherwise, caches keep projects apart`() async throws {
        let converted = try await convert(
            image(
                "steps:\n  - {run: x, secrets: [a, {id: b, env: B, required: false}], caches: [{path: /c, id: c, sharing: private}]}"
            )
        ) { $0.cacheNamespace = "ns" }
        let command = try converted.commands()[0]
        let secret = command["mounts"]?.elements?.compactMap { $0["secretOpt"] }.first
        #expect(secret?["ID"]?.text == "a")
        #expect(secret?["optional"] == nil)
        #expect(command["secretenv"]?.elements?.first?["optional"]?.truth == true)
        let cache = command["mounts"]?.elements?.compactMap { $0["cacheOpt"] }.first
        #expect(cache?["ID"]?.text == "ns/c")
        #expect(cache?["sharing"]?.text == "PRIVATE")
    }

    @Test func `conditions leave steps out`() async throws {
        let text =
            "variables: {debug: false}\n"
            + image(
                "steps:\n  - {run: a, when: {debug: true}}\n  - {run: b, when: {target.arch: [arm64, riscv64]}}\n  - {run: c}"
            )
        func scripts(_ platform: Platform, _ arguments: [String: String]) async throws -> [String] {
            try await convert(text, arguments: arguments, platform: platform).commands()
                .compactMap { $0["meta"]?["args"]?.texts.last }
        }
        #expect(try await scripts(amd64, [:]) == ["c"])
        #expect(try await scripts(arm64, ["debug": "true"]) == ["a", "b", "c"])
        #expect(await complaint(text.replacing("debug: true", with: "debgu: true")).contains("did you mean \"debug\"?"))
    }

    @Test func `a stage for the build platform makes files for the target`() async throws {
        let text = """
            stages:
              tools: {base: golang:1, platform: build, steps: [{run: "go build"}]}
            images:
              app: {base: scratch, files: [{copy: /o, from: tools, to: /o}]}
            """
        let converted = try await convert(text, platform: arm64)
        let run = try #require(try converted.operations().first { $0["exec"] != nil })
        #expect(run["platform"]?["Architecture"]?.text == "amd64")
        #expect(converted.config.platform == arm64)
    }

    @Test func `an empty image gets its users as files`() async throws {
        let converted = try await convert(
            "images:\n  app: {base: scratch, users: [a, {name: b, uid: 7, create-home: false}], user: a}\n"
        )
        let actions = try converted.actions()
        #expect(try converted.commands().isEmpty)
        let made = actions.compactMap { $0["mkfile"]?["path"]?.text }
        #expect(made == ["/etc/passwd", "/etc/group"])
        #expect(actions.compactMap { $0["mkdir"]?["path"]?.text } == ["/etc", "/home", "/home/a"])
        #expect(converted.config.config.user == "a")
    }

    @Test func `an entry point of its own drops the base image's arguments`() async throws {
        #expect(try await convert(image("user: nobody")).config.config.command == ["sh"])
        #expect(try await convert(image("entrypoint: [x]")).config.config.command == [])
        #expect(
            try await convert(image("entrypoint: run it\ncmd: [y]")).config.config.entrypoint == [
                "/bin/sh", "-c", "run it",
            ]
        )
        #expect(try await convert(image("healthcheck: none")).config.config.healthcheck?.test == ["NONE"])
    }

    @Test func `build-env is for steps alone`() async throws {
        let converted = try await convert(image("env: {A: 1}\nbuild-env: {B: 2}\nsteps: [{run: x, env: {C: 3}}]"))
        let environment = try converted.commands()[0]["meta"]?["env"]?.texts ?? []
        #expect(environment.suffix(3) == ["A=1", "B=2", "C=3"])
        #expect(converted.config.config.environment.suffix(1) == ["A=1"])
        let other = try await convert(
            "stages:\n  s: {base: busybox, build-env: {B: 2}}\nimages:\n  i: {base: s, steps: [{run: x}]}\n"
        )
        #expect(try other.commands()[0]["meta"]?["env"]?.texts.contains("B=2") == false)
    }

    @Test func `a base that is not there is told with its line, and a stage that sounds like it`() async {
        let message = await complaint("stages:\n  missing-base: {base: busybox}\nimages:\n  app: {base: missing-bse}\n")
        #expect(message.contains("image.yaml:4:15: missing-bse: not found; did you mean the stage \"missing-base\"?"))
    }

    @Test func `operations point at the lines they come from`() async throws {
        let converted = try await convert(image("steps:\n  - run: |\n      a\n      b\n  - run: c"))
        let head = try #require(try converted.definition.head())
        let location = try #require(converted.definition.locations(of: head.vertex).first)
        #expect(location.ranges.first?.start.line == 8)
        #expect(converted.definition.source?.infos.first?.filename == "image.yaml")
    }
}
