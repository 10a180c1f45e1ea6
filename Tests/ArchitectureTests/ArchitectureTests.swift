// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The module map of docs/ARCHITECTURE.md: each module, and the modules of Kiln and the packages it may import.
///
/// Imports go down only. The compiler accepts an import of any target that happens to be built, so the map is held
/// here.
private let allowedImports: [String: Set<String>] = [
    "CLinux": [],
    "LinuxSystem": ["CLinux", "SystemPackage"],
    "OCI": ["Crypto"],
    "PathPatterns": [],
    "LLBMessages": ["SwiftProtobuf"],
    "LLB": ["Crypto", "LLBMessages", "OCI", "SwiftProtobuf"],
    "FrontendProtocol": ["LLB", "OCI"],
    "ProjectFiles": ["Crypto", "FrontendProtocol", "OCI", "TOMLKit"],
    "Solver": ["DequeModule", "OCI"],
    "Archives": ["CArchive", "CZlib", "CZstd", "Crypto", "LinuxSystem", "OCI", "SystemPackage"],
    "ContentStore": ["Crypto", "LinuxSystem", "OCI", "SystemPackage"],
    "Snapshots": [
        "Archives", "ContentStore", "Crypto", "LinuxSystem", "OCI", "PathPatterns", "SystemPackage",
    ],
    "Sandbox": ["Crypto", "LinuxSystem", "OCI", "SystemPackage"],
    "Registry": [
        "AsyncHTTPClient", "ContentStore", "LinuxSystem", "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL",
        "OCI", "SystemPackage",
    ],
    "BuildCache": [
        "Collections", "ContentStore", "GRDB", "LinuxSystem", "OCI", "Snapshots", "Solver",
        "SystemPackage",
    ],
    "Sources": [
        "Archives", "ContentStore", "Crypto", "GRDB", "LinuxSystem", "OCI", "PathPatterns", "Registry",
        "Sandbox", "Snapshots", "SystemPackage",
    ],
    "Exporters": [
        "Archives", "ContentStore", "Crypto", "LinuxSystem", "OCI", "Registry", "Snapshots",
        "SystemPackage",
    ],
    "FrontendStore": [
        "Archives", "ContentStore", "Crypto", "LinuxSystem", "OCI", "ProjectFiles", "Registry", "SystemPackage",
    ],
    "FrontendHost": [
        "Crypto", "FrontendProtocol", "LLB", "LinuxSystem", "OCI", "ProjectFiles", "Sandbox", "SystemPackage",
    ],
    "FrontendConformance": [
        "Crypto", "FrontendHost", "FrontendProtocol", "LLB", "LinuxSystem", "OCI", "ProjectFiles", "Sandbox",
        "SystemPackage",
    ],
    "Engine": [
        "Archives", "BuildCache", "ContentStore", "Crypto", "Exporters", "FrontendHost",
        "FrontendProtocol", "FrontendStore", "LLB", "LLBMessages", "LinuxSystem", "OCI", "PathPatterns",
        "ProjectFiles", "Registry", "Sandbox", "Snapshots", "Solver", "Sources", "SystemPackage",
    ],
    "kiln": [
        "ArgumentParser", "Engine", "FrontendConformance", "FrontendHost", "FrontendProtocol", "FrontendStore", "LLB",
        "LLBText", "LinuxSystem", "OCI", "ProjectFiles", "SystemPackage",
    ],
    "FrontendKit": ["FrontendProtocol", "LLB", "OCI", "PathPatterns"],
    "DockerfileSyntax": [],
    "DockerfileConversion": [
        "DockerfileSyntax", "LLB", "LLBMessages", "OCI", "PathPatterns",
    ],
    "kiln-frontend-dockerfile": [
        "DockerfileConversion", "DockerfileSyntax", "FrontendKit", "FrontendProtocol", "LLB", "OCI",
    ],
    "kiln-corpus": ["DockerfileConversion", "DockerfileSyntax", "LLB", "LLBMessages", "OCI"],
    "YAMLSpec": ["FrontendKit", "LLB", "OCI", "PathPatterns", "Yams"],
    "kiln-frontend-yaml": ["FrontendKit", "LLB", "OCI", "YAMLSpec"],
    "LLBText": ["FrontendProtocol", "LLB", "OCI"],
    "kiln-frontend-llb": ["FrontendKit", "LLB", "LLBText", "OCI"],
    "kiln-frontend-bad": [],
]

/// Modules of the toolchain that any module may import.
private let toolchainModules: Set<String> = [
    "Dispatch", "Foundation", "FoundationEssentials", "Glibc", "Synchronization",
]

private let repository = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// Where a module's sources stand.
private func folder(of module: String) -> URL {
    let path =
        switch module {
        case "DockerfileSyntax": "Frontends/dockerfile/Syntax"
        case "DockerfileConversion": "Frontends/dockerfile/Conversion"
        case "kiln-frontend-dockerfile": "Frontends/dockerfile/Main"
        case "kiln-corpus": "Frontends/dockerfile/Corpus"
        case "YAMLSpec": "Frontends/yaml/Spec"
        case "kiln-frontend-yaml": "Frontends/yaml/Main"
        case "LLBText": "Frontends/llb/Text"
        case "kiln-frontend-llb": "Frontends/llb/Main"
        case "kiln-frontend-bad": "Frontends/bad"
        default: "Sources/\(module)"
        }
    return repository.appending(path: path)
}

private func swiftFiles(below folder: URL) -> [URL] {
    let walker = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    return (walker?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "swift" }
}

/// The module each import line names.
private func imports(in text: String) -> [String] {
    text.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ").filter { !$0.hasPrefix("@") }
        let levels: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
        let rest = words.drop { levels.contains($0) }
        guard rest.first == "import", let last = rest.dropFirst().last else { return nil }
        return String(last.split(separator: ".")[0])
    }
}

@Suite struct ArchitectureTests {
    @Test(arguments: allowedImports.keys.sorted())
    func `imports go down the module map only`(module: String) throws {
        let allowed = allowedImports[module, default: []].union(toolchainModules)
        for file in swiftFiles(below: folder(of: module)) {
            let text = try String(contentsOf: file, encoding: .utf8)
            for imported in imports(in: text) {
                #expect(
                    allowed.contains(imported),
                    "\(file.lastPathComponent) of \(module) imports \(imported), which the map does not allow"
                )
            }
        }
    }

    @Test func `every source folder is on the module map`() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: repository.appending(path: "Sources").path()
        )
        let systemLibraries: Set<String> = ["CArchive", "CJSON", "CSeccomp", "CZlib", "CZstd"]
        for name in folders where !systemLibraries.contains(name) && name != "kiln-sandbox" {
            #expect(allowedImports[name] != nil, "Sources/\(name) is missing on the module map")
        }
    }

    @Test func `every source file opens with its licence`() throws {
        for top in ["Sources", "Frontends", "Tests"] {
            for file in swiftFiles(below: repository.appending(path: top)) {
                let text = try String(contentsOf: file, encoding: .utf8)
                let lines = text.split(separator: "\n", maxSplits: 3).prefix(3)
                #expect(
                    lines.contains { $0.contains("SPDX-License-Identifier: Apache-2.0") }
                        || text.contains("DO NOT EDIT."),
                    "\(file.lastPathComponent) has no SPDX line"
                )
            }
        }
    }

    @Test func `no source leaves work undone or traps on outside data`() throws {
        let banned = [
            "TO" + "DO": "finish it or file an issue",
            "FIX" + "ME": "fix it or file an issue",
            "fatal" + "Error(": "throw an error with a sentence",
            "try" + "!": "handle the error",
            " as" + "! ": "use a conditional cast",
        ]
        for top in ["Sources", "Frontends"] {
            for file in swiftFiles(below: repository.appending(path: top))
            where !file.path().contains("/LLBMessages/") {
                let text = try String(contentsOf: file, encoding: .utf8)
                for (word, remedy) in banned {
                    #expect(!text.contains(word), "\(file.lastPathComponent) holds \(word): \(remedy)")
                }
            }
        }
    }
}
