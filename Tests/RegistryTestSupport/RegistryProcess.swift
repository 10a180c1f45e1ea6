// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Glibc
internal import Synchronization

/// Debian's `docker-registry`, running on a loopback port with a folder of its own.
///
/// It is killed when it is let go.
package final class RegistryProcess: Sendable {
    private static let program = "/usr/bin/docker-registry"
    private static let passwordTool = "/usr/bin/htpasswd"
    private static let certificateTool = "/usr/bin/openssl"
    package static var isInstalled: Bool {
        [program, passwordTool, certificateTool].allSatisfy {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    package let port: UInt16
    private let configuration: String
    private let process = Mutex<Process?>(nil)

    /// Starts a registry and waits until it answers.
    ///
    /// Without a `login` everybody may use it. An encrypted one has a certificate that nobody
    /// trusts.
    package init(
        _ scratch: Scratch,
        login: (user: String, password: String)? = nil,
        isEncrypted: Bool = false
    ) async throws {
        port = try Self.freePort()
        var text = """
            version: 0.1
            log: {accesslog: {disabled: true}, level: error}
            storage: {filesystem: {rootdirectory: \(scratch.path)/registry-\(port)}, delete: {enabled: true}}

            """
        if isEncrypted {
            let (certificate, key) = (scratch.path + "/certificate.pem", scratch.path + "/key.pem")
            try Self.run(
                Self.certificateTool,
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes",
                ]
                    + ["-subj", "/CN=test", "-out", certificate, "-keyout", key]
            )
            text +=
                "http: {secret: test, addr: '127.0.0.1:\(port)', tls: {certificate: \(certificate), key: \(key)}}\n"
        } else {
            text += "http: {secret: test, addr: '127.0.0.1:\(port)'}\n"
        }
        if let login {
            try Self.run(
                Self.passwordTool,
                ["-Bbc", scratch.path + "/passwords", login.user, login.password]
            )
            text += "auth: {htpasswd: {realm: test, path: \(scratch.path)/passwords}}\n"
        }
        configuration = try scratch.write("registry-\(port).yml", text)
        try start()
        try await waitUntilReady()
    }

    deinit { kill() }

    package var host: String { "127.0.0.1:\(port)" }

    private static func run(_ program: String, _ arguments: [String]) throws {
        let tool = Process()
        tool.executableURL = URL(filePath: program)
        tool.arguments = arguments
        tool.standardError = FileHandle.nullDevice
        try tool.run()
        tool.waitUntilExit()
        guard tool.terminationStatus == 0 else { throw TestFailure("\(program) failed") }
    }

    package func start() throws {
        let child = Process()
        child.executableURL = URL(filePath: Self.program)
        child.arguments = ["serve", configuration]
        child.standardOutput = FileHandle.nullDevice
        child.standardError = FileHandle.nullDevice
        try child.run()
        process.withLock { $0 = child }
    }

    /// Ends it with SIGKILL, in the middle of whatever it does.
    package func kill() {
        process.withLock { child in
            guard let running = child else { return }
            _ = Glibc.kill(running.processIdentifier, SIGKILL)
            running.waitUntilExit()
            child = nil
        }
    }

    package func waitUntilReady() async throws {
        for _ in 0..<500 {
            if Self.accepts(port) { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw TestFailure("docker-registry does not answer on port \(port)")
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = port.bigEndian
        return address
    }

    private static func freePort() throws -> UInt16 {
        let probe = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(probe) }
        var address = address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe bind(probe, generic, length) == 0
                    && getsockname(probe, generic, &length) == 0
            }
        }
        guard isBound else { throw TestFailure("no free port") }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func accepts(_ port: UInt16) -> Bool {
        let probe = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(probe) }
        var address = address(port)
        return unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe connect(probe, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
