// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI
internal import SystemPackage

/// A `docker-credential-NAME` program of this machine.
///
/// It gets the name of a server on its standard input and answers with a JSON object of `Username`
/// and `Secret`. Source: github.com/docker/docker-credential-helpers, "Development".
struct CredentialHelper: Sendable {
    /// Longest answer, in bytes.
    private static let answerByteLimit = 1 << 20
    /// How long a helper may take; it may ask its user to unlock a keyring.
    private static let timeLimit: Duration = .seconds(60)
    /// What helpers print when they know no login.
    private static let notFoundAnswer = "credentials not found in native keychain"
    /// The user name by which a helper says that the secret is an identity token.
    private static let tokenUser = "<token>"

    private let program: HelperProgram
    private let name: String

    /// Finds the program `docker-credential-<suffix>` on the `PATH` of an environment, which it
    /// will get whole.
    init(name suffix: String, environment: [String: String]) throws {
        name = "docker-credential-\(suffix)"
        let isPlain = suffix.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isPlain else {
            throw RegistryError(
                .credentials,
                "cannot use the credential helper \"\(suffix)\": its name may only hold letters, digits, -, _ and ."
            )
        }
        let searchPath = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        guard let path = HelperProgram.find(name, searchPath: searchPath) else {
            throw RegistryError(
                .credentials,
                "cannot run \(name): no such program on PATH; install it, or take it out of Docker's config.json"
            )
        }
        program = HelperProgram(path: path, arguments: ["get"], environment: environment)
    }

    /// The login the helper keeps for a server; `nil` when it keeps none.
    func credential(forServer server: String) async throws -> Credential? {
        let answer: HelperProgram.Answer
        do {
            answer = try await blocking { [program] in
                try program.run(
                    input: Array(server.utf8),
                    outputByteLimit: Self.answerByteLimit,
                    timeLimit: Self.timeLimit
                )
            }
        } catch HelperProgram.Failure.timedOut {
            throw failure(server, "it did not answer within \(Self.timeLimit)")
        } catch HelperProgram.Failure.outputTooLarge {
            throw failure(server, "it answered with more than \(Self.answerByteLimit) bytes")
        } catch {
            throw failure(server, "\(error)")
        }
        guard answer.status == 0 else {
            // By convention the reason of a failure is on standard output.
            let said = String(decoding: answer.output.prefix(1024), as: UTF8.self)
            if said.contains(Self.notFoundAnswer) { return nil }
            let reason = singleLine(said.isEmpty ? answer.complaint : said)
            throw failure(
                server,
                "it ended with status \(answer.status)\(reason.isEmpty ? "" : ": \(reason)")"
            )
        }
        return try parse(answer.output, server)
    }

    private func parse(_ output: [UInt8], _ server: String) throws -> Credential? {
        guard let document = try? JSONValue(parsing: output), case .object = document else {
            throw failure(server, "its answer is no JSON object")
        }
        guard let user = document["Username"]?.text, let secret = document["Secret"]?.text else {
            throw failure(server, "its answer lacks Username or Secret")
        }
        if user.isEmpty, secret.isEmpty { return nil }
        return user == Self.tokenUser
            ? .identityToken(secret) : .password(user: user, password: secret)
    }

    private func failure(_ server: String, _ reason: String) -> RegistryError {
        RegistryError(.credentials, "cannot get the login of \(server) from \(name): \(reason)")
    }
}
