// SPDX-License-Identifier: Apache-2.0

// LLB's builder has types of these names too: files that need both use these.
internal import Snapshots

typealias TreeCopyOptions = CopyOptions
typealias TreeOwner = FileOwner
