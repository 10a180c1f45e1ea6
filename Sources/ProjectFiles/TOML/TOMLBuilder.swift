// SPDX-License-Identifier: Apache-2.0

/// A table while its document is read; knows how it came to be, because that decides what may still be added to it.
final class TOMLTableBuilder {
    enum Origin {
        /// The parent of a `[a.b]`, not written itself yet.
        case implied
        /// `[a]`, an element of `[[a]]`, or the document.
        case header
        /// The parent of a dotted key.
        case dotted
        /// `{ … }`: complete.
        case inline
    }

    enum Entry {
        case value(ConfigNode)
        case table(TOMLTableBuilder)
        /// `[[a]]`: at least one element.
        case tables(TOMLTableList)
    }

    var origin: Origin
    let offset: Int
    /// How many tables it stands in.
    let depth: Int
    private var keys: [(key: String, offset: Int)] = []
    private var entries: [String: Entry] = [:]

    init(_ origin: Origin, offset: Int, depth: Int) {
        self.origin = origin
        self.offset = offset
        self.depth = depth
    }

    subscript(key: String) -> Entry? { entries[key] }

    func add(_ entry: Entry, key: String, offset: Int) {
        keys.append((key, offset))
        entries[key] = entry
    }

    /// The table as a value.
    ///
    /// Its nesting is bounded by the reader.
    func finish() -> ConfigTable {
        ConfigTable(
            members: keys.compactMap { key, offset in
                let node: ConfigNode? =
                    switch entries[key] {
                    case .value(let node): node
                    case .table(let table): ConfigNode(.table(table.finish()), offset: table.offset)
                    case .tables(let tables):
                        ConfigNode(
                            .array(tables.elements.map { ConfigNode(.table($0.finish()), offset: $0.offset) }),
                            offset: offset
                        )
                    case nil: nil
                    }
                return node.map { ConfigTable.Member(key: key, keyOffset: offset, node: $0) }
            }
        )
    }
}

/// The elements of a `[[a]]`; an object of its own, so that adding one does not copy the others.
final class TOMLTableList {
    var elements: [TOMLTableBuilder]

    init(_ first: TOMLTableBuilder) { elements = [first] }
}
