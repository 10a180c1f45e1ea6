// SPDX-License-Identifier: Apache-2.0

public import LLBMessages
internal import SwiftProtobuf

extension Pb_Op {
    /// The bytes BuildKit's clients give this operation, whose SHA-256 is its digest.
    ///
    /// Go's protobuf writes the member of a oneof after all other fields; fields sorted by number, as Swift writes them,
    /// would give every operation with a platform another digest. Map keys are sorted.
    public func canonicalBytes() throws(LLBError) -> [UInt8] {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        var fields = self
        fields.op = nil
        fields.unknownFields = UnknownStorage()
        var oneof = Pb_Op()
        oneof.op = op
        do {
            var bytes: [UInt8] = try fields.serializedBytes(options: options)
            bytes += try oneof.serializedBytes(options: options) as [UInt8]
            if !unknownFields.data.isEmpty {
                var rest = Pb_Op()
                rest.unknownFields = unknownFields
                bytes += try rest.serializedBytes(options: options) as [UInt8]
            }
            return bytes
        } catch {
            throw LLBError(.malformed, "cannot encode operation: \(error)")
        }
    }
}
