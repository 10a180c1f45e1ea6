// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
package import OCI
internal import Synchronization

/// The name of a layer in the store: `[a-z0-9-]`, at most 80 bytes.
package typealias LayerID = String

/// One change of a file tree.
///
/// It never changes itself.
///
/// A layer may not be on disk yet: an image layer is fetched and unpacked when somebody looks into it, a host layer is
/// read where it lies.
package final class Layer: Sendable {
    package let id: LayerID

    private struct State {
        var diffID: Digest?
        var blob: OCI.Descriptor?
    }

    private let state: Mutex<State>
    private let contentWork: SharedWork<any LayerContent>
    private let directoryWork: SharedWork<Directory>

    init(
        id: LayerID,
        diffID: Digest?,
        blob: OCI.Descriptor?,
        content: @escaping @Sendable () async throws -> any LayerContent,
        directory: @escaping @Sendable () async throws -> Directory
    ) {
        self.id = id
        state = Mutex(State(diffID: diffID, blob: blob))
        contentWork = SharedWork(content)
        directoryWork = SharedWork(directory)
    }

    /// A layer that is on disk.
    init(id: LayerID, content: any LayerContent, directory: Directory) {
        self.id = id
        state = Mutex(State())
        contentWork = SharedWork(done: content)
        directoryWork = SharedWork(done: directory)
    }

    /// The digest of the layer's uncompressed tar, once it is known: from the image it came in, or from an export.
    package var diffID: Digest? { state.withLock { $0.diffID } }

    /// A compressed blob of this layer, once one is known; it need not be in the store.
    package var blob: OCI.Descriptor? { state.withLock { $0.blob } }

    /// Whether the layer is one of an image: its blob, wherever it is, is the image author's own.
    package var isFromImage: Bool { id.hasPrefix(Self.imagePrefix) }

    /// What the ids of image layers begin with.
    static let imagePrefix = "image-"

    /// What the ids of host layers begin with.
    static let hostPrefix = "host-"

    /// Whether an id follows from the layer's content: the layer has no owner then, and may come back after it was removed.
    package static func isNamedByContent(_ id: LayerID) -> Bool {
        id.hasPrefix(imagePrefix) || id.hasPrefix(hostPrefix)
    }

    /// Whether looking into the layer costs neither a download nor an unpacking.
    package var isReady: Bool { contentWork.finished != nil }

    /// What the layer holds.
    ///
    /// Fetches and unpacks an image layer at first use; all who wait share one run.
    package func content() async throws -> any LayerContent {
        // The usual case by far, and trees have many layers: do not suspend for it.
        if let content = contentWork.finished { return content }
        return try await contentWork.value()
    }

    /// The layer's directory on disk, as an overlay diff; a host layer is copied to disk at first use.
    package func directory() async throws -> Directory {
        if let directory = directoryWork.finished { return directory }
        return try await directoryWork.value()
    }

    /// The content where it is at hand.
    var readyContent: (any LayerContent)? { contentWork.finished }

    func learn(diffID: Digest, blob: OCI.Descriptor?) {
        state.withLock { state in
            state.diffID = diffID
            if let blob { state.blob = blob }
        }
    }
}

/// A file tree: layers, lowest first.
///
/// Concatenating two trees is BuildKit's merge; dropping a shared beginning is its diff.
package struct FileTree: Sendable {
    package var layers: [Layer]

    package init(layers: [Layer]) { self.layers = layers }

    /// The empty tree.
    package static let scratch = FileTree(layers: [])

    /// A tree with one more layer on top.
    package func adding(_ layer: Layer) -> FileTree { FileTree(layers: layers + [layer]) }

    /// Copies to disk the layers that lie in directories of the host: nothing that stands on one can be kept before.
    package func copyHostLayers() async throws {
        for layer in layers where layer.id.hasPrefix(Layer.hostPrefix) { _ = try await layer.directory() }
    }

    /// The layers above `lower`, when this tree begins with all of its layers; else `nil`.
    package func suffix(above lower: FileTree) -> FileTree? {
        guard layers.count >= lower.layers.count,
            zip(layers, lower.layers).allSatisfy({ $0.id == $1.id })
        else { return nil }
        return FileTree(layers: Array(layers.dropFirst(lower.layers.count)))
    }

    /// Looks into all layers, fetching those that are not here.
    func view() async throws -> UnionView {
        var contents: [any LayerContent] = []
        contents.reserveCapacity(layers.count)
        for layer in layers {
            if let ready = layer.readyContent {
                contents.append(ready)
            } else {
                // Unpacked lowest first: a layer may need the directories below it.
                contents.append(try await layer.content())
            }
        }
        return UnionView(contents)
    }
}
