// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let package = Package(
    name: "frontend",
    dependencies: [.package(name: "kiln", path: "{{KILN}}")],
    targets: [
        .executableTarget(name: "frontend", dependencies: [.product(name: "FrontendKit", package: "kiln")])
    ]
)
