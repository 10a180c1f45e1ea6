// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit

FrontendMain.run(name: "llb", version: "1.0.0", questions: LLBBuild.questions) { session, request in
    try await LLBBuild(session: session, request: request).run()
}
