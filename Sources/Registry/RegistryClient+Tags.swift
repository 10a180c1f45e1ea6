// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import NIOHTTP1
internal import OCI

extension RegistryClient {
    /// All tags of a repository, sorted by their bytes.
    ///
    /// Mirrors are not asked: they may know fewer.
    ///
    /// - Throws: `notFound` for a repository the registry does not have; `tooLarge` beyond `countLimit`.
    package func tags(of repository: Repository, countLimit: Int) async throws -> [String] {
        let endpoint = configuration.pushEndpoint(repository)
        do {
            var tags: Set<String> = []
            var target = RegistryCall.Target.path(endpoint.path(repository, "tags/list"))
            // A server may give as few as one at a time, but never fewer.
            for _ in 0...countLimit {
                let (answer, body) = try await session.document(
                    RegistryCall(method: .GET, target: target, scopes: [pullScope(repository, endpoint)]),
                    at: endpoint,
                    byteLimit: RegistryLimit.tagPageByteCount
                )
                for tag in try Self.tags(in: body, from: answer.url) { tags.insert(tag) }
                guard tags.count <= countLimit else {
                    throw RegistryError(.tooLarge, "it has more than \(countLimit) tags")
                }
                guard let link = answer.header("Link"), let next = Self.nextPage(link, after: answer.url) else {
                    return tags.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
                }
                target = .address(next)
            }
            throw RegistryError(.badResponse, "\(endpoint.authority) gives pages of tags without end")
        } catch let error as RegistryError {
            throw error.failing("list the tags of \(repository)")
        }
    }

    private static func tags(in body: [UInt8], from url: URL) throws -> [String] {
        guard let document = try? JSONValue(parsing: body), case .object = document else {
            throw RegistryError(.badResponse, "\(hostText(url)) sent a list of tags that is no JSON object")
        }
        // A repository whose last tag was deleted has `null`.
        return (document["tags"]?.elements ?? []).compactMap(\.text)
    }

    /// The address of `<…>; rel="next"`, on the server itself.
    private static func nextPage(_ link: String, after url: URL) -> URL? {
        guard let open = link.firstIndex(of: "<"), let close = link[open...].firstIndex(of: ">"),
            link[close...].lowercased().contains("next"),
            let next = address(String(link[link.index(after: open)..<close]), relativeTo: url), sameOrigin(next, url)
        else { return nil }
        return next
    }
}
