// SPDX-License-Identifier: Apache-2.0

public import LLBMessages
public import OCI

/// What is said about one operation besides what it does.
public struct Constraints: Sendable {
    /// Where it runs; `nil` takes the platform of the state, then the one of the definition.
    public var platform: Platform?
    /// Expressions a worker must match.
    public var workerFilters: [String] = []
    /// Not part of the operation's digest.
    public var metadata = Pb_OpMetadata()
    /// Marks a local source of this build when no session is named.
    public var localUniqueID: String?
    /// Where it comes from in a build file.
    public var locations: [SourceLocation] = []

    /// Constraints with what is said most often.
    public init(platform: Platform? = nil, name: String? = nil, locations: [SourceLocation] = []) {
        self.platform = platform
        self.locations = locations
        if let name { self.name = name }
    }

    /// What to show for the operation.
    public var name: String? {
        get { metadata.customName }
        set { metadata.customName = newValue }
    }

    /// Whether an earlier result may not be used.
    public var ignoresCache: Bool {
        get { metadata.ignoreCache }
        set { metadata.ignoreCache = newValue }
    }

    /// Folds several operations into one line of a display.
    ///
    /// Another group may claim the operation where `isWeak` is true.
    public mutating func setProgressGroup(id: String, name: String, isWeak: Bool) {
        metadata.progressGroup.id = id
        metadata.progressGroup.name = name
        metadata.progressGroup.weak = isWeak
    }

    mutating func require(_ capability: String) { metadata.caps[capability] = true }
}

/// A build file whose lines operations point at.
public struct SourceFile: Hashable, Sendable {
    /// As messages show it.
    public var filename: String
    /// As github-linguist names it: `Dockerfile`.
    public var language: String
    /// Its bytes.
    public var data: [UInt8]
    /// How the file itself was obtained.
    public var definition: Definition?

    /// A build file by its parts.
    public init(filename: String, language: String, data: [UInt8], definition: Definition? = nil) {
        self.filename = filename
        self.language = language
        self.data = data
        self.definition = definition
    }
}

/// Lines of a build file.
public struct SourceLocation: Hashable, Sendable {
    /// The build file.
    public var file: SourceFile
    /// The lines; may be empty.
    public var ranges: [SourceRange]

    /// Lines of a file.
    public init(file: SourceFile, ranges: [SourceRange]) {
        self.file = file
        self.ranges = ranges
    }
}

/// A stretch of a build file.
///
/// Lines count from 1, characters from 0.
public struct SourceRange: Hashable, Sendable {
    /// The first line.
    public var startLine: Int
    /// Where in the first line.
    public var startCharacter: Int
    /// The last line.
    public var endLine: Int
    /// Where in the last line.
    public var endCharacter: Int

    /// A stretch by its ends.
    public init(startLine: Int, startCharacter: Int = 0, endLine: Int, endCharacter: Int = 0) {
        self.startLine = startLine
        self.startCharacter = startCharacter
        self.endLine = endLine
        self.endCharacter = endCharacter
    }

    var message: Pb_Range {
        func clamped(_ value: Int) -> Int32 { Int32(clamping: value) }
        var range = Pb_Range()
        range.start.line = clamped(startLine)
        range.start.character = clamped(startCharacter)
        range.end.line = clamped(endLine)
        range.end.character = clamped(endCharacter)
        return range
    }
}

/// What holds for all operations of a definition.
public struct MarshalOptions: Sendable {
    /// Where operations run that name no platform.
    public var platform: Platform
    /// What the engine offers; `nil` when it was not asked.
    public var capabilities: Set<String>?
    /// Marks local sources that name no session.
    public var localUniqueID: String
    /// Expressions every worker must match.
    public var workerFilters: [String]

    /// Options with what is given most often.
    public init(
        platform: Platform = Platform.host.normalized,
        capabilities: Set<String>? = nil,
        localUniqueID: String = "",
        workerFilters: [String] = []
    ) {
        self.platform = platform
        self.capabilities = capabilities
        self.localUniqueID = localUniqueID
        self.workerFilters = workerFilters
    }
}
