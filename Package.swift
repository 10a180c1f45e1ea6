// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

// Targets stand in the order of the module map in docs/ARCHITECTURE.md: imports go down only, and
// Tests/ArchitectureTests reads every import line against that map.

import PackageDescription

/// Settings of every Swift target.
let houseSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// Generated code keeps the warnings of its generator to itself.
let generatedSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Settings of every C target.
let houseCSettings: [CSetting] = [
    .define("_GNU_SOURCE"),
    .enableWarning("all"),
    .enableWarning("extra"),
    .treatAllWarnings(as: .error),
]

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let collections: Target.Dependency = .product(name: "Collections", package: "swift-collections")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let sqlite: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let yaml: Target.Dependency = .product(name: "Yams", package: "Yams")
let argumentParser: Target.Dependency = .product(
    name: "ArgumentParser",
    package: "swift-argument-parser"
)

/// A Swift library of the engine or of the frontends.
func library(
    _ name: String,
    path: String? = nil,
    _ dependencies: [Target.Dependency] = [],
    exclude: [String] = [],
    settings: [SwiftSetting] = houseSettings
) -> Target {
    .target(
        name: name,
        dependencies: dependencies,
        path: path ?? "Sources/\(name)",
        exclude: exclude,
        swiftSettings: settings
    )
}

/// The tests of one module.
func tests(
    _ name: String,
    _ dependencies: [Target.Dependency],
    exclude: [String] = [],
    resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies,
        path: "Tests/\(name)",
        exclude: exclude,
        resources: resources,
        swiftSettings: houseSettings
    )
}

let package = Package(
    name: "kiln",
    products: [
        .executable(name: "kiln", targets: ["kiln"]),
        .executable(name: "kiln-frontend-dockerfile", targets: ["kiln-frontend-dockerfile"]),
        .executable(name: "kiln-frontend-llb", targets: ["kiln-frontend-llb"]),
        .executable(name: "kiln-frontend-yaml", targets: ["kiln-frontend-yaml"]),
        .library(name: "FrontendKit", targets: ["FrontendKit"]),
        .library(name: "Engine", targets: ["Engine"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections.git", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio.git", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf.git", exact: "1.39.0", traits: []),
        .package(url: "https://github.com/apple/swift-system.git", exact: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift.git", exact: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams.git", exact: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client.git", exact: "1.37.0"),
    ],
    targets: [
        // MARK: Layer 0: C

        // libarchive: tar and its compressions.
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        // zlib: gzip layers.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        // zstd: zstd layers.
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        // The system calls Swift cannot spell.
        .target(name: "CLinux", path: "Sources/CLinux", cSettings: houseCSettings),

        // MARK: Layer 1: values and the kernel

        // Owned descriptors, paths anchored at a descriptor, mounts, processes.
        library("LinuxSystem", ["CLinux", system]),
        // The SHA-256 of some bytes as a value; computing it is OCI's, so that what only compares needs no cryptography.
        library("Digests"),
        // Descriptor, platform, reference, manifest, image config; making digests.
        library("OCI", ["Digests", crypto]),
        // .dockerignore-style and shell-style path patterns.
        library("PathPatterns"),

        // MARK: Layer 2: the graph, the protocol, the scheduler

        // BuildKit's LLB: operations, definition, wire form, validation, builder.
        library("LLBMessages", path: "Sources/LLBMessages", [protobuf], settings: generatedSettings),
        library("LLB", ["LLBMessages", "OCI", crypto, protobuf]),
        // Frames, messages, versions, limits; no I/O.
        library("FrontendProtocol", ["LLB", "OCI"]),
        // kiln.toml, kiln.lock, frontend.toml, versions, and which frontend a build file gets; no I/O.
        library("ProjectFiles", ["FrontendProtocol", "LinuxSystem", "OCI", "PathPatterns"]),
        // Scheduler over abstract operations; knows no files and no LLB.
        library("Solver", ["Digests", collections]),

        // MARK: Layer 3: storage, execution, transport

        // tar, gzip and zstd in and out.
        library("Archives", ["CArchive", "CZlib", "CZstd", "LinuxSystem", "OCI", crypto]),
        // Blobs by digest.
        library("ContentStore", ["LinuxSystem", "OCI", crypto]),
        // File trees: layers, union reading, writing, content hashes.
        library("Snapshots", ["Archives", "ContentStore", "LinuxSystem", "OCI", "PathPatterns", crypto]),
        // One sandboxed process: spec, launch, logs, teardown.
        library("Sandbox", ["LinuxSystem", "OCI", system]),
        // OCI distribution client.
        library(
            "Registry",
            ["ContentStore", "LinuxSystem", "OCI", httpClient, nioCore, nioHTTP1, nioPosix, nioSSL, system]
        ),

        // MARK: Layer 4: cache, sources, exporters, frontends

        // Cache records in SQLite, leases, collection.
        library("BuildCache", ["ContentStore", "LinuxSystem", "OCI", "Snapshots", "Solver", sqlite, collections]),
        // Where trees come from.
        library(
            "Sources",
            [
                "Archives", "ContentStore", "LinuxSystem", "OCI", "PathPatterns", "Registry", "Sandbox", "Snapshots",
                crypto, sqlite, system,
            ]
        ),
        // Where results go.
        library(
            "Exporters",
            ["Archives", "ContentStore", "LinuxSystem", "OCI", "Registry", "Snapshots", crypto, system]
        ),
        // Unpacked frontends by tree digest, and where they come from: registries, layouts, bundles, directories.
        library(
            "FrontendStore",
            ["Archives", "ContentStore", "LinuxSystem", "OCI", "ProjectFiles", "Registry", crypto, system]
        ),
        // Launching frontends and the bridge they talk to.
        library(
            "FrontendHost",
            ["FrontendProtocol", "LLB", "LinuxSystem", "OCI", "ProjectFiles", "Sandbox", crypto, system]
        ),
        // What `kiln frontend test` asks of a frontend.
        library(
            "FrontendConformance",
            [
                "FrontendHost", "FrontendProtocol", "LLB", "LinuxSystem", "OCI", "ProjectFiles", "Sandbox", crypto,
                system,
            ]
        ),

        // MARK: Layer 5: the engine

        library(
            "Engine",
            [
                "Archives", "BuildCache", "ContentStore", "Exporters", "FrontendHost", "FrontendProtocol",
                "FrontendStore", "LinuxSystem", "LLB", "OCI", "PathPatterns", "ProjectFiles", "Registry", "Sandbox",
                "Snapshots", "Solver", "Sources", crypto, system,
            ]
        ),

        // MARK: Layer 7: the command line

        .executableTarget(
            name: "kiln",
            dependencies: [
                "Engine", "FrontendConformance", "FrontendHost", "FrontendProtocol", "FrontendStore", "LLB",
                "LLBText", "LinuxSystem", "OCI", "ProjectFiles", "Sandbox", argumentParser, system,
            ],
            path: "Sources/kiln",
            swiftSettings: houseSettings
        ),

        // MARK: F: frontends

        // The Swift SDK for frontends.
        library("FrontendKit", ["FrontendProtocol", "LLB", "OCI", "PathPatterns"]),
        // Dockerfile: lexer, parser, expansion.
        library("DockerfileSyntax", path: "Frontends/dockerfile/Syntax"),
        // Dockerfile: instructions to LLB.
        library(
            "DockerfileConversion",
            path: "Frontends/dockerfile/Conversion",
            ["DockerfileSyntax", "LLB", "LLBMessages", "OCI", "PathPatterns"]
        ),
        .executableTarget(
            name: "kiln-frontend-dockerfile",
            dependencies: [
                "DockerfileConversion", "DockerfileSyntax", "FrontendKit", "FrontendProtocol", "LLB", "OCI",
            ],
            path: "Frontends/dockerfile/Main",
            swiftSettings: houseSettings
        ),
        // Compares conversions with BuildKit's own answers for real Dockerfiles.
        .executableTarget(
            name: "kiln-corpus",
            dependencies: ["DockerfileConversion", "DockerfileSyntax", "LLB", "LLBMessages", "OCI"],
            path: "Frontends/dockerfile/Corpus",
            swiftSettings: houseSettings
        ),
        // The YAML image spec: reading, checking, and its stages to LLB.
        library(
            "YAMLSpec",
            path: "Frontends/yaml/Spec",
            ["FrontendKit", "FrontendProtocol", "LLB", "LLBMessages", "OCI", yaml]
        ),
        .executableTarget(
            name: "kiln-frontend-yaml",
            dependencies: ["FrontendKit", "FrontendProtocol", "LLB", "OCI", "YAMLSpec"],
            path: "Frontends/yaml/Main",
            swiftSettings: houseSettings
        ),
        // LLB written as text: the friendly form and the lines of `buildctl debug dump-llb`.
        library(
            "LLBText",
            path: "Frontends/llb/Text",
            ["LLB", "LLBMessages", "OCI", protobuf]
        ),
        .executableTarget(
            name: "kiln-frontend-llb",
            dependencies: ["FrontendKit", "FrontendProtocol", "LLB", "LLBText", "OCI"],
            path: "Frontends/llb/Main",
            swiftSettings: houseSettings
        ),
        // The Swift one of the example frontends.
        .executableTarget(
            name: "example-frontend-swift",
            dependencies: ["FrontendKit", "LLB", "OCI"],
            path: "Frontends/examples/swift",
            exclude: ["frontend.toml", "tests"],
            swiftSettings: houseSettings
        ),
        // A frontend that misbehaves in every way the host must survive.
        .executableTarget(
            name: "kiln-frontend-bad",
            path: "Frontends/bad",
            swiftSettings: houseSettings
        ),

        // MARK: Fuzzing

        // What is promised of every reader of bytes from outside; the fuzzer and Tests/FuzzTests ask.
        library(
            "FuzzEntries",
            path: "Fuzz/Entries",
            [
                "DockerfileConversion", "DockerfileSyntax", "FrontendHost", "FrontendKit", "FrontendProtocol", "LLB",
                "LLBText", "LinuxSystem", "OCI", "PathPatterns", "ProjectFiles", "YAMLSpec", system,
            ]
        ),

        // MARK: Tests

        // A real registry and a scripted one for the tests of several modules.
        library("RegistryTestSupport", path: "Tests/RegistryTestSupport", ["ContentStore", "OCI", "Registry", system]),

        tests("ArchitectureTests", []),
        tests("LinuxSystemTests", ["LinuxSystem", system]),
        tests("OCITests", ["OCI"]),
        tests("PathPatternsTests", ["PathPatterns"]),
        tests("LLBTests", ["LLB", "LLBMessages", "OCI", protobuf]),
        tests("FrontendProtocolTests", ["FrontendProtocol", "LLB", "OCI"]),
        tests("ProjectFilesTests", ["FrontendProtocol", "LinuxSystem", "OCI", "ProjectFiles"], exclude: ["Fixtures"]),
        tests("SolverTests", ["OCI", "Solver"]),
        tests("SimulationTests", ["OCI", "Solver"]),
        tests("ArchivesTests", ["Archives", "LinuxSystem", "OCI", system]),
        tests("ContentStoreTests", ["ContentStore", "LinuxSystem", "OCI", system]),
        tests("SnapshotsTests", ["Archives", "ContentStore", "LinuxSystem", "OCI", "Snapshots", system]),
        tests("SandboxTests", ["LinuxSystem", "OCI", "Sandbox", system]),
        tests("RegistryTests", ["ContentStore", "LinuxSystem", "OCI", "Registry", "RegistryTestSupport", system]),
        tests("BuildCacheTests", ["BuildCache", "ContentStore", "LinuxSystem", "OCI", "Snapshots", "Solver", system]),
        tests(
            "SourcesTests",
            ["ContentStore", "LinuxSystem", "OCI", "Registry", "RegistryTestSupport", "Snapshots", "Sources", system]
        ),
        tests(
            "ExportersTests",
            [
                "Archives", "ContentStore", "Exporters", "LinuxSystem", "OCI", "Registry", "RegistryTestSupport",
                "Snapshots", system,
            ]
        ),
        tests(
            "FrontendHostTests",
            ["FrontendHost", "FrontendProtocol", "LLB", "LinuxSystem", "OCI", "Sandbox", system]
        ),
        tests(
            "FrontendStoreTests",
            [
                "Archives", "ContentStore", "FrontendStore", "LinuxSystem", "OCI", "ProjectFiles", "Registry",
                "RegistryTestSupport", system,
            ]
        ),
        tests(
            "FrontendConformanceTests",
            ["FrontendConformance", "FrontendHost", "FrontendProtocol", "LinuxSystem", "Sandbox", system]
        ),
        tests(
            "FrontendKitTests",
            ["FrontendKit", "FrontendProtocol", "LLB", "LLBMessages", "LinuxSystem", "OCI", system]
        ),
        tests("YAMLSpecTests", ["FrontendKit", "FrontendProtocol", "LLB", "LLBMessages", "OCI", "YAMLSpec"]),
        tests("LLBTextTests", ["LLB", "LLBMessages", "LLBText", "OCI"]),
        tests("ProtocolTests", ["FrontendProtocol", "LLB", "LinuxSystem", "OCI", "ProjectFiles", system]),
        tests("DockerfileSyntaxTests", ["DockerfileSyntax"]),
        tests(
            "DockerfileConversionTests",
            ["DockerfileConversion", "DockerfileSyntax", "LLB", "LLBMessages", "OCI", protobuf]
        ),
        tests("FuzzTests", ["FuzzEntries"]),
        tests("EngineTests", ["Engine", "LLB", "LinuxSystem", "OCI", system]),
        tests("IntegrationTests", ["Archives", "LinuxSystem", "OCI", "RegistryTestSupport", system]),
    ],
    swiftLanguageModes: [.v6]
)

// The fuzzer itself needs every module built with -sanitize=fuzzer, so `dev/fuzz` builds it in a place of its own.
if Context.environment["KILN_FUZZ"] != nil {
    package.targets += [
        .executableTarget(
            name: "kiln-fuzz",
            dependencies: ["FuzzEntries"],
            path: "Fuzz/Main",
            swiftSettings: houseSettings
        )
    ]
}
