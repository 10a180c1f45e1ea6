// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import ContentStore
internal import FoundationEssentials
internal import LinuxSystem
internal import NIOCore
internal import NIOHTTP1
package import OCI

/// A request for a file of the web, which need not be a registry's.
package struct FileRequest: Sendable {
    /// `http` or `https`; a user and password in it become a login.
    package var url: String
    /// In order; may hold an `Authorization`, which redirections to other servers do not get.
    package var headers: [(name: String, value: String)]

    package init(url: String, headers: [(name: String, value: String)] = []) {
        self.url = url
        self.headers = headers
    }
}

/// What a server said about a file.
package struct FileAnswer: Sendable {
    package let status: Int
    package let entityTag: String?
    package let lastModified: String?
    package let contentDisposition: String?

    /// Whether the file is the one that `If-None-Match` named.
    package var isNotModified: Bool { status == 304 }
}

extension RegistryClient {
    /// Asks about a file without fetching it, once.
    ///
    /// - Throws: `RegistryError` also for an answer that is no success.
    package func inspectFile(_ request: FileRequest) async throws -> FileAnswer {
        let url = try fileURL(request)
        let response = try await session.transport.send(httpRequest(request, url, .HEAD))
        return try await answer(response, url)
    }

    /// Fetches a file into the store.
    ///
    /// Connections that are lost are made anew, from the beginning. Redirections are followed, but never from https to
    /// plain http.
    ///
    /// - Returns: The blob; `nil` when the server says that the file is the one `If-None-Match` named.
    /// - Throws: `tooLarge` beyond `byteLimit`; `RegistryError` for any other answer that is no success.
    package func downloadFile(
        _ request: FileRequest,
        byteLimit: Int64,
        progress: (@Sendable (Int64) -> Void)? = nil
    ) async throws -> (answer: FileAnswer, blob: (digest: Digest, size: Int64)?) {
        let url = try fileURL(request)
        do {
            return try await session.retrying { [self] in
                let response = try await session.transport.send(httpRequest(request, url, .GET))
                let answer = try await answer(response, url)
                if answer.isNotModified { return (answer, nil) }
                let length = response.headers.first(name: "Content-Length").flatMap { Int64($0) }
                if let length, length > byteLimit { throw tooLarge(url, byteLimit) }
                return (answer, try await store(response, url, length, byteLimit, progress))
            }
        } catch let error as RegistryError {
            throw error.failing("fetch \(Self.shown(url))")
        }
    }

    /// An address without what may be secret: login and query.
    private static func shown(_ url: URL) -> String {
        "\(url.scheme ?? "http")://\(hostText(url))\(url.path(percentEncoded: true))"
    }

    private func fileURL(_ request: FileRequest) throws -> URL {
        guard let base = URL(string: "http://localhost/"), let url = address(request.url, relativeTo: base),
            request.url.lowercased().hasPrefix("http")
        else {
            throw RegistryError(.notFound, "cannot fetch \"\(request.url.prefix(200))\": it is no address of the web")
        }
        return url
    }

    private func httpRequest(_ request: FileRequest, _ url: URL, _ method: HTTPMethod) -> HTTPRequest {
        var headers = HTTPHeaders(request.headers.map { ($0.name, $0.value) })
        if let user = url.user(percentEncoded: false), headers["Authorization"].isEmpty {
            let login = Data("\(user):\(url.password(percentEncoded: false) ?? "")".utf8).base64EncodedString()
            headers.add(name: "Authorization", value: "Basic \(login)")
        }
        return HTTPRequest(method: method, url: url, headers: headers)
    }

    private func answer(_ response: HTTPClientResponse, _ url: URL) async throws -> FileAnswer {
        let status = Int(response.status.code)
        guard (200..<300).contains(status) || status == 304 else {
            throw failure(status: status, headers: response.headers, body: [], url: url, login: nil)
        }
        return FileAnswer(
            status: status,
            entityTag: response.headers.first(name: "ETag"),
            lastModified: response.headers.first(name: "Last-Modified"),
            contentDisposition: response.headers.first(name: "Content-Disposition")
        )
    }

    private func store(
        _ response: HTTPClientResponse,
        _ url: URL,
        _ length: Int64?,
        _ byteLimit: Int64,
        _ progress: (@Sendable (Int64) -> Void)?
    ) async throws -> (digest: Digest, size: Int64) {
        let writer = try await blocking { [content] in try content.ingest() }
        do {
            var count: Int64 = 0
            do {
                var piece: [UInt8] = []
                for try await chunk in response.body {
                    count += Int64(chunk.readableBytes)
                    guard count <= byteLimit else { throw tooLarge(url, byteLimit) }
                    piece.append(contentsOf: chunk.readableBytesView)
                    guard piece.count >= 1 << 20 else { continue }
                    try await blocking { [piece] in try writer.write(piece) }
                    piece.removeAll(keepingCapacity: true)
                    progress?(count)
                }
                try await blocking { [piece] in try writer.write(piece) }
            } catch {
                throw translated(error, url: url)
            }
            if let length, length != count {
                throw RegistryError(
                    .unavailable,
                    "\(hostText(url)) announced \(length) bytes and sent \(count)",
                    isTransient: true
                )
            }
            return try await blocking { try writer.commit() }
        } catch {
            writer.cancel()
            throw error
        }
    }

    private func tooLarge(_ url: URL, _ byteLimit: Int64) -> RegistryError {
        RegistryError(.tooLarge, "\(hostText(url)) sends more than the \(byteLimit) bytes allowed here")
    }
}
