// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
internal import SystemPackage

extension Descriptor {
    /// Names of all extended attributes of the open file, sorted; none where the file system has no
    /// such thing.
    package func attributeNames() throws(SystemCallError) -> [String] {
        var buffer = [CChar](repeating: 0, count: 256)
        while true {
            let count = unsafe cl_flistxattr(number, &buffer, buffer.count)
            if count == -Int(ERANGE), buffer.count < 1 << 20 {
                buffer = [CChar](repeating: 0, count: buffer.count * 16)
                continue
            }
            if count == -Int(EOPNOTSUPP) { return [] }
            let length = try check(count, "list the attributes of", "an open file")
            return buffer[0..<length].split(separator: 0)
                .map { String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
                .sorted()
        }
    }

    /// Value of an extended attribute of the open file, or `nil` when it does not have it.
    package func attribute(_ attribute: String) throws(SystemCallError) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = unsafe cl_fgetxattr(number, attribute, &buffer, buffer.count)
            if count == -Int(ERANGE), buffer.count < 1 << 20 {
                buffer = [UInt8](repeating: 0, count: buffer.count * 16)
                continue
            }
            if count == -Int(ENODATA) || count == -Int(EOPNOTSUPP) { return nil }
            return Array(
                buffer[0..<(try check(count, "read the attribute \(attribute) of", "an open file"))]
            )
        }
    }
}
