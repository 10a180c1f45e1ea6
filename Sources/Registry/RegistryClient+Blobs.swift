// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import ContentStore
internal import FoundationEssentials
internal import LinuxSystem
internal import NIOCore
internal import NIOHTTP1
package import OCI

extension RegistryClient {
    /// Brings a blob into the store, unless it is there.
    ///
    /// What an earlier try left, even one of another process that was killed, is continued where
    /// the server can; bytes are checked as a whole at the end. Progress is told to every caller
    /// that waits for the blob.
    ///
    /// - Throws: `RegistryError` as a whole sentence: `digestMismatch` and `sizeMismatch` when the
    ///   registry's bytes are not those the descriptor names; `ContentStoreError` when the store
    ///   cannot take them; `CancellationError`.
    package func fetch(
        _ blob: OCI.Descriptor,
        from repository: Repository,
        progress: ProgressHandler? = nil
    ) async throws {
        // A transfer that another caller began may fail for a reason of its own, as its login: then
        // ours is tried.
        for _ in 0..<2 {
            if try await isStored(blob, of: repository) {
                progress?(blob.progress(.alreadyThere, blob.size))
                return
            }
            let outcome = try await transfers.join(blob.digest, progress: progress) {
                [self] report in
                try await gate.run {
                    try await askingEach(
                        of: repository,
                        to: "pull blob \(blob.digest) of \(repository)"
                    ) {
                        try await download(blob, from: repository, at: $0, report)
                    }
                }
                report(blob.progress(.done, blob.size))
            }
            guard let failure = outcome.failure else { return }
            if outcome.led { throw failure }
        }
        throw RegistryError(
            .unavailable,
            "cannot pull blob \(blob.digest) of \(repository): the transfers it was shared with failed"
        )
    }

    /// A whole small blob, as an image config, from the store or the registry.
    ///
    /// - Throws: `tooLarge` when the descriptor names more than `byteLimit` bytes, before anything
    ///   is asked for.
    package func read(
        _ blob: OCI.Descriptor,
        from repository: Repository,
        byteLimit: Int = RegistryLimit.configByteCount
    ) async throws -> [UInt8] {
        guard blob.size <= Int64(byteLimit) else {
            throw RegistryError(
                .tooLarge,
                "cannot pull blob \(blob.digest) of \(repository): it has \(blob.size) bytes, at most \(byteLimit) are allowed"
            )
        }
        do {
            try await fetch(blob, from: repository)
            return try await readStored(blob, byteLimit)
        } catch let error as ContentStoreError where error.code == .corrupt {
            // The damaged copy was moved away: fetch a sound one.
            try await fetch(blob, from: repository)
            return try await readStored(blob, byteLimit)
        }
    }

    /// Whether a blob is in the store, with the length its descriptor names.
    private func isStored(_ blob: OCI.Descriptor, of repository: Repository) async throws -> Bool {
        guard content.contains(blob.digest) else { return false }
        return try await blocking { [content] in
            guard try content.size(of: blob.digest) != blob.size else { return true }
            do {
                try content.verify(blob.digest)
            } catch let error as ContentStoreError where error.code == .corrupt {
                return false
            }
            throw RegistryError(
                .sizeMismatch,
                "cannot use blob \(blob.digest) of \(repository): it has "
                    + "\(try content.size(of: blob.digest)) bytes, its descriptor names \(blob.size)"
            )
        }
    }

    private func readStored(_ blob: OCI.Descriptor, _ byteLimit: Int) async throws -> [UInt8] {
        try await blocking { [content] in try content.read(blob.digest, byteLimit: byteLimit) }
    }

    // MARK: Download

    /// Progress of less than this, in bytes, does not make a failed try a good one.
    private static let usefulByteCount: Int64 = 64 << 10
    /// Received bytes are handed to the disk in pieces of this length.
    private static let pieceByteCount = 1 << 20

    private func download(
        _ blob: OCI.Descriptor,
        from repository: Repository,
        at endpoint: Endpoint,
        _ report: @escaping ProgressHandler
    ) async throws {
        var partial = try await blocking { [content] in try content.partial(blob.digest) }
        var failureCount = 0
        while !content.contains(blob.digest) {
            let before = partial.offset
            do {
                try await receive(blob, into: partial, from: repository, at: endpoint, report)
                try await blocking { [partial] in try partial.commit(expectedSize: blob.size) }
            } catch let error as RegistryError where error.isTransient {
                failureCount =
                    partial.offset - before >= Self.usefulByteCount ? 1 : failureCount + 1
                try await session.pause(after: error, failureCount: failureCount)
            } catch let error as ContentStoreError where error.code == .digestMismatch {
                // Bytes of an earlier try may have been wrong; the store dropped them all. Once
                // more from the start.
                guard before > 0 else {
                    throw RegistryError(
                        .digestMismatch,
                        "\(endpoint.authority) sent other bytes than the digest names: \(error.message)",
                        cause: error
                    )
                }
                partial = try await blocking { [content] in try content.partial(blob.digest) }
            }
        }
    }

    /// Receives what is missing of a blob; what came stays in `partial` whatever happens.
    private func receive(
        _ blob: OCI.Descriptor,
        into partial: PartialBlob,
        from repository: Repository,
        at endpoint: Endpoint,
        _ report: @escaping ProgressHandler
    ) async throws {
        if partial.offset > blob.size { try await reset(partial) }
        if partial.offset == blob.size, blob.size > 0 { return }
        var call = RegistryCall(
            method: .GET,
            target: .path(endpoint.path(repository, "blobs/\(blob.digest)")),
            scopes: [pullScope(repository, endpoint)],
            accepted: [200, 206, 416]
        )
        if partial.offset > 0 { call.headers.add(name: "Range", value: "bytes=\(partial.offset)-") }
        let answer = try await session.performOnce(call, at: endpoint)
        try await agreeOnStart(answer, blob, partial)
        var received = partial.offset
        var pending: [ByteBuffer] = []
        var pendingCount = 0
        var pace = Pace(timeouts: configuration.timeouts)
        do {
            for try await chunk in answer.response.body {
                received += Int64(chunk.readableBytes)
                guard received <= blob.size else {
                    throw RegistryError(
                        .sizeMismatch,
                        "\(hostText(answer.url)) sent more than the \(blob.size) bytes its descriptor names"
                    )
                }
                try pace.add(chunk.readableBytes, from: answer.url)
                pending.append(chunk)
                pendingCount += chunk.readableBytes
                if pendingCount >= Self.pieceByteCount {
                    try await append(pending, to: partial)
                    pending.removeAll(keepingCapacity: true)
                    pendingCount = 0
                    report(blob.progress(.downloading, received))
                }
            }
        } catch {
            try await append(pending, to: partial)
            throw translated(error, url: answer.url)
        }
        try await append(pending, to: partial)
        report(blob.progress(.downloading, received))
        if received < blob.size {
            throw RegistryError(
                .unavailable,
                "\(hostText(answer.url)) ended the blob after \(received) of \(blob.size) bytes",
                isTransient: true
            )
        }
    }

    /// Checks that an answer begins where `partial` ends; sets `partial` back when the server
    /// begins anew.
    private func agreeOnStart(
        _ answer: RegistrySession.Answer,
        _ blob: OCI.Descriptor,
        _ partial: PartialBlob
    ) async throws {
        let host = hostText(answer.url)
        switch answer.status {
        case 206:
            let range = answer.header("Content-Range").flatMap(ContentRange.init)
            guard let range, range.first == partial.offset,
                range.total == nil || range.total == blob.size
            else {
                try await reset(partial)
                throw RegistryError(
                    .badResponse,
                    "\(host) sent another range of the blob than it was asked for",
                    isTransient: true
                )
            }
        case 416:
            try await reset(partial)
            throw RegistryError(
                .badResponse,
                "\(host) refused to continue the blob (416)",
                isTransient: true
            )
        default:
            // No ranges here: what is there is sent again.
            if partial.offset > 0 { try await reset(partial) }
            guard let text = answer.header("Content-Length") else { return }
            guard let length = Int64(text), length == blob.size else {
                throw RegistryError(
                    .sizeMismatch,
                    "\(host) has \(singleLine(text, characterLimit: 40)) bytes, the descriptor names \(blob.size)"
                )
            }
        }
    }

    private func reset(_ partial: PartialBlob) async throws {
        try await blocking { try partial.reset() }
    }

    private func append(_ pieces: [ByteBuffer], to partial: PartialBlob) async throws {
        guard !pieces.isEmpty else { return }
        try await blocking {
            for piece in pieces {
                try unsafe piece.withUnsafeReadableBytes { unsafe try partial.append($0) }
            }
        }
    }
}

/// Notices a server that sends, but hardly.
private struct Pace {
    private let limit: Duration
    private let byteCountMin: Int
    private var windowStart = ContinuousClock.now
    private var windowByteCount = 0

    init(timeouts: RegistryTimeouts) {
        limit = timeouts.stall
        byteCountMin = timeouts.stallByteCount
    }

    mutating func add(_ byteCount: Int, from url: URL) throws {
        windowByteCount += byteCount
        let now = ContinuousClock.now
        guard now - windowStart > limit else { return }
        guard windowByteCount >= byteCountMin else {
            throw RegistryError(
                .timedOut,
                "\(hostText(url)) sent only \(windowByteCount) bytes in \(limit)",
                isTransient: true
            )
        }
        windowStart = now
        windowByteCount = 0
    }
}

/// The value of a `Content-Range` header, `bytes 5-9/10`.
///
/// Source: RFC 9110, section 14.4.
struct ContentRange: Hashable {
    let first: Int64
    let last: Int64
    /// Length of the whole; `nil` when it is not told.
    let total: Int64?

    init?(_ text: String) {
        guard text.hasPrefix("bytes ") else { return nil }
        let parts = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = Int64(ends[0]), let last = Int64(ends[1]), first >= 0,
            last >= first
        else { return nil }
        self.first = first
        self.last = last
        if parts[1] == "*" {
            total = nil
        } else {
            guard let total = Int64(parts[1]), total > last else { return nil }
            self.total = total
        }
    }
}

extension OCI.Descriptor {
    func progress(_ stage: TransferProgress.Stage, _ current: Int64) -> TransferProgress {
        TransferProgress(digest: digest, stage: stage, current: current, total: size)
    }
}
