// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import OCI

extension FrontendManifest {
    /// The manifest as JSON, with the keys of the TOML form in a fixed order; equal manifests give equal bytes.
    package var json: [UInt8] {
        var object: WireObject = ["manifest": 1, "name": .string(name.text), "version": .string(version.description)]
        for (key, text) in [("license", license), ("homepage", homepage), ("description", description)] {
            if let text { object[key] = .string(text) }
        }
        object["protocol"] = [
            "kind": .string(kind.rawValue), "versions": .list(protocolVersions), "requires": .list(requires),
            "optional": .list(optional),
        ]
        var entry: WireObject = ["argv": .list(argv)]
        switch runtime {
        case .package: break
        case .host: entry["runtime"] = "host"
        case .image(let reference): entry["runtime"] = .string(reference.description)
        }
        object["entry"] = .object(entry)
        if !platforms.isEmpty { object["platforms"] = .object(WireObject(sorted: platforms)) }
        object["permissions"] = [
            "network": .bool(permissions.network), "secrets": .list(permissions.secrets),
            "entitlements": .list(permissions.entitlements), "frontends": .list(permissions.frontends),
            "exec": .bool(permissions.exec),
        ]
        object["cache"] = ["deterministic": .bool(isDeterministic)]
        if let memoryLimit { object["limits"] = ["memory": .string("\(memoryLimit)B")] }
        if !detectFiles.isEmpty { object["detect"] = ["files": .list(detectFiles)] }
        if let optionsSchema { object["options"] = ["schema": .string(optionsSchema)] }
        return object.json
    }

    /// How the lock names its protocol: `native 1.0 1.3`.
    package var protocolText: String { ([kind.rawValue] + protocolVersions).joined(separator: " ") }
}

extension WireValue {
    fileprivate static func list(_ texts: [String]) -> WireValue { .array(texts.map { .string($0) }) }
}
