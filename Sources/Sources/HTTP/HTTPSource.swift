// SPDX-License-Identifier: Apache-2.0

package import ContentStore
internal import FoundationEssentials
internal import LinuxSystem
internal import OCI
package import Registry
package import Snapshots
internal import Synchronization

/// Files of the web as sources of one build.
///
/// Within the life of one object an address means one body, however often it is asked for: make one object a build. A
/// body that was fetched before is asked for by its entity tag, and not fetched again while the server stands by it.
package final class HTTPSource: Sendable {
    /// Largest body, in bytes.
    package static let byteLimit: Int64 = 16 << 30

    /// The value of a secret; `nil` when the build was not given it.
    package typealias Secrets = @Sendable (_ id: String) async throws -> [UInt8]?

    private let client: RegistryClient
    let content: ContentStore
    private let snapshots: SnapshotStore
    private let metadata: any MetadataStore
    private let isOffline: Bool
    private let found = Mutex<[HTTPFileRequest: HTTPFile]>([:])

    package init(
        client: RegistryClient,
        content: ContentStore,
        snapshots: SnapshotStore,
        metadata: any MetadataStore = ForgetfulMetadata(),
        isOffline: Bool = false
    ) {
        self.client = client
        self.content = content
        self.snapshots = snapshots
        self.metadata = metadata
        self.isOffline = isOffline
    }

    /// The cache key of a file whose checksum the build names: nothing is asked of anybody.
    ///
    /// `nil` when it has to be fetched to be known.
    package func pinnedKey(_ request: HTTPFileRequest) -> String? {
        request.checksum.map { key(request, name: fixedName(request), checksum: $0.description, lastModified: nil) }
    }

    /// The cache key of a file that was found: its body, its name, and what is made of it.
    package func key(_ request: HTTPFileRequest, _ file: HTTPFile) -> String {
        key(request, name: file.name, checksum: file.digest.description, lastModified: file.lastModified)
    }

    private func key(
        _ request: HTTPFileRequest,
        name: String,
        checksum: String,
        lastModified: Int64?
    ) -> String {
        var members = [
            JSONMember("Filename", .string(name)), JSONMember("Perm", .integer(request.permissions)),
            JSONMember("UID", .integer(request.user)), JSONMember("GID", .integer(request.group)),
            JSONMember("Checksum", .string(checksum)),
        ]
        if let lastModified { members.append(JSONMember("LastModTime", .integer(lastModified))) }
        if let secret = request.authHeaderSecret { members.append(JSONMember("AuthHeaderSecret", .string(secret))) }
        if !request.headers.isEmpty {
            let headers = request.headers.map { header in
                JSONValue.object([
                    JSONMember("Name", .string(header.name)), JSONMember("Value", .string(header.value)),
                ])
            }
            members.append(JSONMember("Header", .array(headers)))
        }
        return "http:\(Digest.of(JSONValue.object(members).encoded))"
    }

    /// Finds a file, fetching it unless the store holds what the server still offers, or what the checksum names.
    ///
    /// - Throws: `digestMismatch` when the body is not the one of the request's checksum; `RegistryError`;
    ///   `SourcesError`.
    package func resolve(
        _ request: HTTPFileRequest,
        secrets: Secrets,
        progress: (@Sendable (Int64) -> Void)? = nil
    ) async throws -> HTTPFile {
        if let file = found.withLock({ $0[request] }) { return file }
        let file = try await find(request, secrets, progress)
        return found.withLock { found in
            // Whoever came first decides what the address means.
            let first = found[request] ?? file
            found[request] = first
            return first
        }
    }

    /// The tree that holds nothing but a file.
    package func tree(of file: HTTPFile, _ request: HTTPFileRequest) async throws -> FileTree {
        let layer = try await snapshots.write(on: .scratch) { [content] writer in
            try writer.makeFile(
                file.name,
                mode: request.permissions,
                owner: FileOwner(uid: request.user, gid: request.group),
                timestamp: FileStatus.Time(seconds: file.lastModified ?? 0),
                content: try content.open(file.digest)
            )
        }
        return FileTree(layers: [layer])
    }

    // MARK: Finding

    /// What was learnt of an address the last time.
    private struct Memory {
        var entityTag: String
        var digest: Digest
        var lastModified: Int64?
        var disposition: String?

        init(entityTag: String, digest: Digest, lastModified: Int64?, disposition: String?) {
            self.entityTag = entityTag
            self.digest = digest
            self.lastModified = lastModified
            self.disposition = disposition
        }

        init?(_ text: String) {
            guard let json = try? JSONValue(parsing: text), let tag = json["etag"]?.text,
                let digest = json["digest"]?.text.flatMap({ Digest($0) })
            else { return nil }
            entityTag = tag
            self.digest = digest
            lastModified = json["modified"]?.integer
            disposition = json["disposition"]?.text
        }

        var text: String {
            var members = [
                JSONMember("etag", .string(entityTag)), JSONMember("digest", .string(digest.description)),
            ]
            if let lastModified { members.append(JSONMember("modified", .integer(lastModified))) }
            if let disposition { members.append(JSONMember("disposition", .string(disposition))) }
            return JSONValue.object(members).encodedText
        }
    }

    private func find(
        _ request: HTTPFileRequest,
        _ secrets: Secrets,
        _ progress: (@Sendable (Int64) -> Void)?
    ) async throws -> HTTPFile {
        let memory = try await blocking { [self] in try remembered(request) }
        if let checksum = request.checksum, checksum.algorithm == .sha256, let digest = Digest(hex: checksum.hex),
            content.contains(digest)
        {
            let isSame = memory?.digest == digest
            return HTTPFile(
                digest: digest,
                name: fixedName(request),
                lastModified: isSame ? memory?.lastModified : nil
            )
        }
        if isOffline {
            throw SourcesError(
                .unavailable,
                "cannot fetch \(request.url): it is not in the store, and this build is offline"
            )
        }
        let wire = try await fileRequest(request, secrets)
        if let memory, request.checksum == nil, try await isCurrent(memory, wire) { return file(request, memory) }
        var conditional = wire
        if let memory, request.checksum == nil { conditional.headers.append(("If-None-Match", memory.entityTag)) }
        let (answer, blob) = try await client.downloadFile(conditional, byteLimit: Self.byteLimit, progress: progress)
        guard let blob else {
            guard let memory else {
                throw SourcesError(
                    .unavailable,
                    "cannot fetch \(request.url): the server says it was not modified, but nobody asked about that"
                )
            }
            return file(request, memory)
        }
        if let checksum = request.checksum { try await verify(blob.digest, against: checksum, request) }
        let learnt = Memory(
            entityTag: answer.entityTag ?? "",
            digest: blob.digest,
            lastModified: answer.lastModified.flatMap(HTTPText.seconds),
            disposition: answer.contentDisposition
        )
        try await blocking { [self] in try metadata.remember(learnt.text, for: memoryKey(request)) }
        return file(request, learnt)
    }

    private func file(_ request: HTTPFileRequest, _ memory: Memory) -> HTTPFile {
        var name = fixedName(request)
        // With a checksum the key is known before the server says anything, so it has no say in the name.
        if request.filename == nil, request.checksum == nil,
            let told = memory.disposition.flatMap({ HTTPText.filename(disposition: $0) })
        {
            name = told
        }
        return HTTPFile(digest: memory.digest, name: name, lastModified: memory.lastModified)
    }

    /// The name that the request decides.
    private func fixedName(_ request: HTTPFileRequest) -> String {
        if let filename = request.filename { return HTTPText.base(of: filename) ?? "download" }
        return URL(string: request.url).flatMap { HTTPText.base(of: $0.path(percentEncoded: false)) } ?? "download"
    }

    /// Asks whether a remembered body is still the one; some servers misread `If-None-Match`, so tags are compared here.
    private func isCurrent(_ memory: Memory, _ request: FileRequest) async throws -> Bool {
        guard !memory.entityTag.isEmpty else { return false }
        var question = request
        question.headers.append(("If-None-Match", memory.entityTag))
        do {
            let answer = try await client.inspectFile(question)
            if answer.isNotModified, answer.entityTag == nil { return true }
            return answer.entityTag.map(Self.strong) == Self.strong(memory.entityTag)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // A server need not answer such questions.
            return false
        }
    }

    private static func strong(_ tag: String) -> Substring { tag.hasPrefix("W/") ? tag.dropFirst(2) : tag[...] }

    // MARK: Memory

    private func memoryKey(_ request: HTTPFileRequest) -> String {
        let headers = request.headers.map { "\($0.name):\($0.value)" }.joined(separator: "\0")
        let parts = [request.url, request.authHeaderSecret ?? "", headers]
        return "http:\(Digest.of(parts.joined(separator: "\0\0")))"
    }

    private func remembered(_ request: HTTPFileRequest) throws -> Memory? {
        guard let text = try metadata.remembered(memoryKey(request))?.value, let memory = Memory(text),
            content.contains(memory.digest)
        else { return nil }
        return memory
    }

    // MARK: Asking

    private func fileRequest(_ request: HTTPFileRequest, _ secrets: Secrets) async throws -> FileRequest {
        var wire = FileRequest(url: request.url, headers: request.headers.map { ($0.name, $0.value) })
        if let value = try await authorization(request, secrets) { wire.headers.append(("Authorization", value)) }
        return wire
    }

    /// The login a build was given for a server.
    private func authorization(_ request: HTTPFileRequest, _ secrets: Secrets) async throws -> String? {
        var value: String?
        for secret in request.login {
            guard let bytes = try await secrets(secret.id) else { continue }
            value =
                (secret.name == HTTPFileRequest.loginToken ? "Bearer " : "") + String(decoding: bytes, as: UTF8.self)
            break
        }
        if value == nil, let id = request.authHeaderSecret {
            throw SourcesError(
                .invalid,
                "cannot fetch \(request.url): the build was not given the secret \(id) that its login is in"
            )
        }
        guard var value else { return nil }
        while let last = value.last, last.isNewline { value.removeLast() }
        guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw SourcesError(
                .invalid,
                "cannot fetch \(request.url): the secret with its login holds a control character"
            )
        }
        return value
    }
}
