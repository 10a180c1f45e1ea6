// SPDX-License-Identifier: Apache-2.0

import DockerfileConversion
import DockerfileSyntax
import LLB
import LLBMessages
import OCI
import SwiftProtobuf
import Testing

/// What a Dockerfile may use beyond BuildKit's language when it asks for it.
struct ExtensionTests {
    private func conversion(
        _ text: String,
        _ world: World,
        options: [String: String] = [:]
    ) throws -> DockerfileConversion {
        let source = SourceFile(filename: "Dockerfile", language: "Dockerfile", data: Array(text.utf8))
        return DockerfileConversion(
            ConversionInput(source: source, options: try DockerfileOptions(options)),
            context: world
        )
    }

    /// Why a file is refused, as `file:line: message` with the lines its author counts.
    private func refusal(_ text: String, _ files: [String: String]) async throws -> String {
        let conversion = try conversion(text, World(files: files))
        do {
            _ = try await conversion.run()
            return "accepted"
        } catch let error as DockerfileError {
            let lines = try #require(error.lines)
            let place = conversion.files.locate(lines)
            let includers = conversion.files.includers(of: place.index).map { " by \($0)" }.joined()
            let name = conversion.files.entries[place.index].file.filename
            return "\(name):\(place.lines.lowerBound)\(includers): \(error.explanation)"
        } catch let error as ConversionError {
            return error.description
        }
    }

    // MARK: INCLUDE

    @Test func `included instructions stand where INCLUDE stood`() async throws {
        let text = "# kiln=include\nINCLUDE common/args\nFROM a:$TAG\nRUN one\nINCLUDE common/steps\nRUN four"
        let files = [
            "common/args": "ARG TAG=7\n",
            "common/steps": "# only a comment\nRUN two\nINCLUDE ../more/steps\n",
            "more/steps": "RUN three\n",
        ]
        let converted = try await convert(text, world: World(files: files))
        #expect(converted.execs.map(\.meta.args.last) == ["one", "two", "three", "four"])
        #expect(converted.names.last == "[5/5] RUN four")
        #expect(converted.sources[0].identifier.contains("/a:7@"))
    }

    @Test func `operations point at the lines of the file they come from`() async throws {
        let text = "# kiln=include\nFROM a\nINCLUDE steps\nRUN last"
        let world = World(files: ["steps": "\n\nRUN in \\\n  file\n"])
        let definition = try await conversion(text, world).run().definition()
        let message = try Pb_Definition(serializedBytes: definition.serialized())
        #expect(message.source.infos.map(\.filename).sorted() == ["Dockerfile", "steps"])
        let steps = try #require(message.source.infos.firstIndex { $0.filename == "steps" })
        let places = message.source.locations.values.flatMap(\.locations).filter { Int($0.sourceIndex) == steps }
        #expect(places.map { $0.ranges.map(\.start.line) } == [[3, 4]])
    }

    @Test func `stages may come from other files, and one file may be included twice`() async throws {
        let text = "# kiln=include\nINCLUDE stages\nFROM base\nINCLUDE step\nINCLUDE step\n"
        let files = ["stages": "FROM a AS base\nRUN base\n", "step": "RUN again\n"]
        let conversion = try conversion(text, World(files: files))
        let list = try await TargetList(reading: conversion)
        #expect(list.stages.map(\.name) == ["base", ""])
        #expect(list.json["targets"]?.elements?.first?["location"]?["sourceIndex"] == .integer(1))
        #expect(list.json["sources"]?.elements?.count == 3)
        #expect(try await convert(text, world: World(files: files)).execs.count == 3)
    }

    @Test func `INCLUDE is unknown where nobody asked for it`() async throws {
        let files = ["x": "RUN x\n"]
        #expect(try await refusal("FROM a\nINCLUDE x", files) == "Dockerfile:2: unknown instruction INCLUDE")
        #expect(
            try await refusal("FROM a\n# kiln=include\nINCLUDE x", files) == "Dockerfile:3: unknown instruction INCLUDE"
        )
        let converted = try await convert(
            "FROM a\nINCLUDE x",
            options: ["build-arg:KILN_DOCKERFILE_EXTENSIONS": "include"],
            world: World(files: files)
        )
        #expect(converted.execs.count == 1)
    }

    @Test(arguments: [
        ("INCLUDE", "Dockerfile:3: INCLUDE requires exactly one argument, the path of a file"),
        ("INCLUDE a b", "Dockerfile:3: INCLUDE requires exactly one argument; put a path with blanks in double quotes"),
        ("INCLUDE $x", "Dockerfile:3: INCLUDE cannot hold a variable: files are included before any variable is set"),
        ("include none", "Dockerfile:3: cannot include none: there is no such file in the directory of the Dockerfile"),
        ("INCLUDE /none", "Dockerfile:3: cannot include none: there is no such file in the build context"),
        (
            "INCLUDE ../x",
            "Dockerfile:3: cannot include ../x: it lies outside of the directory the file is read from; a path that begins "
                + "with / counts from the build context"
        ),
        ("INCLUDE Dockerfile", "Dockerfile:3: files include each other in a circle: Dockerfile includes Dockerfile"),
        (
            "INCLUDE loop/a",
            "loop/b:2 by loop/a:1 by Dockerfile:3: files include each other in a circle: loop/a includes loop/b includes loop/a"
        ),
        ("INCLUDE wrong", "wrong:2 by Dockerfile:3: unknown instruction RUNN; did you mean RUN"),
        (
            "INCLUDE tick",
            "Dockerfile:3: cannot include tick: its escape character is `, here it is \\; give both files the same escape "
                + "directive"
        ),
    ])
    func `says what is wrong with an inclusion, and in which file`(line: String, expected: String) async throws {
        let files = [
            "loop/a": "INCLUDE b", "loop/b": "RUN x\nINCLUDE ./a\n", "wrong": "RUN x\nRUNN y",
            "tick": "# escape=`\nRUN x",
        ]
        #expect(try await refusal("# kiln=include\nFROM a\n\(line)", files) == expected)
    }

    @Test func `inclusions without end are refused with the limit`() async throws {
        var deep: [String: String] = [:]
        for level in 0..<40 { deep["f\(level)"] = "INCLUDE f\(level + 1)\n" }
        #expect(
            try await refusal("# kiln=include\nFROM a\nINCLUDE f0", deep).hasSuffix(
                "files include files more than 16 deep"
            )
        )
        var wide: [String: String] = ["f9": "RUN x\n"]
        for level in 0..<9 { wide["f\(level)"] = String(repeating: "INCLUDE f\(level + 1)\n", count: 10) }
        #expect(
            try await refusal("# kiln=include\nFROM a\nINCLUDE f0", wide).hasSuffix("more than 500 files are included")
        )
    }

    // MARK: Variables in origins

    @Test func `origins take the ARGs before them`() async throws {
        let text = """
            # kiln=from-variables
            ARG KIND=fast
            FROM a AS build-fast
            RUN fast
            FROM a AS build-slow
            RUN slow
            FROM b
            COPY --from=build-$KIND /x /y
            ARG KIND=slow
            RUN --mount=from=build-${KIND},target=/m use
            """
        let converted = try await convert(text)
        #expect(converted.execs.compactMap(\.meta.args.last).sorted() == ["fast", "slow", "use"])
        #expect(converted.names.contains { $0.contains("COPY --from=build-fast /x /y") })
        let given = try await convert(text, options: ["build-arg:KIND": "slow"])
        #expect(given.execs.compactMap(\.meta.args.last).sorted() == ["slow", "use"])
    }

    @Test func `an origin without a value, and one nobody asked variables for, are refused`() async throws {
        let text = "# kiln=from-variables\nARG NAME=x\nFROM a\nENV OTHER=b\nCOPY --from=$NAMES /x /y"
        #expect(
            try await refusal(text, [:])
                == "line 5: --from is empty: no ARG before it sets NAMES; ENV has no say here; did you mean NAME"
        )
        #expect(try await refusal("FROM a\nCOPY --from=$X /x /y", [:]).contains("variable expansion is not supported"))
        #expect(try await refusal("FROM a\nRUN --mount=from=$X,target=/m y", [:]).contains("cannot hold a variable"))
    }

    // MARK: Ignore files

    @Test func `more ignore files are read behind the usual one`() async throws {
        let text = "# syntax=x\n# kiln=ignore-file=ci/ignore, ignore-file=more\nFROM a\nCOPY . /"
        let files = [".dockerignore": "one\n", "ci/ignore": "two\n!three\n", "more": "# none\nfour/**\n"]
        let converted = try await convert(text, world: World(files: files))
        let context = try #require(converted.sources.first { $0.identifier == "local://context" })
        #expect(context.attrs["local.excludepatterns"] == #"["one","two","!three","four/**"]"#)
        #expect(
            try await refusal(text, [:]) == "cannot find ignore file ci/ignore in the build context"
        )
    }

    // MARK: Asking for them

    @Test(arguments: [
        (
            "# kiln=inclde\nFROM a",
            "unknown extension inclde; there are include, from-variables, ignore-file; did you mean include"
        ),
        ("# kiln=include=x\nFROM a", "extension include takes no value"),
        ("# kiln=ignore-file\nFROM a", "extension ignore-file lacks a path; write ignore-file=PATH"),
        ("#kiln = include\n# kiln=include\nFROM a", "only one kiln directive can be used"),
    ])
    func `a directive that cannot be meant is refused`(text: String, expected: String) async throws {
        #expect(try await refusal(text, [:]).hasSuffix(": " + expected))
    }

    @Test func `the directive may stand behind others, and means nothing further down`() throws {
        let found = try Extensions(
            directiveOf: Array("\u{FEFF}# syntax=x\n\t# kiln=include,\r\n# check=skip=all\nFROM a".utf8)
        )
        #expect(found.includesFiles)
        for text in ["FROM a\n# kiln=include", "\n# kiln=include", "# kiln is nice\nFROM a", ""] {
            #expect(try Extensions(directiveOf: Array(text.utf8)) == Extensions())
        }
    }
}
