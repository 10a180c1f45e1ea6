// SPDX-License-Identifier: Apache-2.0

/// A rule of the linter.
///
/// Names, texts and addresses are those of BuildKit, so that `check` directives, editors and
/// documentation fit.
package struct LintRule: Sendable, Hashable {
    package let name: String
    /// One sentence about the rule.
    package let summary: String
    /// Documentation; empty for a rule that has none.
    package let url: String
    /// Runs only when an option asks for it.
    package let isExperimental: Bool

    private init(_ name: String, _ summary: String, page: String?, isExperimental: Bool = false) {
        self.name = name
        self.summary = summary
        url = page.map { "https://docs.docker.com/go/dockerfile/rule/\($0)/" } ?? ""
        self.isExperimental = isExperimental
    }

    package static let stageNameCasing = LintRule(
        "StageNameCasing",
        "Stage names should be lowercase",
        page: "stage-name-casing"
    )
    package static let fromAsCasing = LintRule(
        "FromAsCasing",
        "The 'as' keyword should match the case of the 'from' keyword",
        page: "from-as-casing"
    )
    package static let noEmptyContinuation = LintRule(
        "NoEmptyContinuation",
        "Empty continuation lines will become errors in a future release",
        page: "no-empty-continuation"
    )
    package static let consistentInstructionCasing = LintRule(
        "ConsistentInstructionCasing",
        "All commands within the Dockerfile should use the same casing (either upper or lower)",
        page: "consistent-instruction-casing"
    )
    package static let duplicateStageName = LintRule(
        "DuplicateStageName",
        "Stage names should be unique",
        page: "duplicate-stage-name"
    )
    package static let reservedStageName = LintRule(
        "ReservedStageName",
        "Reserved words should not be used as stage names",
        page: "reserved-stage-name"
    )
    package static let jsonArgsRecommended = LintRule(
        "JSONArgsRecommended",
        "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
        page: "json-args-recommended"
    )
    package static let maintainerDeprecated = LintRule(
        "MaintainerDeprecated",
        "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
        page: "maintainer-deprecated"
    )
    package static let undefinedArgInFrom = LintRule(
        "UndefinedArgInFrom",
        "FROM command must use declared ARGs",
        page: "undefined-arg-in-from"
    )
    package static let workdirRelativePath = LintRule(
        "WorkdirRelativePath",
        "Relative workdir without an absolute workdir declared within the build can have unexpected results "
            + "if the base image changes",
        page: "workdir-relative-path"
    )
    package static let undefinedVar = LintRule(
        "UndefinedVar",
        "Variables should be defined before their use",
        page: "undefined-var"
    )
    package static let multipleInstructionsDisallowed = LintRule(
        "MultipleInstructionsDisallowed",
        "Multiple instructions of the same type should not be used in the same stage",
        page: "multiple-instructions-disallowed"
    )
    package static let legacyKeyValueFormat = LintRule(
        "LegacyKeyValueFormat",
        "Legacy key/value format with whitespace separator should not be used",
        page: "legacy-key-value-format"
    )
    package static let invalidBaseImagePlatform = LintRule(
        "InvalidBaseImagePlatform",
        "Base image platform does not match expected target platform",
        page: nil
    )
    package static let redundantTargetPlatform = LintRule(
        "RedundantTargetPlatform",
        "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
        page: "redundant-target-platform"
    )
    package static let secretsUsedInArgOrEnv = LintRule(
        "SecretsUsedInArgOrEnv",
        "Sensitive data should not be used in the ARG or ENV commands",
        page: "secrets-used-in-arg-or-env"
    )
    package static let invalidDefaultArgInFrom = LintRule(
        "InvalidDefaultArgInFrom",
        "Default value for global ARG results in an empty or invalid base image name",
        page: "invalid-default-arg-in-from"
    )
    package static let fromPlatformFlagConstDisallowed = LintRule(
        "FromPlatformFlagConstDisallowed",
        "FROM --platform flag should not use a constant value",
        page: "from-platform-flag-const-disallowed"
    )
    package static let copyIgnoredFile = LintRule(
        "CopyIgnoredFile",
        "Attempting to Copy file that is excluded by .dockerignore",
        page: "copy-ignored-file"
    )
    package static let invalidDefinitionDescription = LintRule(
        "InvalidDefinitionDescription",
        "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. "
            + "If this is not intended to be a description comment, add an empty line or comment between the "
            + "instruction and the comment.",
        page: "invalid-definition-description",
        isExperimental: true
    )
    package static let exposeProtoCasing = LintRule(
        "ExposeProtoCasing",
        "Protocol in EXPOSE instruction should be lowercase",
        page: "expose-proto-casing"
    )
    package static let exposeInvalidFormat = LintRule(
        "ExposeInvalidFormat",
        "IP address and host-port mapping should not be used in EXPOSE instruction. "
            + "This will become an error in a future release",
        page: "expose-invalid-format"
    )

    package static let all: [LintRule] = [
        stageNameCasing, fromAsCasing, noEmptyContinuation, consistentInstructionCasing,
        duplicateStageName,
        reservedStageName, jsonArgsRecommended, maintainerDeprecated, undefinedArgInFrom,
        workdirRelativePath,
        undefinedVar, multipleInstructionsDisallowed, legacyKeyValueFormat,
        invalidBaseImagePlatform,
        redundantTargetPlatform, secretsUsedInArgOrEnv, invalidDefaultArgInFrom,
        fromPlatformFlagConstDisallowed,
        copyIgnoredFile, invalidDefinitionDescription, exposeProtoCasing, exposeInvalidFormat,
    ]
}
