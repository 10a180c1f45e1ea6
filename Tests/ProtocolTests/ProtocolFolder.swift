// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import FrontendProtocol
import LinuxSystem
import OCI
import SystemPackage
import Testing

/// The folder `Protocol` and the programs in `dev` that look after it.
enum ProtocolFolder {
    static let repository = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent()
    static let path = repository.appending("Protocol")

    /// The bytes of a file, by its path below `Protocol`.
    static func bytes(_ file: String) throws -> [UInt8] {
        try LinuxSystem.Descriptor.open(host: path.appending(file)).readToEnd(byteLimit: 16 << 20)
    }

    static func json(_ file: String) throws -> JSONValue { try JSONValue(parsing: bytes(file)) }

    /// Each line of a file of JSON lines.
    static func lines(_ file: String) throws -> [JSONValue] {
        try bytes(file).split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: Array($0)) }
    }

    /// Names of the files in a folder that end so, without the ending; sorted.
    static func names(in folder: String, ending: String) throws -> [String] {
        try Directory(host: path.appending(folder)).entries().map(\.name)
            .filter { $0.hasSuffix(ending) }
            .map { String($0.dropLast(ending.count)) }
            .sorted()
    }

    /// Runs a program of `dev`.
    ///
    /// - Returns: How it ended, and what it wrote to stdout and stderr.
    static func run(_ program: String, _ arguments: [String] = []) throws -> (ChildProcess.Exit, String) {
        let (process, reader) = try start(repository.appending("dev").appending(program), arguments)
        let output = try reader.readToEnd(byteLimit: 16 << 20)
        return (try process.wait(), String(decoding: output, as: UTF8.self))
    }

    /// The end that is written to lives on in the process alone.
    private static func start(_ path: FilePath, _ arguments: [String]) throws -> (ChildProcess, LinuxSystem.Descriptor)
    {
        let pipe = try LinuxSystem.Descriptor.pipe()
        let process = try ChildProcess(
            .path(path),
            arguments: [path.string] + arguments,
            environment: ["PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8"],
            descriptors: [nil, pipe.write, pipe.write]
        )
        return (process, pipe.read)
    }
}

extension JSONValue {
    /// The JSON of a message's part as the protocol's values; `{"base64": …}` is a byte string.
    var wire: WireValue {
        get throws {
            switch self {
            case .null: return .null
            case .bool(let flag): return .bool(flag)
            case .string(let text): return .string(text)
            case .array(let elements): return .array(try elements.map { try $0.wire })
            case .object(let members):
                if members.count == 1, let text = self["base64"]?.text {
                    return .bytes(Array(try #require(Data(base64Encoded: text))))
                }
                return .object(WireObject(try members.map { ($0.name, try $0.value.wire) }))
            default:
                // Numbers: the strict reader tells integers from others.
                return try #require(try JSONParser.object(Array(#"{"n":"#.utf8) + encoded + [0x7D])["n"])
            }
        }
    }

    /// The members of an object as the protocol's; empty for any other value.
    var wireObject: WireObject {
        get throws {
            guard case .object(let object) = try wire else { return [:] }
            return object
        }
    }

    /// The texts of an array.
    var texts: [String] { elements?.compactMap(\.text) ?? [] }
}

/// A frame's bytes.
func frameBytes(_ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
    [UInt32(payload.count), stream].flatMap { number in
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
    } + payload
}
