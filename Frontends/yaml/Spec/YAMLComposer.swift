// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import FrontendProtocol

/// Makes nodes of a parser's events.
struct YAMLComposer {
    private let events: YAMLEvents
    private let limits: YAMLLimits
    private var anchors: [String: Anchored] = [:]
    private var nodeCount = 0
    /// Repeated keys; reading goes on behind them.
    private(set) var problems: [SourceProblem] = []
    private static let problemCountMax = 50

    private struct Anchored {
        var node: YAMLNode
        /// Nodes it is made of.
        var count: Int
        var depth: Int
    }

    init(events: YAMLEvents, limits: YAMLLimits) {
        self.events = events
        self.limits = limits
    }

    /// The only document; `nil` for an empty file.
    mutating func document() throws(SourceProblems) -> YAMLNode? {
        guard case .documentStart = try events.next().0 else { return nil }
        let (event, place) = try events.next()
        let root = try node(event, place, depth: 0).node
        _ = try events.next()
        let (after, afterPlace) = try events.next()
        guard case .streamEnd = after else {
            throw SourceProblems([afterPlace.problem("a second document begins here; a spec is one document")])
        }
        return root
    }

    private mutating func node(
        _ event: YAMLEvent,
        _ place: Place,
        depth: Int
    ) throws(SourceProblems) -> Anchored {
        guard depth <= limits.depth else {
            throw SourceProblems([
                place.problem("lists and mappings stand more than \(limits.depth) deep inside each other")
            ])
        }
        try count(1, place)
        switch event {
        case .scalar(let text, let isPlain, let anchor, let tag):
            try checkTag(tag, place)
            guard text.utf8.count <= limits.scalarByteCount else {
                throw SourceProblems([
                    place.problem(
                        "this value has \(text.utf8.count) bytes, at most \(limits.scalarByteCount) are allowed"
                    )
                ])
            }
            return remember(YAMLNode(content: .scalar(text, isPlain: isPlain), place: place), 1, 0, anchor)
        case .alias(let name):
            guard let anchored = anchors[name] else {
                throw SourceProblems([place.problem("nothing is called &\(name) up to here")])
            }
            guard depth + anchored.depth <= limits.depth else {
                throw SourceProblems([
                    place.problem("lists and mappings stand more than \(limits.depth) deep inside each other")
                ])
            }
            try count(anchored.count, place)
            return anchored
        case .sequenceStart(let anchor, let tag):
            try checkTag(tag, place)
            return try sequence(place, depth, anchor)
        case .mappingStart(let anchor, let tag):
            try checkTag(tag, place)
            return try mapping(place, depth, anchor)
        case .documentStart, .documentEnd, .streamEnd, .collectionEnd:
            throw SourceProblems([place.problem("this is not YAML: a value is missing")])
        }
    }

    private mutating func sequence(
        _ place: Place,
        _ depth: Int,
        _ anchor: String?
    ) throws(SourceProblems) -> Anchored {
        var elements: [YAMLNode] = []
        var total = 1
        var height = 0
        while true {
            let (event, elementPlace) = try events.next()
            if case .collectionEnd = event {
                let node = YAMLNode(content: .sequence(elements), place: place.extended(to: elementPlace))
                return remember(node, total, height + 1, anchor)
            }
            let element = try node(event, elementPlace, depth: depth + 1)
            total += element.count
            height = max(height, element.depth)
            elements.append(element.node)
        }
    }

    private mutating func mapping(
        _ place: Place,
        _ depth: Int,
        _ anchor: String?
    ) throws(SourceProblems) -> Anchored {
        var entries: [YAMLNode.Entry] = []
        var positions: [String: Int] = [:]
        var merged: [YAMLNode] = []
        var total = 1
        var height = 0
        while true {
            let (event, keyPlace) = try events.next()
            if case .collectionEnd = event {
                try merge(merged, into: &entries, &positions)
                let node = YAMLNode(content: .mapping(entries), place: place.extended(to: keyPlace))
                return remember(node, total, height + 1, anchor)
            }
            guard case .scalar(let key, let isPlain, nil, let tag) = event else {
                throw SourceProblems([keyPlace.problem("a key must be a word")])
            }
            try checkTag(tag, keyPlace)
            let (valueEvent, valuePlace) = try events.next()
            let value = try node(valueEvent, valuePlace, depth: depth + 1)
            total += value.count + 1
            height = max(height, value.depth)
            if key == "<<", isPlain {
                merged.append(value.node)
            } else if let first = positions[key] {
                if problems.count < Self.problemCountMax {
                    let note = "the first one is at \(entries[first].keyPlace.line)"
                    problems.append(keyPlace.problem("key \"\(shortened(key))\" stands twice", notes: [note]))
                }
            } else {
                positions[key] = entries.count
                entries.append(YAMLNode.Entry(key: key, keyPlace: keyPlace, value: value.node))
            }
        }
    }

    /// Adds what `<<` names, below what the mapping says itself.
    private mutating func merge(
        _ nodes: [YAMLNode],
        into entries: inout [YAMLNode.Entry],
        _ positions: inout [String: Int]
    ) throws(SourceProblems) {
        for node in nodes {
            var sources = [node]
            if case .sequence(let elements) = node.content { sources = elements }
            for source in sources {
                guard case .mapping(let others) = source.content else {
                    throw SourceProblems([source.place.problem("<< takes a mapping or a list of mappings")])
                }
                for entry in others where positions[entry.key] == nil {
                    positions[entry.key] = entries.count
                    entries.append(entry)
                }
            }
        }
    }

    private mutating func remember(_ node: YAMLNode, _ count: Int, _ depth: Int, _ anchor: String?) -> Anchored {
        let anchored = Anchored(node: node, count: count, depth: depth)
        if let anchor { anchors[anchor] = anchored }
        return anchored
    }

    private mutating func count(_ nodes: Int, _ place: Place) throws(SourceProblems) {
        nodeCount += nodes
        guard nodeCount <= limits.nodeCount else {
            throw SourceProblems([
                place.problem(
                    "the file has more than \(limits.nodeCount) values, counting what aliases stand for"
                )
            ])
        }
    }

    /// `!` and the tags of YAML's own types say nothing here: the place a value stands at decides what it is.
    private func checkTag(_ tag: String?, _ place: Place) throws(SourceProblems) {
        guard let tag, tag != "!", !tag.hasPrefix("tag:yaml.org,2002:") else { return }
        throw SourceProblems([place.problem("tags such as \(shortened(tag)) mean nothing in a spec")])
    }
}

/// A text of the file, cut to what a message can show.
func shortened(_ text: String) -> String {
    let shown = String(text.unicodeScalars.prefix(60).map { $0.value < 0x20 || $0.value == 0x7f ? "." : Character($0) })
    return text.unicodeScalars.count > 60 ? shown + "…" : shown
}

extension Place {
    /// From here to the end of another place.
    ///
    /// A block collection ends where the next thing begins: its range ends with the line before.
    fileprivate func extended(to end: Place) -> Place {
        var range = range
        range.endLine = end.range.endLine
        range.endColumn = end.range.endColumn
        if end.range.endLine > range.startLine, end.range.startLine == end.range.endLine,
            end.range.startColumn == end.range.endColumn
        {
            range.endLine = end.range.endLine - 1
            range.endColumn = 0
        }
        return Place(source, range)
    }
}
