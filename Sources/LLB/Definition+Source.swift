// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import LLBMessages

extension Definition {
    /// Gives the files of ``source`` that have this name and no text their text, so that failures can quote it.
    ///
    /// An author need not send along what the reader has.
    package mutating func fillSource(named name: String, with text: [UInt8]) {
        guard let infos = source?.infos else { return }
        for index in infos.indices where infos[index].filename == name && infos[index].data.isEmpty {
            source?.infos[index].data = .init(text)
        }
    }
}
