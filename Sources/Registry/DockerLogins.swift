// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem
internal import OCI
internal import SystemPackage

/// The logins that `docker login` keeps in `config.json`, and the credential helpers that file
/// names.
///
/// The file is `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`; a missing one means no
/// logins. It is read at each question, so a new login counts at once. For a registry, a helper of
/// `credHelpers` comes first, then `credsStore`, then what `auths` holds itself.
package struct DockerLogins: CredentialSource {
    /// Largest file that is read, in bytes.
    private static let fileByteLimit = 4 << 20

    /// The logins of the user this process runs for.
    package static let ofThisProcess = DockerLogins(
        environment: ProcessInfo.processInfo.environment
    )

    private let file: FilePath?
    private let environment: [String: String]

    /// - Parameter environment: Where `DOCKER_CONFIG`, `HOME` and `PATH` are looked up; helpers get
    ///   all of it.
    package init(environment: [String: String]) {
        self.environment = environment
        if let directory = environment["DOCKER_CONFIG"], !directory.isEmpty {
            file = FilePath(directory).appending("config.json")
        } else if let home = environment["HOME"], !home.isEmpty {
            file = FilePath(home).appending(".docker").appending("config.json")
        } else {
            file = nil
        }
    }

    package func credential(forRegistry host: String) async throws -> Credential? {
        guard let file, let document = try await blocking({ try Self.read(file) }) else {
            return nil
        }
        if let helper = try helperName(document, host, file) {
            let helper = try CredentialHelper(name: helper, environment: environment)
            let server = host == Endpoint.dockerHub ? Self.dockerHubServer : host
            if let credential = try await helper.credential(forServer: server) { return credential }
        }
        return try storedLogin(document, host, file)
    }

    // MARK: Reading

    /// Docker's registry has had this name in login files since its first version.
    private static let dockerHubServer = "https://index.docker.io/v1/"
    private static let dockerHubHosts: Set<String> = [
        "docker.io", "index.docker.io", "registry-1.docker.io",
    ]

    private static func read(_ file: FilePath) throws -> JSONValue? {
        let bytes: [UInt8]
        do {
            bytes = try LinuxSystem.Descriptor.open(host: file, flags: O_RDONLY | O_NONBLOCK)
                .readToEnd(byteLimit: fileByteLimit)
        } catch  where error.isNotFound {
            return nil
        } catch {
            throw unreadable(file, "\(error)", error)
        }
        do {
            let document = try JSONValue(parsing: bytes)
            guard case .object = document else {
                throw unreadable(file, "it is no JSON object", nil)
            }
            return document
        } catch let error as OCIError {
            throw unreadable(file, error.message, error)
        }
    }

    private static func unreadable(
        _ file: FilePath,
        _ reason: String,
        _ cause: (any Error)?
    ) -> RegistryError {
        RegistryError(
            .credentials,
            "cannot read the registry logins of \(file): \(reason); repair the file, or log in again with `docker login`",
            cause: cause
        )
    }

    /// The helper in charge of a registry, without the `docker-credential-` in front.
    private func helperName(
        _ document: JSONValue,
        _ host: String,
        _ file: FilePath
    ) throws -> String? {
        let own = document["credHelpers"]?.members.last { Self.names($0.name, host) }?.value
        guard let value = own ?? document["credsStore"] else { return nil }
        guard let name = value.text else {
            throw Self.unreadable(file, "the name of a credential helper is no string", nil)
        }
        return name.isEmpty ? nil : name
    }

    private func storedLogin(
        _ document: JSONValue,
        _ host: String,
        _ file: FilePath
    ) throws -> Credential? {
        let entries = document["auths"]?.members.filter { Self.names($0.name, host) } ?? []
        // The exact name wins over an older way to write it.
        guard let entry = (entries.last { $0.name == host } ?? entries.last)?.value else {
            return nil
        }
        if let token = entry["identitytoken"]?.text, !token.isEmpty { return .identityToken(token) }
        if let token = entry["registrytoken"]?.text, !token.isEmpty { return .accessToken(token) }
        if let encoded = entry["auth"]?.text, !encoded.isEmpty {
            guard let data = Data(base64Encoded: encoded),
                let colon = data.firstIndex(of: UInt8(ascii: ":"))
            else {
                throw Self.unreadable(
                    file,
                    "the login of \(host) is not base64 of user:password",
                    nil
                )
            }
            let password = data[data.index(after: colon)...].filter { $0 != 0 }
            return .password(
                user: String(decoding: data[..<colon], as: UTF8.self),
                password: String(decoding: password, as: UTF8.self)
            )
        }
        guard let user = entry["username"]?.text, let password = entry["password"]?.text,
            !user.isEmpty
        else { return nil }
        return .password(user: user, password: password)
    }

    /// Whether a key of the file means a registry: keys may hold a scheme and a path.
    static func names(_ key: String, _ host: String) -> Bool {
        var name = key[...]
        for scheme in ["https://", "http://"] where name.hasPrefix(scheme) {
            name = name.dropFirst(scheme.count)
        }
        let bare = String(name.prefix { $0 != "/" })
        return bare == host || (host == Endpoint.dockerHub && dockerHubHosts.contains(bare))
    }
}
