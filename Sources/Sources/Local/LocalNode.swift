// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI
internal import Snapshots

/// One file of a local directory as a scan found it.
struct LocalNode: Sendable {
    /// Its name in its directory; "" for the directory that was scanned.
    var name: String
    var status: FileStatus
    /// Where a symlink points, as it is written; "" for everything else.
    var target = ""
    /// The file digest that content hashes use; regular files only.
    var digest: Digest?
    /// Whether a regular file has extended attributes that a build carries; its digest covers them.
    var hasAttributes = false
    /// The extended attributes of a directory that a build carries.
    var attributes: [ExtendedAttribute] = []
    /// Where the directory that holds it stands in ``LocalTree/nodes``; the root holds itself.
    var parent = 0
    /// Where its children stand in ``LocalTree/nodes``, sorted by the bytes of their names.
    var children: Range<Int> = 0..<0
    /// Whether the patterns chose it for itself; a directory that they did not choose stays only
    /// for what is below it.
    var isChosen = true
}

/// What a scan found: nodes in order of depth, the root first, the children of one directory side
/// by side.
struct LocalTree: Sendable {
    var nodes: [LocalNode]

    /// Index of the node at a normalised path, or `nil`.
    func find(_ path: some StringProtocol) -> Int? {
        guard !nodes.isEmpty else { return nil }
        var current = 0
        for component in path.split(separator: "/") {
            guard let next = child(of: current, named: component) else { return nil }
            current = next
        }
        return current
    }

    /// The path of a node below the root.
    func path(of index: Int) -> String {
        var names: [String] = []
        var current = index
        while current != 0 {
            names.append(nodes[current].name)
            current = nodes[current].parent
        }
        return names.reversed().joined(separator: "/")
    }

    private func child(of parent: Int, named name: some StringProtocol) -> Int? {
        var low = nodes[parent].children.lowerBound
        var high = nodes[parent].children.upperBound
        while low < high {
            let middle = (low + high) / 2
            let candidate = nodes[middle].name
            if candidate.utf8.elementsEqual(name.utf8) { return middle }
            if candidate.utf8.lexicographicallyPrecedes(name.utf8) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return nil
    }

    /// The tree without what was not chosen: files that vanished, and directories that hold nothing
    /// that was chosen.
    func pruned() -> LocalTree {
        var isKept = nodes.map(\.isChosen)
        if isKept.allSatisfy({ $0 }) { return self }
        // Children stand behind their parents, so one pass backwards carries a choice up to the
        // root.
        for index in nodes.indices.reversed() where !isKept[index] {
            isKept[index] = index == 0 || nodes[index].children.contains { isKept[$0] }
        }
        var kept = [nodes[0]]
        var next = 0
        while next < kept.count {
            let first = kept.count
            for child in kept[next].children where isKept[child] {
                kept.append(nodes[child])
                kept[kept.count - 1].parent = next
            }
            kept[next].children = first..<kept.count
            next += 1
        }
        return LocalTree(nodes: kept)
    }

    /// A digest over names, kinds, modes, links and contents: equal for equal trees, whatever their
    /// times and inodes.
    ///
    /// Valid once every regular file has its digest.
    func identity() -> Digest {
        var hasher = Digester()
        var record: [UInt8] = []
        for node in nodes {
            record.removeAll(keepingCapacity: true)
            append(UInt32(node.status.mode), to: &record)
            append(UInt32(clamping: node.children.count), to: &record)
            append(UInt32(clamping: node.name.utf8.count), to: &record)
            record += node.name.utf8
            append(UInt32(clamping: node.target.utf8.count), to: &record)
            record += node.target.utf8
            if let digest = node.digest { record += digest.bytes }
            for attribute in node.attributes {
                append(UInt32(clamping: attribute.name.utf8.count), to: &record)
                record += attribute.name.utf8
                append(UInt32(clamping: attribute.value.count), to: &record)
                record += attribute.value
            }
            hasher.update(record)
        }
        return hasher.finish()
    }

    private func append(_ value: UInt32, to record: inout [UInt8]) {
        for shift in stride(from: 0, to: 32, by: 8) {
            record.append(UInt8(truncatingIfNeeded: value >> UInt32(shift)))
        }
    }
}
