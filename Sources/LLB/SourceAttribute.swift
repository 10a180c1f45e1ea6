// SPDX-License-Identifier: Apache-2.0

/// Names of the attributes of a source operation.
///
/// Source: BuildKit's source identifiers.
public enum SourceAttribute {
    /// How a tag becomes a digest: `default`, `pull` or `local`.
    public static let imageResolveMode = "image.resolvemode"
    /// Which class of records keeps the image.
    public static let imageRecordType = "image.recordtype"
    /// How many layers to take, from the lowest.
    public static let imageLayerLimit = "image.layerlimit"
    /// The manifest digest that must be found.
    public static let imageChecksum = "image.checksum"
    /// The session that offers the layout.
    public static let ociSession = "oci.session"
    /// The layout, by its name there.
    public static let ociStore = "oci.store"
    /// How many layers to take, from the lowest.
    public static let ociLayerLimit = "oci.layerlimit"
    /// The session that offers the directory.
    public static let localSession = "local.session"
    /// Tells builds without sessions apart.
    public static let localUnique = "local.unique"
    /// A JSON list of patterns.
    public static let localIncludePatterns = "local.includepattern"
    /// A JSON list of paths.
    public static let localFollowPaths = "local.followpaths"
    /// A JSON list of patterns.
    public static let localExcludePatterns = "local.excludepatterns"
    /// Names transfers that can build upon each other.
    public static let localSharedKeyHint = "local.sharedkeyhint"
    /// How files are compared: `none` or `metadata`.
    public static let localDiffer = "local.differ"
    /// Whether only metadata is sent.
    public static let localMetadataTransfer = "local.metadatatransfer"
    /// A JSON list of paths whose content is sent nevertheless.
    public static let localMetadataTransferExclude = "local.metadatatransferexclude"
    /// Whether `.git` stays.
    public static let gitKeepDirectory = "git.keepgitdir"
    /// What git is given.
    public static let gitFullURL = "git.fullurl"
    /// The secret with the header for HTTP.
    public static let gitAuthHeaderSecret = "git.authheadersecret"
    /// The secret with the token for HTTP.
    public static let gitAuthTokenSecret = "git.authtokensecret"
    /// Lines of a known_hosts file.
    public static let gitKnownSSHHosts = "git.knownsshhosts"
    /// The agent to use.
    public static let gitMountSSHSocket = "git.mountsshsock"
    /// The commit, or a prefix of it, that must be found.
    public static let gitChecksum = "git.checksum"
    /// Whether submodules stay empty.
    public static let gitSkipSubmodules = "git.skipsubmodules"
    /// `checkout` or `commit`.
    public static let gitModificationTime = "git.mtime"
    /// Whether the commit itself is fetched.
    public static let gitFetchByCommit = "git.fetchbycommit"
    /// A blob that stands in for the remote.
    public static let gitBundle = "git.bundle"
    /// Whether the result is a bundle.
    public static let gitCheckoutBundle = "git.checkoutbundle"
    /// Keys a signature must be made with.
    public static let gitSignaturePublicKey = "git.sig.pubkey"
    /// Whether expired keys are refused.
    public static let gitSignatureRejectExpired = "git.sig.rejectexpired"
    /// Whether the tag must be signed.
    public static let gitSignatureRequireSignedTag = "git.sig.requiresignedtag"
    /// Whether a signature of the tag does not count.
    public static let gitSignatureIgnoreSignedTag = "git.sig.ignoresignedtag"
    /// The digest the body must have.
    public static let httpChecksum = "http.checksum"
    /// What the file is called.
    public static let httpFilename = "http.filename"
    /// Octal.
    public static let httpPermissions = "http.perm"
    /// Owner of the file.
    public static let httpUser = "http.uid"
    /// Group of the file.
    public static let httpGroup = "http.gid"
    /// The secret with the `Authorization` header.
    public static let httpAuthHeaderSecret = "http.authheadersecret"
    /// Followed by the name of a request header.
    public static let httpHeaderPrefix = "http.header."
    /// Keys the signature must be made with.
    public static let httpSignaturePublicKey = "http.sig.pubkey"
    /// A detached signature of the body.
    public static let httpSignature = "http.sig.signature"
    /// The file that holds a nested definition.
    public static let definitionFilename = "llbbuild.filename"
}
