// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxSystem
import SystemPackage
import Testing

struct DirectoryTests {
    @Test(arguments: [
        "..", "../x", "a/../../x", "/etc/passwd", "absolute", "up", "dir/up", "chain/etc/passwd",
    ])
    func `opens nothing outside itself`(_ path: String) throws {
        try withDirectory { directory in
            try directory.makeDirectory("dir", mode: 0o755)
            try directory.makeSymbolicLink("absolute", to: "/etc/passwd")
            try directory.makeSymbolicLink("up", to: "../..")
            try directory.directory("dir").makeSymbolicLink("up", to: "../../etc/passwd")
            try directory.makeSymbolicLink("chain", to: "absolute/../..")
            let error = #expect(throws: SystemCallError.self) { try directory.open(path) }
            #expect(error?.errno == .improperLink || error?.isNotFound == true)
        }
    }

    @Test func `reads paths as a process would whose root it is`() throws {
        try withDirectory { directory in
            _ = try directory.makeDirectories("etc")
            try directory.createFile("etc/passwd", mode: 0o600).write("inside".utf8)
            try directory.makeSymbolicLink("absolute", to: "/etc/passwd")
            try directory.makeSymbolicLink("up", to: "../../../etc/passwd")
            for path in ["/etc/passwd", "../../etc/passwd", "absolute", "up"] {
                let bytes = try directory.open(path, scope: .inRoot).readToEnd(byteLimit: 100)
                #expect(bytes == Array("inside".utf8))
            }
        }
    }

    @Test func `follows no symlink where none is allowed`() throws {
        try withDirectory { directory in
            try directory.makeDirectory("dir", mode: 0o755)
            try directory.makeSymbolicLink("link", to: "dir")
            let error = #expect(throws: SystemCallError.self) {
                try directory.directory("link", scope: .noSymlinks)
            }
            #expect(error?.errno == .tooManySymbolicLinkLevels)
        }
    }

    @Test func `creates files only where there are none`() throws {
        try withDirectory { directory in
            try directory.makeSymbolicLink("trap", to: "elsewhere")
            for name in ["trap", "file"] {
                if name == "file" { _ = try directory.createFile(name, mode: 0o600) }
                let error = #expect(throws: SystemCallError.self) {
                    try directory.createFile(name, mode: 0o600)
                }
                #expect(error?.errno == .fileExists || error?.errno == .tooManySymbolicLinkLevels)
            }
            #expect(try directory.statusIfExists(name: "elsewhere") == nil)
        }
    }

    @Test func `removes a tree without following its symlinks`() throws {
        try withDirectory { directory in
            let kept = try directory.makeDirectories("kept")
            _ = try kept.createFile("file", mode: 0o600)
            let tree = try directory.makeDirectories("tree/a/b/c")
            try tree.makeSymbolicLink("out", to: "../../../../kept")
            try directory.directory("tree").makeSymbolicLink("root", to: "/")
            try directory.removeTree(name: "tree")
            #expect(try directory.statusIfExists(name: "tree") == nil)
            #expect(try kept.statusIfExists(name: "file") != nil)
        }
    }

    @Test func `removes a symlink to a directory, not the directory`() throws {
        try withDirectory { directory in
            let kept = try directory.makeDirectories("kept")
            _ = try kept.createFile("file", mode: 0o600)
            try directory.makeSymbolicLink("link", to: "kept")
            try directory.removeTree(name: "link")
            #expect(try directory.statusIfExists(name: "link") == nil)
            #expect(try kept.statusIfExists(name: "file") != nil)
        }
    }

    @Test func `removes deep trees and unreadable directories`() throws {
        try withDirectory { directory in
            var inner = try directory.makeDirectories("tree")
            for _ in 0..<300 { inner = try inner.makeDirectories("d") }
            try directory.directory("tree/d").setMode(name: "d", 0)
            try directory.removeTree(name: "tree")
            try directory.removeTree(name: "never there")
            #expect(try directory.entries().isEmpty)
        }
    }

    @Test func `tells names and types of thousands of entries`() throws {
        try withDirectory { directory in
            for index in 0..<2000 { _ = try directory.createFile("entry \(index)", mode: 0o600) }
            try directory.makeSymbolicLink("link", to: "nowhere")
            let entries = try directory.entries()
            #expect(Set(entries.map(\.name)).count == 2001)
            #expect(entries.first { $0.name == "link" }?.kind == .symbolicLink)
        }
    }

    @Test func `renames over an existing name only when told to`() throws {
        try withDirectory { directory in
            try directory.createFile("a", mode: 0o600).write("a".utf8)
            try directory.createFile("b", mode: 0o600).write("b".utf8)
            let error = #expect(throws: SystemCallError.self) {
                try directory.rename("a", to: directory, "b")
            }
            #expect(error?.errno == .fileExists)
            try directory.rename("a", to: directory, "b", replacing: true)
            #expect(try directory.open("b").readToEnd(byteLimit: 1) == Array("a".utf8))
        }
    }

    @Test func `changes modes of files but of no symlink's target`() throws {
        try withDirectory { directory in
            _ = try directory.createFile("file", mode: 0o600)
            try directory.makeSymbolicLink("link", to: "file")
            try directory.setMode(name: "file", 0o4755)
            #expect(try directory.status(name: "file").permissions == 0o4755)
            #expect(throws: SystemCallError.self) { try directory.setMode(name: "link", 0o777) }
            #expect(try directory.status(name: "file").permissions == 0o4755)
        }
    }

    @Test func `reads, lists and removes extended attributes`() throws {
        try withDirectory { directory in
            _ = try directory.createFile("file", mode: 0o600)
            let value = [UInt8](repeating: 7, count: 3000)
            try directory.setAttribute("user.kiln", name: "file", value)
            #expect(try directory.attributeNames(name: "file") == ["user.kiln"])
            #expect(try directory.attribute("user.kiln", name: "file") == value)
            try directory.removeAttribute("user.kiln", name: "file")
            #expect(try directory.attribute("user.kiln", name: "file") == nil)
        }
    }
}
