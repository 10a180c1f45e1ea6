// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// Dockerfiles to hold properties of: those of the fixtures, and made-up ones.
enum SampleFiles {
    struct Sample: Sendable, CustomStringConvertible {
        let name: String
        let source: [UInt8]
        var description: String { name }
    }

    /// The Dockerfiles of `Tests/Fixtures`.
    static let fixtures: [Sample] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/dockerfiles").path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().flatMap { name in
            let files = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(name)")) ?? []
            return files.sorted().filter { $0.hasSuffix("Dockerfile") || $0.hasPrefix("Dockerfile") }.compactMap {
                file in
                (try? Data(contentsOf: URL(filePath: "\(folder)/\(name)/\(file)"))).map {
                    Sample(name: "\(name)/\(file)", source: Array($0))
                }
            }
        }
    }()

    /// A text made of pieces that matter to the parser, the same for the same seed.
    static func generated(seed: UInt64) -> [UInt8] {
        var random = Random(state: seed)
        var text = random.below(8) == 0 ? "\u{FEFF}" : ""
        if random.below(6) == 0 {
            text += random.pick(["# escape=`\n", "\n# escape=`\n", "#syntax = a/b  \r\n", "# check=skip=all\n"])
        }
        for _ in 0..<random.below(6) { text += random.pick(prologue) }
        text += "FROM scratch\n"
        for _ in 0..<1 + random.below(12) {
            text += random.pick(pieces)
            if random.below(4) == 0 { text += random.pick(noise) }
        }
        return Array(text.utf8)
    }

    private static let prologue = ["\n", "# a comment  \n", "  # indented\n", " \t\r\n", "ARG  A=b   C\n", "#\n"]
    private static let noise = [
        "\n", "\n\n\n", "# name text\n", "   # check=skip=all \n", "\t\n", "#!x\r\n", "RUN x \\", "\u{00A0}\n",
    ]
    private static let pieces = [
        "run  echo   a \\\n    # inside \n\n   && echo b  \n",
        "RUN --mount=type=cache,target=/c   \\\n --network=none  make\n",
        "RUN --  make\n", "ENV a=b   c='d  e' \\\n  f=\"g  \\\n h\"\n", "ENV a some  value  \n", "env k\\ l=m\n",
        "Env a=b\\\n",
        "LABEL a b\n", "copy   a    b \\\r\n  /c/   \r\n", "COPY --chown=1  [ \"a b\" ,\"c\",   \"/d\" ]\n",
        "ADD a\\ b /c\n",
        "CMD [ \"a\" , \"b\\n\" ]  \n", "CMD   [\"a\", \\\n \"b\"]\n", "CMD []\n", "ENTRYPOINT a  'b  c'\n",
        "CMD [a]\n",
        "RUN <<EOF\n  body  \n\nEOF\n", "RUN <<-'A' <<B  cat\n\tx\n\tA\ny \\\nB\n",
        "COPY  <<f   <<\"g\"   /d\n  a\nf\nb\ng\n",
        "HEALTHCHECK   --interval=5s  cmd  curl   x\n", "healthcheck none\n", "ONBUILD   run  a   \\\n  b  \n",
        "onbuild copy a b\n",
        "WORKDIR   /a b  \n", "USER a\n", "EXPOSE  80   81/TCP\n", "VOLUME  /a   /b\n", "STOPSIGNAL 9\n",
        "SHELL [\"a\",\"-c\"]\n",
        "MAINTAINER  a  <b>\n", "FROM  scratch   as  two\n", "from scratch\n", "ARG x  y=z\n",
        "RUN a \\\n  \\\n\n  # c\n  b\n",
        "RUN echo \"a\\\n  b\"\n", "RUN a \\\\\n", "\\\nRUN b\n", "RU\\\nN a\n", "COPY a \\\n# c\nb\n",
        "RUN é  ü\u{2028}x\n",
    ]

    /// SplitMix64.
    private struct Random {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }

        mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

        mutating func pick(_ texts: [String]) -> String { texts[below(texts.count)] }
    }
}
