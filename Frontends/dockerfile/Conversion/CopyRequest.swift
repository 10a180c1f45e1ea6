// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import LLBMessages
internal import OCI

/// What all sources of one COPY or ADD have in common.
struct CopyRequest {
    let transfer: FileTransfer
    let mode: FileMode?
    let destination: String
    /// What to show for sources of their own.
    let name: String
    let system: SystemPath
    let step: Step

    /// The options every copy has.
    var options: CopyOptions {
        var options = CopyOptions()
        options.createsDestinationPath = true
        options.excludePatterns = transfer.excludes
        if !transfer.owner.isEmpty { options.owner = FileOwner(transfer.owner) }
        switch mode {
        case .bits(let bits): options.mode = bits
        case .symbolic(let text): options.symbolicMode = text
        case nil: break
        }
        return options
    }
}

extension DockerfileConversion {
    /// Adds one source: a repository, a download or a path.
    func add(_ source: String, to actions: inout FileActions, _ request: CopyRequest) throws {
        if let git = try GitReference(source: source), !git.looksLikePath {
            try add(git, to: &actions, request)
        } else if isHTTPSource(source) {
            try addDownload(source, to: &actions, request)
        } else {
            try addPath(source, to: &actions, request)
        }
    }

    /// Adds a file whose content stands in the Dockerfile.
    func add(
        _ file: CopySources.InlineFile,
        to actions: inout FileActions,
        _ request: CopyRequest
    ) throws {
        let name = try request.system.withoutDrive(file.name, keepsSlash: false)
        var making = FileActions()
        making.makeFile(name, mode: 0o644, data: file.content)
        let document = State.scratch.file(
            making,
            constraints: Constraints(
                platform: request.step.stage.platform,
                name: "[internal] preparing inline document"
            )
        )
        actions.copy(
            from: document,
            request.system.toSlash(name),
            to: request.destination,
            options: request.options
        )
    }

    private func add(
        _ git: GitReference,
        to actions: inout FileActions,
        _ request: CopyRequest
    ) throws {
        let transfer = request.transfer
        guard transfer.isAdd else {
            throw ConversionError(.badSource, "source can't be a git ref for COPY")
        }
        var options = git.options
        if let asked = transfer.keepsGitDirectory {
            guard git.keepsGitDirectory == nil || git.keepsGitDirectory == asked else {
                throw ConversionError(.badSource, "inconsistent keep-git-dir configuration")
            }
            options.keepsGitDirectory = asked
        }
        if !transfer.checksum.isEmpty {
            guard git.checksum.isEmpty || git.checksum == transfer.checksum else {
                throw ConversionError(
                    .badSource,
                    "checksum mismatch \"\(transfer.checksum)\" != \"\(git.checksum)\""
                )
            }
            options.checksum = transfer.checksum
        }
        // The time of files is a matter of contexts, not of ADD.
        options.modificationTime = ""
        let state = State.git(
            git.remote,
            options: options,
            constraints: Constraints(name: request.name)
        )
        actions.copy(from: state, "/", to: request.destination, options: request.options)
    }

    private func addDownload(
        _ url: String,
        to actions: inout FileActions,
        _ request: CopyRequest
    ) throws {
        let transfer = request.transfer
        guard transfer.isAdd else {
            throw ConversionError(.badSource, "source can't be a URL for COPY")
        }
        if !transfer.checksum.isEmpty, !isContentDigest(transfer.checksum) {
            throw ConversionError(
                .badSource,
                "invalid checksum \"\(transfer.checksum)\": expected sha256:, sha384: or sha512: and hexadecimal digits"
            )
        }
        let filename = downloadName(url)
        var constraints = Constraints(name: request.name)
        constraints.command = ""
        let state = State.http(
            url,
            options: State.HTTPOptions(filename: filename, checksum: transfer.checksum),
            constraints: constraints
        )
        var options = request.options
        options.attemptsUnpack = transfer.unpacks ?? false
        actions.copy(from: state, filename, to: request.destination, options: options)
    }

    private func isContentDigest(_ text: String) -> Bool {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let digitCounts = ["sha256": 64, "sha384": 96, "sha512": 128]
        guard parts.count == 2, let count = digitCounts[String(parts[0])] else { return false }
        return parts[1].utf8.count == count
            && parts[1].utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private func addPath(
        _ path: String,
        to actions: inout FileActions,
        _ request: CopyRequest
    ) throws {
        let transfer = request.transfer
        if transfer.usesContext { checkIgnored(path, request.step, isAdd: transfer.isAdd) }
        var path = path
        var options = request.options
        if transfer.parents { try keepParents(&path, &options, request.system) }
        path = try request.system.normalize(parent: "/", path, keepsSlash: false)
        options.followsSymlinks = true
        options.copiesDirectoryContents = true
        options.attemptsUnpack = transfer.unpacks ?? transfer.isAdd
        options.allowsWildcard = true
        options.allowsEmptyWildcard = true
        actions.copy(from: transfer.origin, path, to: request.destination, options: options)
    }

    /// Copies from the root, or from what stands before `/./`, so that the directories above a file come along.
    private func keepParents(
        _ path: inout String,
        _ options: inout CopyOptions,
        _ system: SystemPath
    ) throws {
        var pattern = path
        if let pivot = path.firstRange(of: "/./") {
            pattern = String(path[pivot.upperBound...])
            path = String(path[..<pivot.lowerBound])
        } else {
            path = "/"
        }
        pattern = try system.normalize(parent: "/", pattern, keepsSlash: false)
        options.includePatterns = [pattern.hasPrefix("/") ? String(pattern.dropFirst()) : pattern]
        if !hasWildcard(path), !hasWildcard(pattern) {
            let required = SlashPath.join(path, pattern)
            options.requiredPaths = [try system.normalize(parent: "/", required, keepsSlash: false)]
        }
    }

    private func hasWildcard(_ text: String) -> Bool {
        var isEscaped = false
        for byte in text.utf8 {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if "*?[".utf8.contains(byte) {
                return true
            }
        }
        return false
    }
}

/// What `--chmod` says.
enum FileMode: Hashable, Sendable {
    case bits(Int32)
    /// `u+rwX,go-w`.
    case symbolic(String)

    /// Reads an octal number up to 7777 or a symbolic mode; `nil` for no text.
    init?(parsing text: String) throws {
        guard !text.isEmpty else { return nil }
        if let bits = UInt32(text, radix: 8), !text.hasPrefix("+") {
            guard bits <= 0o7777 else { throw FileMode.refusal(text) }
            self = .bits(Int32(bits))
        } else {
            guard FileMode.isSymbolic(text) else { throw FileMode.refusal(text) }
            self = .symbolic(text)
        }
    }

    private static func refusal(_ text: String) -> ConversionError {
        ConversionError(
            .badInstruction,
            "invalid chmod parameter: '\(text)'. it should be octal string and between 0 and 07777, or symbolic such "
                + "as u+rw,go-w"
        )
    }

    /// Clauses of who (`ugoa`), operators (`+-=`) and permissions (`rwxXstugo`), joined by commas.
    private static func isSymbolic(_ text: String) -> Bool {
        text.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { clause in
            let rest = clause.drop { "ugoa".contains($0) }
            guard let first = rest.first, "+-=".contains(first) else { return false }
            return rest.allSatisfy { "+-=rwxXstugo".contains($0) }
        }
    }
}
