// SPDX-License-Identifier: Apache-2.0

import Foundation
import ProjectFiles
import Testing

/// The vectors of `Protocol/vectors/semver`.
struct VersionVectorTests {
    private struct Version: Decodable {
        let version: String
        let valid: Bool
    }

    @Test func `versions are those of the specification`() throws {
        for entry in try Vectors.json("semver/versions.json", as: [Version].self) {
            let version = try? SemanticVersion(parsing: entry.version)
            #expect((version != nil) == entry.valid, "\(entry.version)")
            if let version { #expect(version.description == entry.version) }
        }
    }

    @Test func `versions stand in their order`() throws {
        let order = try Vectors.json("semver/order.json", as: [String].self)
            .map { try SemanticVersion(parsing: $0) }
        for (left, right) in zip(order, order.dropFirst()) {
            #expect(left < right)
            #expect(!(right < left))
        }
        var generator = SeededGenerator(seed: 1)
        #expect(order.shuffled(using: &generator).sorted() == order)
    }

    private struct Constraint: Decodable {
        let constraint: String
        let valid: Bool?
        let range: String?
        let contains: [String]?
        let excludes: [String]?
    }

    @Test func `constraints hold what they say`() throws {
        for entry in try Vectors.json("semver/constraints.json", as: [Constraint].self) {
            guard entry.valid != false else {
                #expect(throws: ProjectError.self, "\(entry.constraint)") {
                    try VersionConstraint(parsing: entry.constraint)
                }
                continue
            }
            let constraint = try VersionConstraint(parsing: entry.constraint)
            #expect(constraint.range == entry.range)
            for version in entry.contains ?? [] {
                #expect(try constraint.contains(SemanticVersion(parsing: version)), "\(constraint) ∋ \(version)")
            }
            for version in entry.excludes ?? [] {
                #expect(try !constraint.contains(SemanticVersion(parsing: version)), "\(constraint) ∌ \(version)")
            }
        }
    }

    private struct Tag: Decodable {
        let tag: String?
        let valid: Bool?
        let constraint: String?
        let channel: String?
        let floating: Bool?
        let bundled: [String]?
        let notBundled: [String]?
    }

    @Test func `tags mean what a Docker user expects`() throws {
        for entry in try Vectors.json("semver/tags.json", as: [Tag].self) {
            guard entry.valid != false else {
                #expect(throws: ProjectError.self, "\(entry.tag ?? "")") { try VersionTag(parsing: entry.tag) }
                continue
            }
            let tag = try VersionTag(parsing: entry.tag)
            #expect(tag.constraint.text == entry.constraint)
            #expect(tag.channel == entry.channel)
            #expect(tag.isFloating == entry.floating, "\(entry.tag ?? "")")
            for version in entry.bundled ?? [] {
                #expect(try tag.isServed(byBundled: SemanticVersion(parsing: version)), "\(entry.tag ?? "") \(version)")
            }
            for version in entry.notBundled ?? [] {
                #expect(
                    try !tag.isServed(byBundled: SemanticVersion(parsing: version)),
                    "\(entry.tag ?? "") \(version)"
                )
            }
        }
    }

    @Test func `constraints that let the same in are equal`() throws {
        #expect(try VersionConstraint(parsing: "1.7") == VersionConstraint(parsing: "^1.7"))
        #expect(try VersionConstraint(parsing: ">=1, <2") == VersionConstraint(parsing: ">= 1,<2"))
        #expect(try VersionConstraint(parsing: "^1.7") != VersionConstraint(parsing: "~1.7"))
    }
}
