// SPDX-License-Identifier: Apache-2.0

/// The identifiers of what an engine can do with LLB, as BuildKit spells them.
///
/// An operation names those it needs in its metadata; a client uses a feature only when the engine
/// offers it.
public enum Capability {
    /// Docker-image source.
    public static let sourceImage = "source.image"
    /// The attribute image.resolvemode.
    public static let sourceImageResolveMode = "source.image.resolvemode"
    /// The attribute image.layerlimit.
    public static let sourceImageLayerLimit = "source.image.layerlimit"
    /// The attribute image.checksum.
    public static let sourceImageChecksum = "source.image.checksum"
    /// Local source.
    public static let sourceLocal = "source.local"
    /// The attribute local.unique.
    public static let sourceLocalUnique = "source.local.unique"
    /// The attribute local.session.
    public static let sourceLocalSessionID = "source.local.sessionid"
    /// The attribute local.includepattern.
    public static let sourceLocalIncludePatterns = "source.local.includepatterns"
    /// The attribute local.followpaths.
    public static let sourceLocalFollowPaths = "source.local.followpaths"
    /// The attribute local.excludepatterns.
    public static let sourceLocalExcludePatterns = "source.local.excludepatterns"
    /// The attribute local.sharedkeyhint.
    public static let sourceLocalSharedKeyHint = "source.local.sharedkeyhint"
    /// The attribute local.differ.
    public static let sourceLocalDiffer = "source.local.differ"
    /// Metadata-only transfer attrs.
    public static let sourceMetadataTransfer = "source.local.metadatatransfer"
    /// Git source.
    public static let sourceGit = "source.git"
    /// Keep .git.
    public static let sourceGitKeepDir = "source.git.keepgitdir"
    /// The attribute git.fullurl.
    public static let sourceGitFullURL = "source.git.fullurl"
    /// Auth header/token secrets.
    public static let sourceGitHTTPAuth = "source.git.httpauth"
    /// Ssh known hosts.
    public static let sourceGitKnownSSHHosts = "source.git.knownsshhosts"
    /// Ssh agent for git.
    public static let sourceGitMountSSHSock = "source.git.mountsshsock"
    /// `#ref:subdir`.
    public static let sourceGitSubdir = "source.git.subdir"
    /// The attribute git.checksum.
    public static let sourceGitChecksum = "source.git.checksum"
    /// The attribute git.skipsubmodules.
    public static let sourceGitSkipSubmodules = "source.git.skipsubmodules"
    /// Git.sig.* attrs.
    public static let sourceGitSignatureVerify = "source.git.signatureverify"
    /// The attribute git.mtime.
    public static let sourceGitMTime = "source.git.mtime"
    /// The attribute git.fetchbycommit.
    public static let sourceGitFetchByCommit = "source.git.fetchbycommit"
    /// The attribute git.bundle.
    public static let sourceGitBundle = "source.git.bundle"
    /// The attribute git.checkoutbundle.
    public static let sourceGitCheckoutBundle = "source.git.checkoutbundle"
    /// Http(s) source.
    public static let sourceHTTP = "source.http"
    /// Auth header secret.
    public static let sourceHTTPAuth = "source.http.auth"
    /// The attribute http.checksum.
    public static let sourceHTTPChecksum = "source.http.checksum"
    /// The attribute http.perm.
    public static let sourceHTTPPerm = "source.http.perm"
    /// Attrs http.uid/gid; the spelling is part of the wire form.
    public static let sourceHTTPUIDGID = "soruce.http.uidgid"
    /// The attribute http.header.*.
    public static let sourceHTTPHeader = "source.http.header"
    /// Http.sig.* attrs.
    public static let sourceHTTPSignatureVerify = "source.http.signatureverify"
    /// `docker-image+blob`, `oci-layout+blob`.
    public static let sourceImageBlob = "source.imageblob"
    /// Oci-layout source.
    public static let sourceOCILayout = "source.ocilayout"
    /// BuildOp attribute llbbuild.filename.
    public static let buildOpLLBFileName = "source.buildop.llbfilename"
    /// Basic exec.
    public static let execMetaBase = "exec.meta.base"
    /// Meta.cgroupParent.
    public static let execMetaCgroupParent = "exec.meta.cgroup.parent"
    /// ExecOp.network.
    public static let execMetaNetwork = "exec.meta.network"
    /// Daemon can enforce proxy network.
    public static let execMetaNetworkProxy = "exec.meta.network.proxy"
    /// Meta.proxy_env.
    public static let execMetaProxy = "exec.meta.proxyenv"
    /// ExecOp.security.
    public static let execMetaSecurity = "exec.meta.security"
    /// Insecure mode gets broad device access.
    public static let execMetaSecurityDeviceWhitelistV1 = "exec.meta.security.devices.v1"
    /// Daemon sets PATH if absent.
    public static let execMetaSetsDefaultPath = "exec.meta.setsdefaultpath"
    /// Meta.ulimit.
    public static let execMetaUlimit = "exec.meta.ulimit"
    /// ExecOp.cdiDevices.
    public static let execMetaCDI = "exec.meta.cdi"
    /// Meta.removeMountStubsRecursive (constant exists, never registered so clients see it as
    /// unsupported).
    public static let execMetaRemoveMountStubsRecursive = "exec.meta.removemountstubs.recursive"
    /// OpMetadata.linux_resources.
    public static let execMetaLinuxResources = "exec.meta.linux.resources"
    /// Bind mounts.
    public static let execMountBind = "exec.mount.bind"
    /// Exec.mount.bind.readwrite-nooutput is understood.
    public static let execMountBindReadWriteNoOutput = "exec.mount.bind.readwrite-nooutput"
    /// Cache mounts.
    public static let execMountCache = "exec.mount.cache"
    /// CacheOpt.sharing.
    public static let execMountCacheSharing = "exec.mount.cache.sharing"
    /// Mount.selector.
    public static let execMountSelector = "exec.mount.selector"
    /// Tmpfs mounts.
    public static let execMountTmpfs = "exec.mount.tmpfs"
    /// TmpfsOpt.size.
    public static let execMountTmpfsSize = "exec.mount.tmpfs.size"
    /// Secret mounts.
    public static let execMountSecret = "exec.mount.secret"
    /// Ssh mounts.
    public static let execMountSSH = "exec.mount.ssh"
    /// Mount.contentCache.
    public static let execMountContentCache = "exec.mount.cache.content"
    /// /sys/fs/cgroup mounted in steps.
    public static let execCgroupsMounted = "exec.cgroup"
    /// ExecOp.secretenv.
    public static let execSecretEnv = "exec.secretenv"
    /// Meta.validExitCodes.
    public static let execValidExitCode = "exec.validexitcode"
    /// FileOp.
    public static let fileBase = "file.base"
    /// Rm.allowWildcard.
    public static let fileRmWildcard = "file.rm.wildcard"
    /// Copy include/exclude.
    public static let fileCopyIncludeExcludePatterns = "file.copy.includeexcludepatterns"
    /// Copy.required_paths.
    public static let fileCopyRequiredPaths = "file.copy.requiredpaths"
    /// Rm deletes the link itself.
    public static let fileRmNoFollowSymlink = "file.rm.nofollowsymlink"
    /// Copy.alwaysReplaceExistingDestPaths.
    public static let fileCopyAlwaysReplaceExistingDestPaths =
        "file.copy.alwaysreplaceexistingdestpaths"
    /// Copy.modeStr (constant exists, never registered).
    public static let fileCopyModeStringFormat = "file.copy.modestring"
    /// Symlink action.
    public static let fileSymlinkCreate = "file.symlink.create"
    /// Op.constraints.
    public static let constraints = "constraints"
    /// Op.platform.
    public static let platform = "platform"
    /// OpMetadata fields.
    public static let metaIgnoreCache = "meta.ignorecache"
    /// OpMetadata fields.
    public static let metaDescription = "meta.description"
    /// OpMetadata fields.
    public static let metaExportCache = "meta.exportcache"
    /// Remote cache backends present.
    public static let remoteCacheGHA = "cache.gha"
    /// Remote cache backends present.
    public static let remoteCacheS3 = "cache.s3"
    /// Remote cache backends present.
    public static let remoteCacheAzBlob = "cache.azblob"
    /// Those ops.
    public static let mergeOp = "mergeop"
    /// Those ops.
    public static let diffOp = "diffop"
    /// Those ops.
    public static let passthroughOp = "passthroughop"
    /// Annotation keys on image exporter.
    public static let annotations = "exporter.image.annotations"
    /// Attestations supported (buildx then adds default provenance).
    public static let attestations = "exporter.image.attestations"
    /// Source-date-epoch on exporters.
    public static let sourceDateEpoch = "exporter.sourcedateepoch"
    /// More than one `Exporters` entry.
    public static let multipleExporters = "exporter.multiple"
    /// Client supplied exporters (EnableSessionExporter).
    public static let sessionExporter = "exporter.session"
    /// SolveRequest.SourcePolicy(ies).
    public static let sourcePolicy = "source.policy"
    /// PolicyVerifier over session.
    public static let sourcePolicySession = "source.policy.session"
    /// Prune min-free/max-used fields.
    public static let gcFreeSpaceFilter = "gc.freespacefilter"
    /// ListenBuildHistory Filter/Limit.
    public static let historyFilters = "history.filter"

    /// Every capability BuildKit registers for LLB.
    ///
    /// An engine refuses operations that need anything else.
    public static let all: Set<String> = [
        sourceImage,
        sourceImageResolveMode,
        sourceImageLayerLimit,
        sourceImageChecksum,
        sourceLocal,
        sourceLocalUnique,
        sourceLocalSessionID,
        sourceLocalIncludePatterns,
        sourceLocalFollowPaths,
        sourceLocalExcludePatterns,
        sourceLocalSharedKeyHint,
        sourceLocalDiffer,
        sourceMetadataTransfer,
        sourceGit,
        sourceGitKeepDir,
        sourceGitFullURL,
        sourceGitHTTPAuth,
        sourceGitKnownSSHHosts,
        sourceGitMountSSHSock,
        sourceGitSubdir,
        sourceGitChecksum,
        sourceGitSkipSubmodules,
        sourceGitSignatureVerify,
        sourceGitMTime,
        sourceGitFetchByCommit,
        sourceGitBundle,
        sourceGitCheckoutBundle,
        sourceHTTP,
        sourceHTTPAuth,
        sourceHTTPChecksum,
        sourceHTTPPerm,
        sourceHTTPUIDGID,
        sourceHTTPHeader,
        sourceHTTPSignatureVerify,
        sourceImageBlob,
        sourceOCILayout,
        buildOpLLBFileName,
        execMetaBase,
        execMetaCgroupParent,
        execMetaNetwork,
        execMetaNetworkProxy,
        execMetaProxy,
        execMetaSecurity,
        execMetaSecurityDeviceWhitelistV1,
        execMetaSetsDefaultPath,
        execMetaUlimit,
        execMetaCDI,
        execMetaLinuxResources,
        execMountBind,
        execMountBindReadWriteNoOutput,
        execMountCache,
        execMountCacheSharing,
        execMountSelector,
        execMountTmpfs,
        execMountTmpfsSize,
        execMountSecret,
        execMountSSH,
        execMountContentCache,
        execCgroupsMounted,
        execSecretEnv,
        execValidExitCode,
        fileBase,
        fileRmWildcard,
        fileCopyIncludeExcludePatterns,
        fileCopyRequiredPaths,
        fileRmNoFollowSymlink,
        fileCopyAlwaysReplaceExistingDestPaths,
        fileSymlinkCreate,
        constraints,
        platform,
        metaIgnoreCache,
        metaDescription,
        metaExportCache,
        remoteCacheGHA,
        remoteCacheS3,
        remoteCacheAzBlob,
        mergeOp,
        diffOp,
        passthroughOp,
        annotations,
        attestations,
        sourceDateEpoch,
        multipleExporters,
        sessionExporter,
        sourcePolicy,
        sourcePolicySession,
        gcFreeSpaceFilter,
        historyFilters,
    ]
}
