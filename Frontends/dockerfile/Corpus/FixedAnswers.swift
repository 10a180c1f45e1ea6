// SPDX-License-Identifier: Apache-2.0

internal import DockerfileConversion
internal import LLB
internal import OCI

/// The world the corpus' answers were made in: every image exists and is empty, no file does, nothing else resolves.
struct FixedAnswers: ConversionContext {
    /// What cannot be had in this world.
    struct Unavailable: Error, CustomStringConvertible {
        let description: String
    }

    static let imageConfig =
        Array(
            #"{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"#
                .utf8
        )
        + Array(
            #"/usr/bin:/sbin:/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb924"#
                .utf8
        ) + Array(#"27ae41e4649b934ca495991b7852b855"]}}"#.utf8)

    func resolveImage(
        _ name: String,
        platform: Platform?,
        mode: State.ImageResolveMode,
        logName: String
    ) async throws -> ResolvedImage {
        ResolvedImage(name: name, digest: Digest.of(name), config: FixedAnswers.imageConfig)
    }

    func resolveLayoutImage(
        _ name: String,
        store: String,
        platform: Platform?,
        logName: String
    ) async throws -> ResolvedImage {
        throw Unavailable(description: "there is no OCI layout")
    }

    func sourceTime(
        identifier: String,
        attributes: [String: String],
        logName: String
    ) async throws -> Int64? {
        throw Unavailable(description: "\(identifier) cannot be resolved")
    }

    func solve(_ definition: Definition) async throws -> any ConversionTree { EmptyTree() }

    func input(_ name: String) async throws -> Definition? { nil }

    private struct EmptyTree: ConversionTree {
        func readFile(_ path: String, byteLimit: Int?) async throws -> [UInt8]? { nil }
    }
}
