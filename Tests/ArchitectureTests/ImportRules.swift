// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The module map of docs/ARCHITECTURE.md: each module, and the modules of Kiln and the packages it may import.
///
/// Imports go down only. The compiler accepts an import of any target that happens to be built, so the map is held
/// here.
let allowedImports: [String: Set<String>] = [
    "CLinux": [],
    "LinuxSystem": ["CLinux", "SystemPackage"],
    "Digests": [],
    "OCI": ["Crypto", "Digests"],
    "PathPatterns": [],
    "LLBMessages": ["SwiftProtobuf"],
    "LLB": ["Crypto", "LLBMessages", "OCI", "SwiftProtobuf"],
    "FrontendProtocol": ["LLB", "OCI"],
    "ProjectFiles": ["FrontendProtocol", "LinuxSystem", "OCI", "PathPatterns"],
    "Solver": ["DequeModule", "Digests"],
    "Archives": ["CArchive", "CZlib", "CZstd", "Crypto", "LinuxSystem", "OCI", "SystemPackage"],
    "ContentStore": ["Crypto", "LinuxSystem", "OCI", "SystemPackage"],
    "Snapshots": [
        "Archives", "ContentStore", "Crypto", "LinuxSystem", "OCI", "PathPatterns", "SystemPackage",
    ],
    "Sandbox": ["LinuxSystem", "OCI", "SystemPackage"],
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
        "LLBText", "LinuxSystem", "OCI", "ProjectFiles", "Sandbox", "SystemPackage",
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
    // CYaml is the parser inside Yams.
    "YAMLSpec": ["CYaml", "FrontendKit", "FrontendProtocol", "LLB", "LLBMessages", "OCI"],
    "kiln-frontend-yaml": ["FrontendKit", "FrontendProtocol", "LLB", "OCI", "YAMLSpec"],
    "LLBText": ["LLB", "LLBMessages", "OCI", "SwiftProtobuf"],
    "kiln-frontend-llb": ["FrontendKit", "FrontendProtocol", "LLB", "LLBText", "OCI"],
    "example-frontend-swift": ["FrontendKit", "LLB", "OCI"],
    "kiln-frontend-bad": [],
    "FuzzEntries": [
        "DockerfileConversion", "DockerfileSyntax", "FrontendHost", "FrontendKit", "FrontendProtocol", "LLB", "LLBText",
        "LinuxSystem", "OCI", "PathPatterns", "ProjectFiles", "SystemPackage", "YAMLSpec",
    ],
    "kiln-fuzz": ["FuzzEntries"],
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
        case "example-frontend-swift": "Frontends/examples/swift"
        case "kiln-frontend-bad": "Frontends/bad"
        case "FuzzEntries": "Fuzz/Entries"
        case "kiln-fuzz": "Fuzz/Main"
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

/// What a module's files import although the map does not allow it, a sentence each.
func forbiddenImports(of module: String) throws -> [String] {
    let allowed = allowedImports[module, default: []].union(toolchainModules)
    var findings: [String] = []
    for file in swiftFiles(below: folder(of: module)) {
        let text = try String(contentsOf: file, encoding: .utf8)
        for imported in imports(in: text) where !allowed.contains(imported) {
            findings.append(
                "\(file.lastPathComponent) of \(module) imports \(imported), which the map does not allow"
            )
        }
    }
    return findings
}

/// Folders of Sources that the map does not know.
func unmappedFolders() throws -> [String] {
    let folders = try FileManager.default.contentsOfDirectory(atPath: repository.appending(path: "Sources").path())
    let systemLibraries: Set<String> = ["CArchive", "CJSON", "CSeccomp", "CZlib", "CZstd", "kiln-sandbox"]
    return folders.filter { !systemLibraries.contains($0) && allowedImports[$0] == nil }
        .map { "Sources/\($0) is missing on the module map" }
}

/// Files without a licence line near their top.
func unlicensedFiles() throws -> [String] {
    try ["Sources", "Frontends", "Tests"].flatMap { top in
        try swiftFiles(below: repository.appending(path: top)).filter { file in
            let text = try String(contentsOf: file, encoding: .utf8)
            let lines = text.split(separator: "\n", maxSplits: 3).prefix(3)
            return !lines.contains { $0.contains("SPDX-License-Identifier: Apache-2.0") }
                && !text.contains("DO NOT EDIT.")
        }
        .map { "\($0.lastPathComponent) has no SPDX line" }
    }
}

/// Words that leave work undone, or trap on data from outside.
func bannedWords() throws -> [String] {
    let banned = [
        "TO" + "DO": "finish it or file an issue",
        "FIX" + "ME": "fix it or file an issue",
        "fatal" + "Error(": "throw an error with a sentence",
        "try" + "!": "handle the error",
        " as" + "! ": "use a conditional cast",
    ]
    return try ["Sources", "Frontends"].flatMap { top in
        try swiftFiles(below: repository.appending(path: top))
            .filter { !$0.path().contains("/LLBMessages/") }
            .flatMap { file in
                let text = try String(contentsOf: file, encoding: .utf8)
                return banned.filter { text.contains($0.key) }
                    .map { "\(file.lastPathComponent) holds \($0.key): \($0.value)" }
            }
    }
}
