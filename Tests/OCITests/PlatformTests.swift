// SPDX-License-Identifier: Apache-2.0

import OCI
import Testing

@Suite struct PlatformTests {
    @Test(arguments: [
        ("linux/amd64", "linux/amd64"), ("linux/arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64/v8"),
        ("linux/aarch64", "linux/arm64"), ("x86_64", "linux/amd64"), ("linux/arm", "linux/arm"),
        ("linux/arm/7", "linux/arm/v7"), ("macos/arm64", "darwin/arm64"),
        ("Linux/ARM/V6", "linux/arm/v6"),
        ("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"),
        ("windows(10.0+b+a)/amd64", "windows(10.0+a+b)/amd64"),
    ])
    func `reads specifiers as containerd does`(text: String, identifier: String) throws {
        #expect(try Platform(parsing: text).identifier == identifier)
    }

    @Test(arguments: [
        "", "*", "nonsense", "linux/", "/amd64", "a/b/c/d", "linux/am d64", "windows(1/amd64",
        "linux/ß",
    ])
    func `refuses what is no platform`(text: String) {
        #expect(throws: OCIError.self) { try Platform(parsing: text) }
    }

    @Test func `folds the default variants`() {
        #expect(
            Platform(os: "linux", architecture: "arm64", variant: "v8").normalized.variant == nil
        )
        #expect(Platform(os: "linux", architecture: "arm").normalized.variant == "v7")
        #expect(
            Platform(os: "linux", architecture: "amd64", variant: "v1").normalized.variant == nil
        )
        #expect(
            Platform(os: "", architecture: "i386").normalized
                == Platform(os: "linux", architecture: "386")
        )
    }

    @Test func `prefers the nearest variant`() throws {
        let platforms = try [
            "linux/386", "linux/arm/v6", "linux/arm64", "linux/amd64/v2", "linux/amd64",
        ].map {
            try Platform(parsing: $0)
        }
        func best(_ wanted: String) throws -> Int? {
            PlatformMatcher(running: try Platform(parsing: wanted)).bestIndex(of: platforms)
        }
        #expect(try best("linux/amd64") == 4)
        #expect(try best("linux/amd64/v3") == 3)
        #expect(try best("linux/arm64") == 2)
        #expect(try best("linux/arm/v7") == 1)
        #expect(try best("linux/386") == 0)
        #expect(try best("linux/s390x") == nil)
        #expect(
            PlatformMatcher(exactly: try Platform(parsing: "linux/arm/v7")).bestIndex(of: platforms)
                == nil
        )
    }
}
