// SPDX-License-Identifier: Apache-2.0

import OCI
import Testing

@testable import Exporters

private let digests = (0..<4).map { Digest.of("layer \($0)") }

private func finish(
    _ config: String,
    layers: Int,
    times: [Int64?] = [],
    epoch: Int64? = nil,
    base: String? = nil
) throws -> String {
    let facts = (0..<layers).map { index in
        ImageConfigFinish.LayerFacts(
            diffID: digests[index],
            note: LayerNote(
                created: (index < times.count ? times[index] : nil).map { Timestamp(seconds: $0) },
                description: "step \(index)"
            )
        )
    }
    let finish = ImageConfigFinish(
        layers: facts,
        epoch: epoch,
        baseHistory: try ImageConfigFinish.history(base.map { Array($0.utf8) })
    )
    return String(decoding: try finish.finish(Array(config.utf8)).bytes, as: UTF8.self)
}

@Suite struct `An image config` {
    @Test func `gets its layers and history, keeps what it does not know, and comes out sorted`()
        throws
    {
        let config = #"""
            {"x.unknown": {"b": 1.50, "a": "<>"}, "os": "linux", "config": {"Cmd": ["sh"]}, "architecture": "arm64",
             "history": [{"created_by": "COPY", "created": "2024-01-01T00:00:00Z"}]}
            """#
        #expect(
            try finish(config, layers: 1)
                == #"{"architecture":"arm64","config":{"Cmd":["sh"]},"created":"2024-01-01T00:00:00Z","#
                + #""history":[{"created":"2024-01-01T00:00:00Z","created_by":"COPY"}],"os":"linux","#
                + #""rootfs":{"type":"layers","diff_ids":["\#(digests[0])"]},"x.unknown":{"b":1.50,"a":"\u003c\u003e"}}"#
        )
    }

    @Test func `gets an entry of history for each layer that has none`() throws {
        let text = try finish(#"{"os":"linux","architecture":"amd64"}"#, layers: 2, times: [5, 6])
        #expect(
            text.contains(
                #""history":[{"created":"1970-01-01T00:00:05Z","created_by":"step 0","comment":"buildkit.exporter.image.v0"},"#
                    + #"{"created":"1970-01-01T00:00:06Z","created_by":"step 1","comment":"buildkit.exporter.image.v0"}]"#
            )
        )
        #expect(text.contains(#""created":"1970-01-01T00:00:06Z","history""#))
    }

    @Test func `marks entries of history empty that have no layer`() throws {
        let text = try finish(
            #"{"os":"linux","architecture":"amd64","history":[{"created_by":"a"},{"created_by":"b"}]}"#,
            layers: 1
        )
        #expect(text.contains(#"[{"created_by":"a"},{"created_by":"b","empty_layer":true}]"#))
    }

    @Test
    func `gives steps without a layer the time of the first new layer, then of the one before`()
        throws
    {
        let history =
            #"[{"created":"1970-01-01T00:00:01Z"},{"empty_layer":true},{},{"empty_layer":true}]"#
        let text = try finish(
            #"{"os":"linux","architecture":"amd64","history":\#(history)}"#,
            layers: 2,
            times: [nil, 9]
        )
        let nine = #""created":"1970-01-01T00:00:09Z""#
        #expect(
            text.contains(
                #"[{"created":"1970-01-01T00:00:01Z"},{\#(nine),"empty_layer":true},{\#(nine)},{\#(nine),"empty_layer":true}]"#
            )
        )
    }

    @Test func `is clamped to SOURCE_DATE_EPOCH but for the base image`() throws {
        let base =
            #"{"os":"linux","architecture":"amd64","history":[{"created":"2020-01-01T00:00:00Z"}]}"#
        let config = #"""
            {"os":"linux","architecture":"amd64","created":"2024-01-01T00:00:00Z",
             "history":[{"created":"2020-01-01T00:00:00Z"},{"created":"2024-01-01T00:00:00Z"},
                        {"created":"1970-01-01T00:00:02Z"}]}
            """#
        let text = try finish(config, layers: 3, epoch: 100, base: base)
        #expect(
            text.contains(
                #""created":"1970-01-01T00:01:40Z","history":[{"created":"2020-01-01T00:00:00Z"},"#
                    + #"{"created":"1970-01-01T00:01:40Z"},{"created":"1970-01-01T00:00:02Z"}]"#
            )
        )
    }

    @Test func `of nothing names the platform and a path`() throws {
        let config = String(
            decoding: ImageConfigFinish.standard(.init(os: "linux", architecture: "riscv64")),
            as: UTF8.self
        )
        #expect(
            try finish(config, layers: 0).contains(#""rootfs":{"type":"layers","diff_ids":[]}"#)
        )
        #expect(
            config.contains(#""architecture":"riscv64""#) && config.contains("PATH=/usr/local/sbin")
        )
    }

    @Test(arguments: [
        "", "null", "[]", "{", #"{"os":"linux"}"#, #"{"architecture":"amd64"}"#,
        #"{"os":1,"architecture":"a"}"#,
    ])
    func `is refused when it is broken`(config: String) {
        let error = #expect(throws: ExportError.self) { try finish(config, layers: 0) }
        #expect(error?.code == .invalidImage)
    }
}
