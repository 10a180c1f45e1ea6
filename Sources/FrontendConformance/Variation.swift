// SPDX-License-Identifier: Apache-2.0

internal import Sandbox

/// What differs from run to run of the determinism suite although it may not matter.
struct Variation: Sendable {
    private static let languages = ["C.UTF-8", "C", "tr_TR.UTF-8", "de_DE.UTF-8", "ja_JP.UTF-8"]
    private static let zones = ["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati"]

    /// 0 is the plain run.
    let number: Int

    init(number: Int = 0) { self.number = number }

    var seed: UInt64 { UInt64(number) }

    var description: String {
        number == 0
            ? "plain"
            : "PYTHONHASHSEED=\(number), no fixed Swift hashing, host \(hostName), LC_ALL=\(language), TZ=\(zone), "
                + "order of answers by seed \(seed)"
    }

    private var language: String { Self.languages[number % Self.languages.count] }
    private var zone: String { Self.zones[number % Self.zones.count] }
    private var hostName: String { "host-\(number)" }

    /// The engine of this run.
    var engine: EngineBehaviour {
        guard number > 0 else { return EngineBehaviour() }
        return .with {
            $0.order = .shuffled
            $0.readByteCount = number % 3 == 0 ? 17 : nil
            $0.writeByteCount = number % 4 == 0 ? 13 : nil
            $0.readAnswerByteCount = number % 2 == 0 ? 100 : nil
        }
    }

    func apply(to spec: inout SandboxSpec) {
        guard number > 0 else { return }
        let fixed = ["PYTHONHASHSEED=", "SWIFT_DETERMINISTIC_HASHING=", "LC_ALL=", "TZ="]
        spec.environment.removeAll { variable in fixed.contains { variable.hasPrefix($0) } }
        spec.environment += [
            "PYTHONHASHSEED=\(number)", "LC_ALL=\(language)", "LANG=\(language)", "TZ=\(zone)", "RUN=\(number)",
        ]
        spec.hostName = hostName
    }
}
