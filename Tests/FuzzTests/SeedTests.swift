// SPDX-License-Identifier: Apache-2.0

import Foundation
import FuzzEntries
import Testing

/// Every seed and every recorded finding, given to its entry once: what a fuzzer found is not found again.
@Suite struct SeedTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fuzz/seeds")

    @Test(arguments: FuzzEntry.all.map(\.name))
    func `every seed keeps what its entry promises`(name: String) async throws {
        let entry = try #require(FuzzEntry.named(name))
        let folder = Self.folder.appending(path: name)
        let seeds = try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted()
        #expect(!seeds.isEmpty, "an entry without seeds finds little")
        for seed in seeds {
            let bytes = try Array(Data(contentsOf: folder.appending(path: seed)))
            do {
                try await entry.run(bytes)
            } catch {
                Issue.record("\(name)/\(seed): \(error)")
            }
        }
    }

    @Test func `every folder of seeds has an entry`() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path())
        #expect(Set(folders) == Set(FuzzEntry.all.map(\.name)))
    }

    /// In an unoptimized build and beside other tests: what takes square time takes minutes, not seconds.
    @Test(.timeLimit(.minutes(2)), arguments: FuzzEntry.all.map(\.name))
    func `a long input takes no longer than its length`(name: String) async throws {
        let entry = try #require(FuzzEntry.named(name))
        let folder = Self.folder.appending(path: name)
        let seed = try #require(FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted().first)
        let bytes = try Array(Data(contentsOf: folder.appending(path: seed)))
        try await entry.run(Array(repeatElement(bytes, count: 1 + FuzzEntry.byteLimit / max(1, bytes.count)).joined()))
    }
}
