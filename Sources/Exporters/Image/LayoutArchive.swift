// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import LinuxSystem

struct LayoutArchive {
    let content: ContentStore
    let cancellation: CancellationFlag

    func write(_ layout: Layout, to output: LinuxSystem.Descriptor) throws {
        throw ExportError(.defect, "cannot write an archive yet")
    }
}
