// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import OCI

/// What is right and wrong about a frontend's answers.
extension EngineScript {
    /// - Returns: Whether the conversation goes on.
    func check(initialize answer: Result<WireObject, ProtocolFailure>) throws -> Bool {
        let wanted = test.expectation.initializeFailure
        switch answer {
        case .failure(let failure):
            guard let wanted else {
                throw ConformanceFailure(
                    failure.kind == .incompatible ? .version : .wrongRefusal,
                    failure.kind == .incompatible ? "P-VER-02" : rule,
                    "refused \"initialize\": \(shown(failure.message.utf8))"
                )
            }
            let code: ConformanceFailure.Code = wanted == "incompatible" ? .version : .wrongRefusal
            guard failure.kind.name == wanted else {
                throw ConformanceFailure(
                    code,
                    rule,
                    "refused \"initialize\" with the kind \"\(failure.kind.name)\" instead of \"\(wanted)\""
                )
            }
            if wanted == "incompatible" {
                guard case .array(let versions)? = failure.data["supported"], !versions.isEmpty else {
                    throw ConformanceFailure(code, rule, "did not say in data.supported which versions it speaks")
                }
            }
            return false
        case .success(let members):
            let result: Wire.Initialize.Answer
            do throws(ProtocolViolation) {
                result = try Wire.Initialize.answer(members)
            } catch {
                throw failure(of: error)
            }
            if let wanted {
                throw ConformanceFailure(
                    wanted == "incompatible" ? .version : .wrongRefusal,
                    rule,
                    "answered \"initialize\" with version \(result.version) instead of the failure \"\(wanted)\""
                )
            }
            try check(result)
            record.frontend = result.frontend
            record.protocolVersion = result.version
            record.provides = result.provides
            return true
        }
    }

    func check(_ hello: Wire.Initialize.Answer) throws {
        let offered = behaviour.protocolVersions.compactMap { ProtocolVersion($0) }
        guard offered.contains(where: { $0.major == hello.version.major && $0 >= hello.version }) else {
            throw ConformanceFailure(
                .version,
                "P-VER-02",
                "chose version \(hello.version), where \(behaviour.protocolVersions.joined(separator: ", ")) was offered"
            )
        }
        if let wanted = test.expectation.protocolVersion, hello.version.description != wanted {
            throw ConformanceFailure(.version, rule, "chose version \(hello.version) instead of \(wanted)")
        }
        guard !hello.frontend.name.isEmpty, !hello.frontend.version.isEmpty else {
            throw ConformanceFailure(.malformedResult, "P-MSG-05", "left its name or version empty")
        }
    }

    /// Checks the answer to a work request.
    func take(work answer: Result<WireObject, ProtocolFailure>) throws {
        let members: WireObject
        switch answer {
        case .failure(let failure):
            guard failure.message.contains(where: { !$0.isWhitespace }) else {
                throw ConformanceFailure(
                    .wordless,
                    "P-ERR-02",
                    "answered \"\(test.work)\" with an error without a message"
                )
            }
            record.answer = .failure(failure)
            return
        case .success(let result): members = result
        }
        do throws(ProtocolViolation) {
            switch FrontendProtocol.Method(rawValue: test.work) {
            case .describeTargets: _ = try Wire.Describe<TargetsDescription>.answer(members)
            case .describeOutline: _ = try Wire.Describe<OutlineDescription>.answer(members)
            case .lint: _ = try Wire.Describe<LintFindings>.answer(members)
            case .convert: _ = try Wire.Describe<Wire.Converted>.answer(members)
            case .format: _ = try Wire.Describe<Wire.Formatted>.answer(members)
            default: break
            }
        } catch {
            throw failure(of: error)
        }
    }

    func take(build answer: Result<WireObject, ProtocolFailure>) throws {
        if let sample, !sample.isUnknown, !sample.mustFail, let problem = world.badDefinitions.first {
            throw ConformanceFailure(
                .badDefinition,
                "P-LLB-05",
                "asked for a definition that makes no sense: \(problem)"
            )
        }
        switch answer {
        case .failure(let failure):
            return try take(work: .failure(failure))
        case .success(let members):
            let result: Wire.Build.Answer
            do throws(ProtocolViolation) {
                result = try Wire.Build.answer(members)
            } catch {
                throw self.failure(of: error)
            }
            var ids: Set<String> = []
            for part in result.results {
                guard ids.insert(part.id).inserted else {
                    throw ConformanceFailure(
                        .malformedResult,
                        "P-RESULT-01",
                        "gave two entries of its result the id \"\(shown(part.id.utf8))\""
                    )
                }
                if let ref = part.ref, !world.holds(ref) {
                    throw ConformanceFailure(
                        .unknownRef,
                        "P-RESULT-01",
                        "gave the ref \"\(shown(ref.utf8))\" in its result, which it does not hold"
                    )
                }
            }
            record.answer = .success(result)
        }
    }

    func failure(of violation: ProtocolViolation) -> ConformanceFailure {
        switch violation.code {
        case .text:
            return ConformanceFailure(
                .textOnOutput,
                "P-FRAME-02",
                "wrote text to stdout, which carries the protocol: \"\(shown(violation.sample.prefix { $0 != 0 }))\""
            )
        case .gatewayProtocol:
            return ConformanceFailure(.gatewayProtocol, "P-FRAME-02", "speaks BuildKit's gateway protocol (HTTP/2)")
        case .oversize: return ConformanceFailure(.oversize, "P-FRAME-05", violation.message)
        case .frameOrder:
            return ConformanceFailure(
                .frameOrder,
                "P-BLOB-02",
                "broke the framing of its messages: \(violation.message)"
            )
        case .truncated:
            return ConformanceFailure(.frameOrder, "P-FRAME-06", "stopped too early: \(violation.message)")
        case .malformedJSON:
            return ConformanceFailure(.malformedMessage, "P-JSON-06", "sent what cannot be read: \(violation.message)")
        case .malformedMessage:
            return ConformanceFailure(.malformedMessage, "P-MSG-01", "sent what cannot be read: \(violation.message)")
        case .unknownIdentifier:
            let twice = answers.keys.contains { violation.message.hasPrefix("answered request \($0),") }
            return twice
                ? ConformanceFailure(.answeredTwice, "P-ID-02", "answered one request twice: it \(violation.message)")
                : ConformanceFailure(.identifier, "P-ID-01", violation.message)
        case .malformedResult:
            return ConformanceFailure(.malformedResult, "P-MSG-05", "gave a wrong answer: \(violation.message)")
        }
    }
}
