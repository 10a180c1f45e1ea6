// SPDX-License-Identifier: Apache-2.0

import ProjectFiles
import Testing

/// Which frontend a build file asks for, read byte for byte as BuildKit reads it.
struct SyntaxDirectiveTests {
    @Test(arguments: [
        ("# syntax=docker/dockerfile:1\nFROM a", "docker/dockerfile:1", 1),
        ("#syntax=a", "a", 1),
        ("#  SyNtAx \t=  a  \r\nFROM x", "a", 1),
        ("\u{FEFF}# syntax=a", "a", 1),
        ("#!/usr/bin/env kiln\n# syntax=a", "a", 2),
        ("\u{FEFF}#!x\n#syntax=a", "a", 2),
        ("# escape=`\n# check=skip=all\n# syntax=a\n", "a", 3),
        ("// syntax=a\n", "a", 1),
        ("// escape=x\n// syntax = b", "b", 2),
        ("{\"syntax\":\"a b\",\"x\":[1]}", "a b", 1),
        ("\n  {\n \"syntax\": \"a\"}", "a", 1),
        ("#!x\n{\"syntax\":\"a\"}", "a", 2),
        ("# syntax=a=b", "a=b", 1),
        ("# syntax=a\n# syntax=b", "a", 1),
        // As BuildKit reads them: a value of spaces is found, and names nothing.
        ("# syntax=  ", "", 1),
        ("#\u{A0}syntax=a", "a", 1),
    ])
    func `is found`(_ file: String, _ reference: String, _ line: Int) {
        let found = SyntaxDirective.detect(Array(file.utf8))
        #expect(found?.reference == reference)
        #expect(found?.line == line)
    }

    @Test(arguments: [
        "", "FROM a", "\n# syntax=a", " # syntax=a", "# comment\n# syntax=a", "# syntax",
        "# syntax=",
        "# other=1\n# syntax=a", "# escape=a\n# escape=b\n# syntax=a", "# syn tax=a",
        "# 1syntax=a", "#!x", "/ syntax=a", "{\"syntax\":1}", "{\"syntax\":\"a\"} x", "{", "[]",
        "{\"Syntax\":\"a\"}",
    ])
    func `is not found`(_ file: String) {
        #expect(SyntaxDirective.detect(Array(file.utf8)) == nil)
    }

    @Test func `hands on the whole value`() {
        let found = SyntaxDirective.detect(Array("# syntax=acme/spec:1 --strict  x".utf8))
        #expect(found?.reference == "acme/spec:1")
        #expect(found?.commandLine == "acme/spec:1 --strict  x")
    }
}
