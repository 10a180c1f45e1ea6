// SPDX-License-Identifier: Apache-2.0

// The module BuildCache holds a class of the same name, so its other names cannot be qualified; this one is also the name
// of the engine's own policy.
internal import BuildCache

typealias CachePrunePolicy = BuildCachePolicy
