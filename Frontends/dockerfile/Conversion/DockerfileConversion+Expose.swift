// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import OCI

extension DockerfileConversion {
    func dispatchExpose(_ words: [String], _ step: Step) throws {
        var ports: [String] = []
        for word in words {
            for text in try expander.words(word, step.environment) {
                ports += try exposedPorts(text, step)
                try budget.check()
            }
        }
        step.stage.image.config.exposedPorts.formUnion(ports)
        commit("EXPOSE " + bracketed(ports), step)
    }

    /// `port/protocol` for `[address:[host-port:]]port[-port][/protocol]`.
    private func exposedPorts(_ text: String, _ step: Step) throws -> [String] {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let address = parts.dropLast(2).joined(separator: ":")
        let hostPort = parts.count > 1 ? parts[parts.count - 2] : ""
        let container = parts[parts.count - 1]
        let halves = container.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            .map(String.init)
        let name = halves.count > 1 && !halves[1].isEmpty ? halves[1] : "tcp"
        guard !halves[0].isEmpty else {
            throw ConversionError(.badInstruction, "invalid port: \"\(text)\": no port specified")
        }
        guard ["tcp", "udp", "sctp"].contains(name.lowercased()) else {
            throw ConversionError(
                .badInstruction,
                "invalid port: \"\(text)\": invalid proto: \(name)"
            )
        }
        if name != name.lowercased() { reportProtocolCasing(text, step) }
        if !address.isEmpty || !hostPort.isEmpty { reportPortMapping(text, step) }
        try check(address: address)
        let range = try portRange(halves[0], of: "containerPort")
        if !hostPort.isEmpty {
            let hostRange = try portRange(hostPort, of: "hostPort")
            guard range.count == hostRange.count || range.count == 1 else {
                throw ConversionError(
                    .badInstruction,
                    "invalid ranges specified for container and host Ports: \(halves[0]) and \(hostPort)"
                )
            }
        }
        budget.charge(bytes: text.utf8.count + range.count * ConversionBudget.portByteCount)
        return range.map { "\($0)/\(name.lowercased())" }
    }

    private func check(address: String) throws {
        guard !address.isEmpty else { return }
        var plain = address
        if plain.hasPrefix("[") {
            guard plain.hasSuffix("]") else {
                throw ConversionError(.badInstruction, "invalid IP address \(address)")
            }
            plain = String(plain.dropFirst().dropLast())
            if plain.isEmpty { return }
        }
        guard canonicalAddress(plain.lowercased()) != nil else {
            throw ConversionError(.badInstruction, "invalid IP address: \(address)")
        }
    }

    private func portRange(_ text: String, of what: String) throws -> ClosedRange<Int> {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        func number(_ text: Substring) throws -> Int {
            guard let value = Int(text), (0...65_535).contains(value) else {
                throw ConversionError(.badInstruction, "invalid \(what): \(text)")
            }
            return value
        }
        let start = try number(ends[0])
        let end = ends.count > 1 ? try number(ends[1]) : start
        guard start <= end else {
            throw ConversionError(.badInstruction, "invalid \(what): \(text)")
        }
        return start...end
    }
}
