// SPDX-License-Identifier: Apache-2.0

import Foundation
import LLB
import LLBMessages
import OCI

/// Numbers from a seed that is printed when a test fails.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

/// Definitions of any operations with any members, valid in form if not in sense.
struct RandomGraph {
    private var random: SeededGenerator
    private var definition = Definition()
    private var digests: [Digest] = []

    init(seed: UInt64) { random = SeededGenerator(seed) }

    static func definition(seed: UInt64) throws -> Definition {
        var graph = RandomGraph(seed: seed)
        return try graph.make()
    }

    private mutating func make() throws -> Definition {
        for _ in 0..<number(1...12) { try addOperation() }
        var terminal = Pb_Op()
        if chance(5) { terminal.platform = platform() }
        terminal.inputs = [input()]
        try add(terminal)
        return definition
    }

    private mutating func add(_ message: Pb_Op) throws {
        let operation = Definition.Operation(try message.canonicalBytes())
        guard !digests.contains(operation.digest) else { return }
        digests.append(operation.digest)
        definition.operations.append(operation)
        if chance(2) {
            let metadata = self.metadata()
            if metadata != Pb_OpMetadata() { definition.metadata[operation.digest] = metadata }
        }
    }

    private mutating func addOperation() throws {
        var message = Pb_Op()
        if !digests.isEmpty {
            for _ in 0..<number(0...3) {
                let input = input()
                if chance(4) || !message.inputs.contains(input) { message.inputs.append(input) }
            }
        }
        if chance(2) { message.platform = platform() }
        if chance(3) {
            message.constraints = Pb_WorkerConstraints()
            if chance(2) { message.constraints.filter = [text()] }
        }
        switch number(0...8) {
        case 0, 1: message.source = source()
        case 2, 3: message.exec = exec(message.inputs.count)
        case 4, 5: message.file = file(message.inputs.count)
        case 6:
            message.merge.inputs = (0..<number(1...4)).map { _ in
                var part = Pb_MergeInput()
                part.input = index(message.inputs.count)
                return part
            }
        case 7:
            message.diff.lower.input = index(message.inputs.count)
            message.diff.upper.input = index(message.inputs.count)
        default:
            if chance(2) {
                message.passthrough.id = text()
                message.passthrough.outputs = (0..<number(1...3)).map { _ in index(message.inputs.count) }
            } else {
                message.build.builder = -1
                message.build.inputs["buildkit.llb.definition"] = Pb_BuildInput()
                message.build.attrs = map()
            }
        }
        try add(message)
    }

    // MARK: Parts

    private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    private mutating func chance(_ oneIn: Int) -> Bool { number(1...oneIn) == 1 }

    private mutating func text() -> String {
        let choices = [
            "", "a", "/a b", "x=y", "é\u{301}", "\u{1F600}", "<&>", "\"\\", "line\nline", "\u{0}\u{7f}", "a:b", "7",
            "root",
            "^0", "scratch", "sha256:12", "//", "\u{2028}", "u+x,go=r", "0755",
        ]
        return choices[number(0...choices.count - 1)]
    }

    private mutating func texts() -> [String] { (0..<number(0...3)).map { _ in text() } }

    private mutating func map() -> [String: String] {
        var map: [String: String] = [:]
        for _ in 0..<number(0...3) { map[text()] = text() }
        return map
    }

    private mutating func long() -> Int64 {
        let choices: [Int64] = [
            0, -1, 1, 5, 1 << 53, -(1 << 60), .max, .min, 1_700_000_000_123_456_789, 1_700_000_000_000_000_000,
            -1_000_000_001,
        ]
        return choices[number(0...choices.count - 1)]
    }

    private mutating func mode() -> Int32 {
        let choices: [Int32] = [0, -1, 0o644, 0o755, 0o4755, 7, .max, .min]
        return choices[number(0...choices.count - 1)]
    }

    private mutating func platform() -> Pb_Platform {
        var platform = Pb_Platform()
        platform.os = chance(6) ? "Windows" : "linux"
        platform.architecture = ["amd64", "arm64", "arm", "x86_64", ""][number(0...4)]
        if chance(3) { platform.variant = ["v8", "v7", "strange"][number(0...2)] }
        if chance(6) { platform.osversion = "10.0" }
        if chance(8) { platform.osfeatures = ["win32k"] }
        return platform
    }

    private mutating func input() -> Pb_Input {
        var input = Pb_Input()
        input.digest = digests[number(0...digests.count - 1)].description
        input.index = chance(3) ? Int64(number(0...12)) : 0
        return input
    }

    private mutating func index(_ count: Int) -> Int64 { Int64(number(-1...max(-1, count - 1))) }

    private mutating func source() -> Pb_SourceOp {
        var source = Pb_SourceOp()
        let identifiers = [
            "docker-image://docker.io/library/alpine:3.20", "docker-image://alpine", "local://context", "local://",
            "git://github.com/a/b.git#main:sub", "git://host/x", "https://host/file.tgz", "http://h/", "strange://x",
            "no scheme", "oci-layout://name@sha256:\(String(repeating: "a", count: 64))", "",
        ]
        source.identifier = identifiers[number(0...identifiers.count - 1)]
        let attributes = [
            "image.resolvemode", "image.layerlimit", "image.checksum", "local.includepattern", "local.sharedkeyhint",
            "local.unique", "git.fullurl", "git.keepgitdir", "git.authtokensecret", "git.authheadersecret",
            "http.checksum",
            "http.perm", "http.uid", "oci.store", "other",
        ]
        let values = [
            "pull", "local", "3", "[\"a\",\"b\"]", "[\"a\", \"b\"]", "true", "GIT_AUTH_TOKEN", "GIT_AUTH_HEADER",
            "0644", "644",
            "https://github.com/a/b.git", "",
        ]
        for _ in 0..<number(0...4) {
            source.attrs[attributes[number(0...attributes.count - 1)]] = values[number(0...values.count - 1)]
        }
        return source
    }

    private mutating func exec(_ inputCount: Int) -> Pb_ExecOp {
        var exec = Pb_ExecOp()
        exec.meta.args = chance(2) ? ["/bin/sh", "-c", text()] : ["a"] + texts()
        exec.meta.env = chance(2) ? ["A=1", "B=x=y"] : texts()
        exec.meta.cwd = chance(2) ? "/" : text()
        exec.meta.user = text()
        if chance(3) { exec.meta.hostname = text() }
        exec.meta.removeMountStubsRecursive = !chance(3)
        if chance(4) { exec.meta.validExitCodes = [0, -3, .max] }
        if chance(4) {
            var limit = Pb_Ulimit()
            (limit.name, limit.soft, limit.hard) = (text(), long(), long())
            exec.meta.ulimit = [limit, limit]
        }
        if chance(4) {
            var line = Pb_HostIP()
            (line.host, line.ip) = (text(), "1.2.3.4")
            exec.meta.extraHosts = [line]
        }
        if chance(5) { exec.meta.proxyEnv.httpsProxy = text() }
        if chance(5) { exec.meta.cgroupParent = text() }
        if chance(3) { exec.network = [.host, .none, .UNRECOGNIZED(9)][number(0...2)] }
        if chance(5) { exec.security = .insecure }
        if chance(5) {
            var variable = Pb_SecretEnv()
            (variable.id, variable.name, variable.optional) = (text(), text(), chance(2))
            exec.secretenv = [variable]
        }
        if chance(6) {
            var device = Pb_CDIDevice()
            (device.name, device.optional) = (text(), chance(2))
            exec.cdiDevices = [device]
        }
        exec.mounts = [mount("/", inputCount, plain: !chance(4))]
        for target in ["/a", "/b", "/c", "relative"] where chance(2) {
            exec.mounts.append(mount(target, inputCount, plain: false))
        }
        if chance(5) { exec.mounts.reverse() }
        return exec
    }

    private mutating func mount(_ target: String, _ inputCount: Int, plain: Bool) -> Pb_Mount {
        var mount = Pb_Mount()
        mount.dest = target
        mount.input = index(inputCount)
        mount.readonly = chance(3)
        mount.output = mount.readonly || target != "/" ? -1 : 0
        if plain { return mount }
        if chance(2) { mount.output = Int64(number(-1...3)) }
        if chance(3) { mount.selector = text() }
        if chance(6) { mount.resultID = "r" }
        if chance(4) { mount.contentCache = [.on, .off][number(0...1)] }
        switch number(0...6) {
        case 0:
            mount.mountType = .cache
            mount.cacheOpt.id = text()
            mount.cacheOpt.sharing = [.shared, .private, .locked][number(0...2)]
        case 1:
            mount.mountType = .tmpfs
            mount.tmpfsOpt.size = long()
        case 2:
            mount.mountType = .secret
            mount.secretOpt.id = text()
            mount.secretOpt.mode = [0o400, 0o600, 0, .max][number(0...3)]
            mount.secretOpt.uid = [0, 7, .max][number(0...2)]
            mount.secretOpt.optional = chance(2)
        case 3:
            mount.mountType = .ssh
            mount.sshopt.id = text()
            mount.sshopt.mode = [0o600, 0o777][number(0...1)]
        case 4: mount.mountType = [.tmpfs, .cache, .secret, .ssh][number(0...3)]
        default: break
        }
        return mount
    }

    private mutating func file(_ inputCount: Int) -> Pb_FileOp {
        var file = Pb_FileOp()
        let count = number(1...4)
        for position in 0..<count {
            var action = Pb_FileAction()
            action.input = position == 0 || chance(4) ? index(inputCount) : Int64(inputCount + position - 1)
            action.secondaryInput = -1
            action.output = position == count - 1 ? 0 : -1
            if chance(6) { action.output = Int64(number(-1...2)) }
            switch number(0...4) {
            case 0:
                action.secondaryInput = chance(4) ? Int64(inputCount + position) - 1 : index(inputCount)
                action.copy.src = text()
                action.copy.dest = text()
                action.copy.mode = mode()
                action.copy.timestamp = long()
                if chance(3) { action.copy.modeStr = text() }
                if chance(2) { action.copy.owner = owner(inputCount) }
                action.copy.allowWildcard = chance(2)
                action.copy.createDestPath = chance(2)
                action.copy.attemptUnpackDockerCompatibility = chance(3)
                action.copy.includePatterns = texts()
                action.copy.excludePatterns = texts()
            case 1:
                action.mkfile.path = text()
                action.mkfile.mode = mode()
                action.mkfile.data = chance(2) ? Data([0, 255, 1]) : Data(text().utf8)
                action.mkfile.timestamp = long()
                if chance(2) { action.mkfile.owner = owner(inputCount) }
            case 2:
                action.mkdir.path = text()
                action.mkdir.mode = mode()
                action.mkdir.makeParents = chance(2)
                action.mkdir.timestamp = long()
                if chance(2) { action.mkdir.owner = owner(inputCount) }
            case 3:
                action.rm.path = text()
                action.rm.allowWildcard = chance(2)
                action.rm.allowNotFound = chance(2)
            default:
                action.symlink.oldpath = text()
                action.symlink.newpath = text()
                action.symlink.timestamp = long()
                if chance(2) { action.symlink.owner = owner(inputCount) }
            }
            file.actions.append(action)
        }
        return file
    }

    private mutating func owner(_ inputCount: Int) -> Pb_ChownOpt {
        var owner = Pb_ChownOpt()
        if !chance(4) { owner.user = identity(inputCount) }
        if chance(2) { owner.group = identity(inputCount) }
        return owner
    }

    private mutating func identity(_ inputCount: Int) -> Pb_UserOpt {
        var option = Pb_UserOpt()
        if chance(2) {
            option.byID = [0, 7, .max][number(0...2)]
        } else {
            option.byName.name = text()
            option.byName.input = index(inputCount)
        }
        return option
    }

    private mutating func metadata() -> Pb_OpMetadata {
        var metadata = Pb_OpMetadata()
        metadata.ignoreCache = chance(4)
        metadata.description_p = map()
        if chance(2) { metadata.description_p["llb.customname"] = text() }
        if chance(4) {
            metadata.exportCache = Pb_ExportCache()
            metadata.exportCache.value = chance(2)
        }
        for name in ["exec.meta.base", "file.base"] where chance(3) { metadata.caps[name] = true }
        if chance(4) { metadata.progressGroup.id = text() }
        if chance(4) { metadata.linuxResources.memory = long() }
        return metadata
    }
}
