// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages
internal import OCI

/// The definition part of a merge's cache key: BuildKit's `buildkit.merge.v0`.
func mergeCacheDigest(_ merge: Pb_MergeOp) -> Digest {
    var json = GoJSON()
    json.add("Type", json: "\"buildkit.merge.v0\"")
    var inner = GoJSON()
    if !merge.inputs.isEmpty {
        inner.add("inputs", json: GoJSON.array(merge.inputs.map { inputJSON($0.input) }))
    }
    json.add("Merge", json: inner.object)
    return Digest.of(json.object)
}

/// The definition part of a diff's cache key: BuildKit's `buildkit.diff.v0`.
func diffCacheDigest(_ diff: Pb_DiffOp) -> Digest {
    var json = GoJSON()
    json.add("Type", json: "\"buildkit.diff.v0\"")
    var inner = GoJSON()
    if diff.hasLower { inner.add("lower", json: inputJSON(diff.lower.input)) }
    if diff.hasUpper { inner.add("upper", json: inputJSON(diff.upper.input)) }
    json.add("Diff", json: inner.object)
    return Digest.of(json.object)
}

/// The root key of a source: BuildKit's `buildkit.source.v0`.
func sourceCacheDigest(_ key: String) -> Digest { Digest.of("buildkit.source.v0:\(key)") }

private func inputJSON(_ input: Int64) -> String {
    var json = GoJSON()
    json.add("input", input)
    return json.object
}
