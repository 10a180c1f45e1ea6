// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem

/// Why a project file cannot be read, or why a build file gets no frontend.
///
/// The texts of the `F2…` codes are part of the tool's interface: they stand in `Protocol/vectors/resolve` and never
/// change their meaning. Every one of them is made in `ProjectError+Texts.swift`.
package struct ProjectError: Error, Sendable, Hashable, CustomStringConvertible, FaultClassified {
    package enum Code: String, Sendable, Hashable, CaseIterable {
        /// A text that is no TOML.
        case toml
        /// A text that is no JSON.
        case json
        /// A key or a value that such a file does not have.
        case content
        /// A file, or what it lists, is larger than allowed.
        case limit
        /// A text that is no version, constraint, name or digest.
        case value
        /// A syntax reference that cannot be parsed.
        case badSyntax = "F201"
        /// A frontend that the project does not list.
        case unlisted = "F202"
        /// Listed, but not locked.
        case notLocked = "F203"
        /// The bundled frontend has another version.
        case bundledVersion = "F204"
        /// The lock does not fit the project file any more.
        case lockOutdated = "F205"
        /// The build file asks for another version than the project pins.
        case otherVersion = "F206"
        /// The build file names another digest than the lock.
        case otherDigest = "F207"
        /// The lock has no entry for this platform.
        case noPlatform = "F208"
        /// The content is nowhere to be had.
        case unavailable = "F209"
        /// An override where the lock alone counts.
        case overrideRefused = "F210"
        /// Content that is not what was pinned.
        case wrongContent = "F211"
        /// No common version of the protocol.
        case protocolVersion = "F212"
        /// It needs what this engine does not offer.
        case capability = "F213"
        /// It asks for more than it was granted.
        case permission = "F214"
        /// A frontend that it may not call.
        case nestedFrontend = "F215"
        /// Frontends that call each other without end.
        case frontendCycle = "F216"
        /// A source that the lock does not pin.
        case sourceNotLocked = "F217"
        /// Content of a source that is not what was pinned.
        case sourceChanged = "F218"
    }

    package let code: Code
    /// The sentence, as the tables of codes show it; it may begin with a place.
    package let message: String
    /// The file that is wrong, as the user named it.
    package let file: String?
    /// Where in that file; a column of 0 means the whole line.
    package let position: TextPosition?
    package let fault: Fault

    package init(
        _ code: Code,
        _ message: String,
        file: String? = nil,
        position: TextPosition? = nil,
        fault: Fault = .input
    ) {
        self.code = code
        self.message = message
        self.file = file
        self.position = position
        self.fault = fault
    }

    package init(_ code: Code, _ message: String, file: String?, line: Int?, fault: Fault = .input) {
        self.init(
            code,
            message,
            file: file,
            position: line.map { TextPosition(line: $0, column: 0) },
            fault: fault
        )
    }

    package var line: Int? { position?.line }

    /// `Buildfile:1` or `kiln.toml:3:7`, as far as it is known.
    package var place: String? {
        guard let file else { return nil }
        guard let position else { return file }
        return position.column > 0 ? "\(file):\(position)" : "\(file):\(position.line)"
    }

    /// Code, place and sentence, as in `F201 Buildfile:1: cannot parse …`.
    ///
    /// A place that the sentence begins with is not said twice; errors without a number have none.
    package var description: String {
        let number = code.rawValue.hasPrefix("F2") ? code.rawValue + " " : ""
        guard let place, !message.hasPrefix(place) else { return number + message }
        return "\(number)\(place): \(message)"
    }
}
