// SPDX-License-Identifier: Apache-2.0

/// The identifiers of what an engine can do with LLB, as BuildKit spells them. An operation names those it needs in its
/// metadata; a client uses a feature only when the engine offers it.
public enum Capability {
    public static let sourceImage = "source.image"
    public static let sourceImageResolveMode = "source.image.resolvemode"
    public static let sourceImageLayerLimit = "source.image.layerlimit"
    public static let sourceImageChecksum = "source.image.checksum"
    public static let sourceLocal = "source.local"
    public static let sourceLocalUnique = "source.local.unique"
    public static let sourceLocalSessionID = "source.local.sessionid"
    public static let sourceLocalIncludePatterns = "source.local.includepatterns"
    public static let sourceLocalFollowPaths = "source.local.followpaths"
    public static let sourceLocalExcludePatterns = "source.local.excludepatterns"
    public static let sourceLocalSharedKeyHint = "source.local.sharedkeyhint"
    public static let sourceLocalDiffer = "source.local.differ"
    public static let sourceMetadataTransfer = "source.local.metadatatransfer"
    public static let sourceGit = "source.git"
    public static let sourceGitKeepDir = "source.git.keepgitdir"
    public static let sourceGitFullURL = "source.git.fullurl"
    public static let sourceGitHTTPAuth = "source.git.httpauth"
    public static let sourceGitKnownSSHHosts = "source.git.knownsshhosts"
    public static let sourceGitMountSSHSock = "source.git.mountsshsock"
    public static let sourceGitSubdir = "source.git.subdir"
    public static let sourceGitChecksum = "source.git.checksum"
    public static let sourceGitSkipSubmodules = "source.git.skipsubmodules"
    public static let sourceGitSignatureVerify = "source.git.signatureverify"
    public static let sourceGitMTime = "source.git.mtime"
    public static let sourceGitFetchByCommit = "source.git.fetchbycommit"
    public static let sourceGitBundle = "source.git.bundle"
    public static let sourceGitCheckoutBundle = "source.git.checkoutbundle"
    public static let sourceHTTP = "source.http"
    public static let sourceHTTPAuth = "source.http.auth"
    public static let sourceHTTPChecksum = "source.http.checksum"
    public static let sourceHTTPPerm = "source.http.perm"
    public static let sourceHTTPUIDGID = "soruce.http.uidgid"
    public static let sourceHTTPHeader = "source.http.header"
    public static let sourceHTTPSignatureVerify = "source.http.signatureverify"
    public static let sourceImageBlob = "source.imageblob"
    public static let sourceOCILayout = "source.ocilayout"
    public static let buildOpLLBFileName = "source.buildop.llbfilename"
    public static let execMetaBase = "exec.meta.base"
    public static let execMetaCgroupParent = "exec.meta.cgroup.parent"
    public static let execMetaNetwork = "exec.meta.network"
    public static let execMetaNetworkProxy = "exec.meta.network.proxy"
    public static let execMetaProxy = "exec.meta.proxyenv"
    public static let execMetaSecurity = "exec.meta.security"
    public static let execMetaSecurityDeviceWhitelistV1 = "exec.meta.security.devices.v1"
    public static let execMetaSetsDefaultPath = "exec.meta.setsdefaultpath"
    public static let execMetaUlimit = "exec.meta.ulimit"
    public static let execMetaCDI = "exec.meta.cdi"
    public static let execMetaRemoveMountStubsRecursive = "exec.meta.removemountstubs.recursive"
    public static let execMetaLinuxResources = "exec.meta.linux.resources"
    public static let execMountBind = "exec.mount.bind"
    public static let execMountBindReadWriteNoOutput = "exec.mount.bind.readwrite-nooutput"
    public static let execMountCache = "exec.mount.cache"
    public static let execMountCacheSharing = "exec.mount.cache.sharing"
    public static let execMountSelector = "exec.mount.selector"
    public static let execMountTmpfs = "exec.mount.tmpfs"
    public static let execMountTmpfsSize = "exec.mount.tmpfs.size"
    public static let execMountSecret = "exec.mount.secret"
    public static let execMountSSH = "exec.mount.ssh"
    public static let execMountContentCache = "exec.mount.cache.content"
    public static let execCgroupsMounted = "exec.cgroup"
    public static let execSecretEnv = "exec.secretenv"
    public static let execValidExitCode = "exec.validexitcode"
    public static let fileBase = "file.base"
    public static let fileRmWildcard = "file.rm.wildcard"
    public static let fileCopyIncludeExcludePatterns = "file.copy.includeexcludepatterns"
    public static let fileCopyRequiredPaths = "file.copy.requiredpaths"
    public static let fileRmNoFollowSymlink = "file.rm.nofollowsymlink"
    public static let fileCopyAlwaysReplaceExistingDestPaths = "file.copy.alwaysreplaceexistingdestpaths"
    public static let fileCopyModeStringFormat = "file.copy.modestring"
    public static let fileSymlinkCreate = "file.symlink.create"
    public static let constraints = "constraints"
    public static let platform = "platform"
    public static let metaIgnoreCache = "meta.ignorecache"
    public static let metaDescription = "meta.description"
    public static let metaExportCache = "meta.exportcache"
    public static let remoteCacheGHA = "cache.gha"
    public static let remoteCacheS3 = "cache.s3"
    public static let remoteCacheAzBlob = "cache.azblob"
    public static let mergeOp = "mergeop"
    public static let diffOp = "diffop"
    public static let passthroughOp = "passthroughop"
    public static let annotations = "exporter.image.annotations"
    public static let attestations = "exporter.image.attestations"
    public static let sourceDateEpoch = "exporter.sourcedateepoch"
    public static let multipleExporters = "exporter.multiple"
    public static let sessionExporter = "exporter.session"
    public static let sourcePolicy = "source.policy"
    public static let sourcePolicySession = "source.policy.session"
    public static let gcFreeSpaceFilter = "gc.freespacefilter"
    public static let historyFilters = "history.filter"

    /// Every capability BuildKit registers for LLB. An engine refuses operations that need anything else.
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
