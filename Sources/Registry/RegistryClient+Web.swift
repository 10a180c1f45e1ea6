// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import ContentStore
internal import FoundationEssentials
internal import LinuxSystem
internal import NIOCore
internal import NIOHTTP1
package import OCI

/// The address of files on an ordinary web server.
package enum WebAddress {
    /// - Throws: `RegistryError`, a bare reason, unless the address is `https`, or `http` of this machine itself, and has
    ///   neither login nor query nor fragment.
    package static func check(_ text: String) throws(RegistryError) { _ = try url(text) }

    static func url(_ text: String) throws(RegistryError) -> URL {
        guard text.utf8.count <= 4096, let url = URL(string: text), let scheme = url.scheme?.lowercased(),
            let host = url.host(percentEncoded: true), !host.isEmpty
        else { throw RegistryError(.badResponse, "it is no address of a web server") }
        guard url.user == nil, url.query == nil, url.fragment == nil else {
            throw RegistryError(.badResponse, "an address has no login, query or fragment")
        }
        guard scheme == "https" || scheme == "http" && Endpoint.isLoopback(hostText(url)) else {
            throw RegistryError(.badResponse, "only https is used, and http of this machine itself")
        }
        return url
    }
}

/// Files of an ordinary web server, by the same transport, proxies, time limits and retries as registries.
extension RegistryClient {
    /// A small file, or `nil` when the server has none at that address.
    ///
    /// - Parameter address: As ``WebAddress`` allows it.
    /// - Throws: `RegistryError` as a whole sentence; `tooLarge` beyond `byteLimit`.
    package func webFile(_ address: String, byteLimit: Int) async throws -> [UInt8]? {
        do {
            let url = try WebAddress.url(address)
            return try await session.retrying { [session] in
                guard let response = try await Self.get(url, by: session) else { return nil }
                return try await session.transport.collect(response, byteLimit: byteLimit, from: url)
            }
        } catch let error as RegistryError {
            throw error.failing("fetch \(address)")
        }
    }

    /// Brings a blob into the content store from a file of a web server, unless it is there.
    ///
    /// - Throws: `RegistryError` as a whole sentence: `notFound`; `digestMismatch` and `sizeMismatch` when the file is not
    ///   what the descriptor names.
    package func webBlob(_ blob: OCI.Descriptor, at address: String) async throws {
        if content.contains(blob.digest) { return }
        do {
            let url = try WebAddress.url(address)
            try await session.retrying { [session, content] in
                guard let response = try await Self.get(url, by: session) else {
                    throw RegistryError(.notFound, "\(hostText(url)) does not have it", status: 404)
                }
                let writer = try await blocking {
                    try content.ingest(expected: blob.digest, expectedSize: blob.size)
                }
                do {
                    for try await chunk in response.body {
                        try await blocking { try unsafe chunk.withUnsafeReadableBytes { unsafe try writer.write($0) } }
                    }
                } catch {
                    writer.cancel()
                    throw translated(error, url: url)
                }
                _ = try await blocking { try writer.commit() }
            }
        } catch let error as RegistryError {
            throw error.failing("fetch \(address)")
        } catch let error as ContentStoreError where error.code == .digestMismatch || error.code == .sizeMismatch {
            let code: RegistryError.Code = error.code == .digestMismatch ? .digestMismatch : .sizeMismatch
            throw RegistryError(code, "cannot fetch \(address): \(error.message)", cause: error)
        }
    }

    private static func get(_ url: URL, by session: RegistrySession) async throws -> HTTPClientResponse? {
        let response = try await session.transport.send(HTTPRequest(method: .GET, url: url))
        let status = Int(response.status.code)
        if status == 404 || status == 410 { return nil }
        guard status == 200 else {
            throw failure(status: status, headers: response.headers, body: [], url: url, login: nil)
        }
        return response
    }
}
