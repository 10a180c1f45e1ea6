// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import LinuxSystem
internal import NIOHTTP1
internal import OCI

/// The upload of one blob, continued where it broke off as far as the registry can.
///
/// A blob that fits into one part is sent by a single PUT, what every registry takes; a longer one
/// by a PATCH a part. After a lost connection the registry is asked how much it has. Source: OCI
/// distribution-spec v1.1, "Pushing blobs".
struct BlobUpload: Sendable {
    let blob: OCI.Descriptor
    let file: LinuxSystem.Descriptor
    let repository: Repository
    let endpoint: Endpoint
    let scopes: [Authorizer.Scope]
    let session: RegistrySession
    let partByteCount: Int64
    let progress: ProgressHandler?

    /// An upload the registry keeps for us.
    private struct Position {
        var location: URL
        /// How many bytes the registry has.
        var offset: Int64
    }

    /// Sends the blob; `location` is an upload that the registry has begun already.
    func run(from location: URL?) async throws {
        var position = location.map { Position(location: $0, offset: 0) }
        var failureCount = 0
        while true {
            let before = position?.offset ?? 0
            do {
                var current: Position
                if let position { current = position } else { current = try await begin() }
                position = current
                while blob.size - current.offset > partByteCount
                    || (current.offset > 0 && current.offset < blob.size)
                {
                    try await sendPart(&current)
                    position = current
                    failureCount = 0
                }
                try await finish(current)
                return
            } catch let error as RegistryError
                where error.isTransient || invalidates(position, error)
            {
                failureCount += 1
                try await session.pause(after: error, failureCount: failureCount)
                position = error.isTransient ? try await whereabouts(of: position) : nil
                if let position, position.offset > before { failureCount = 1 }
            }
        }
    }

    /// Whether an error means that the registry forgot an upload, or does not agree with us about
    /// what it has.
    private func invalidates(_ position: Position?, _ error: RegistryError) -> Bool {
        guard let position else { return false }
        return error.status == 404 || error.status == 416
            || (error.status == 400 && position.offset > 0)
    }

    private func begin() async throws -> Position {
        let answer = try await session.performOnce(
            RegistryCall(
                method: .POST,
                target: .path(endpoint.path(repository, "blobs/uploads/")),
                scopes: scopes,
                headers: ["Content-Length": "0"],
                accepted: [202]
            ),
            at: endpoint
        )
        return Position(location: try location(of: answer), offset: 0)
    }

    private func sendPart(_ position: inout Position) async throws {
        let count = min(partByteCount, blob.size - position.offset)
        let answer = try await session.performOnce(
            RegistryCall(
                method: .PATCH,
                target: .address(position.location),
                scopes: scopes,
                headers: [
                    "Content-Type": "application/octet-stream",
                    "Content-Range": "\(position.offset)-\(position.offset + count - 1)",
                ],
                body: stretch(from: position.offset, count),
                accepted: [201, 202, 204]
            ),
            at: endpoint
        )
        position.location = try location(of: answer)
        position.offset += count
    }

    /// Sends the only part, or nothing when all parts are there, and has the registry check the
    /// digest.
    private func finish(_ position: Position) async throws {
        let count = position.offset == 0 ? blob.size : 0
        let base = position.location.absoluteString
        let separator = position.location.query == nil ? "?" : "&"
        guard
            let url = URL(
                string: "\(base)\(separator)digest=\(percentEncoded(blob.digest.description))"
            )
        else {
            throw RegistryError(
                .badResponse,
                "\(endpoint.authority) gave an upload address that cannot be used"
            )
        }
        _ = try await session.performOnce(
            RegistryCall(
                method: .PUT,
                target: .address(url),
                scopes: scopes,
                headers: ["Content-Type": "application/octet-stream"],
                body: count > 0 ? stretch(from: 0, count) : .bytes([]),
                accepted: [201, 204]
            ),
            at: endpoint
        )
    }

    /// How much the registry has; `nil` when the upload has to begin anew.
    private func whereabouts(of position: Position?) async throws -> Position? {
        guard let position else { return nil }
        let answer: RegistrySession.Answer
        do {
            answer = try await session.perform(
                RegistryCall(
                    method: .GET,
                    target: .address(position.location),
                    scopes: scopes,
                    accepted: [204]
                ),
                at: endpoint
            )
        } catch is RegistryError {
            return nil
        }
        // "0-0" may mean nothing or one byte: not worth continuing.
        guard let range = answer.header("Range"), let last = UploadRange(range)?.last, last > 0,
            last < blob.size,
            let location = try? location(of: answer, otherwise: position.location)
        else { return nil }
        return Position(location: location, offset: last + 1)
    }

    private func stretch(from offset: Int64, _ count: Int64) -> HTTPRequest.Body {
        .file(
            FileStretch(file: file, offset: offset, byteCount: count) { [blob, progress] done in
                progress?(blob.progress(.uploading, offset + done))
            }
        )
    }

    /// Where the next request of the upload goes.
    private func location(of answer: RegistrySession.Answer, otherwise: URL? = nil) throws -> URL {
        if let text = answer.header("Location"), let url = address(text, relativeTo: answer.url) {
            return upgraded(url, answer.url)
        }
        if let otherwise { return otherwise }
        throw RegistryError(
            .badResponse,
            "\(hostText(answer.url)) began an upload without saying where"
        )
    }

    /// A registry behind a TLS proxy may name itself by plain HTTP: the connection stays on TLS.
    private func upgraded(_ url: URL, _ base: URL) -> URL {
        guard base.scheme == "https", url.scheme == "http",
            var parts = URLComponents(url: url, resolvingAgainstBaseURL: true)
        else { return url }
        parts.scheme = "https"
        if parts.port == 80 { parts.port = nil }
        return parts.url ?? url
    }
}

/// The value of the `Range` header of an upload, `0-1023`.
struct UploadRange: Hashable {
    let first: Int64
    let last: Int64

    init?(_ text: String) {
        let body = text.hasPrefix("bytes=") ? text.dropFirst(6) : text[...]
        let ends = body.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = Int64(ends[0]), let last = Int64(ends[1]), first == 0,
            last >= first
        else { return nil }
        self.first = first
        self.last = last
    }
}
