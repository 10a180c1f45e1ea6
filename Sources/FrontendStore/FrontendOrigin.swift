// SPDX-License-Identifier: Apache-2.0

internal import OCI
package import Registry
package import SystemPackage

/// Where a frontend's content can be had.
///
/// It says *where*, never *what*: the digests of `kiln.lock` decide what is taken.
package enum FrontendOrigin: Sendable, Hashable {
    /// A repository of a registry: `oci://ghcr.io/acme/frontends/spec`.
    case registry(Repository)
    /// The files of an OCI layout on a web server: `https://…`; `http://` for this machine alone.
    case web(String)
    /// The directory of an OCI layout: `layout:DIR`.
    case layout(FilePath)
    /// An OCI layout in one tar file: `bundle:FILE`.
    case bundle(FilePath)
    /// A directory of unpacked frontends, `<name>/<version>/<platform>/`: `vendor:DIR`.
    case vendor(FilePath)
    /// The package itself, unpacked: `path:DIR`.
    case directory(FilePath)

    /// Reads an origin as `kiln.toml` and the command line have it.
    ///
    /// Without a scheme, a text that names a registry is one; an existing directory or file must be said to be what it is.
    ///
    /// - Parameter base: What relative paths count from.
    /// - Throws: `badOrigin`.
    package init(parsing text: String, relativeTo base: FilePath) throws(FrontendStoreError) {
        func refuse(_ reason: String) -> FrontendStoreError {
            FrontendStoreError(.badOrigin, "cannot use the source \"\(shown(text))\": \(reason)")
        }
        func path(_ scheme: String) throws(FrontendStoreError) -> FilePath {
            let rest = String(text.dropFirst(scheme.utf8.count))
            guard !rest.isEmpty, !rest.utf8.contains(0) else { throw refuse("\(scheme) is followed by a path") }
            return base.pushing(FilePath(rest)).lexicallyNormalized()
        }
        if text.hasPrefix("layout:") {
            self = .layout(try path("layout:"))
        } else if text.hasPrefix("bundle:") {
            self = .bundle(try path("bundle:"))
        } else if text.hasPrefix("vendor:") {
            self = .vendor(try path("vendor:"))
        } else if text.hasPrefix("path:") {
            self = .directory(try path("path:"))
        } else if text.hasPrefix("https://") || text.hasPrefix("http://") {
            let address = text.hasSuffix("/") ? String(text.dropLast()) : text
            do {
                try WebAddress.check(address)
            } catch {
                throw refuse("\(error)")
            }
            self = .web(address)
        } else if let colon = text.firstRange(of: "://"), text[..<colon.lowerBound] != "oci" {
            throw refuse("allowed are oci://, https://, layout:, bundle:, vendor: and path:")
        } else {
            let name = text.hasPrefix("oci://") ? String(text.dropFirst(6)) : text
            let reference: Reference
            do {
                reference = try Reference(parsing: name)
            } catch {
                throw refuse(error.message)
            }
            guard reference.tag == nil, reference.digest == nil else {
                throw refuse("it names a repository; which version is decided by the constraint and the lock")
            }
            guard !reference.domain.isEmpty else { throw refuse("it names no registry") }
            self = .registry(Repository(reference))
        }
    }

    /// Whether reaching it needs a network.
    package var isRemote: Bool {
        switch self {
        case .registry, .web: true
        case .layout, .bundle, .vendor, .directory: false
        }
    }

    /// The place in a message: `registry.corp/acme/spec`, `./frontends.tar`.
    package var place: String {
        switch self {
        case .registry(let repository): repository.description
        case .web(let address): address
        case .layout(let path), .bundle(let path), .vendor(let path), .directory(let path): path.string
        }
    }
}

extension FrontendOrigin: CustomStringConvertible {
    /// The form that ``init(parsing:relativeTo:)`` reads.
    package var description: String {
        switch self {
        case .registry(let repository): "oci://\(repository)"
        case .web(let address): address
        case .layout(let path): "layout:\(path)"
        case .bundle(let path): "bundle:\(path)"
        case .vendor(let path): "vendor:\(path)"
        case .directory(let path): "path:\(path)"
        }
    }
}

/// A text from outside as a message may show it: at most 200 scalars, control characters as `?`.
func shown(_ text: some StringProtocol) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(200) {
        let isPlain = scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value)
        result.append(isPlain ? scalar : "?")
    }
    return String(result)
}
