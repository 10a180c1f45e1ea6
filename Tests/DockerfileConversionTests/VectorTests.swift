// SPDX-License-Identifier: Apache-2.0

import LLB
import OCI
import Testing

/// Results of BuildKit's own frontend for small files: the digest of the result's operation and of the config.
@Suite struct VectorTests {
    @Test(arguments: [
        (
            "FROM alpine\n", "90a064672d6b6f4033ab53fee628c600c2e350ee3f2be44e14e4af4ea593820f",
            "2f2512ce44d59ec33d6b48a3efb391b65595b2ca19d0d8380ad23fe688eeadb0"
        ),
        (
            "FROM busybox\nRUN ls\n",
            "875620b6acbb9efc4651591edfb8e4b8b694656562706b188b776a8e9bbd4127",
            "4ed1f620343b51701fa92e84f039efbc6225ff3fb469e4982c7082f823d6636b"
        ),
        (
            "FROM scratch\nCOPY foo /\n",
            "c4f64611413f4cf32656b197cb5d2717bdb890767949fadbd944de0b64641c59",
            "2128532f098d054423f15e12de5f1204ccea1d716ffed50e86a92d30d95c4ba2"
        ),
        (
            "FROM scratch\nCOPY foo foo2\n",
            "857bf5b5436bff0f5d9b1cad1c2c17d61197882bc41b4794a383831fc750233d",
            "f1b331ce688b6b75576ba02120d15a9a7e9dad11d0cadba13a0164dfd6c9cfc5"
        ),
        (
            "FROM scratch\nADD *.tar /dest\n",
            "ded7002c2371529a4b6554bbb5e528a067789a1adf26d6279af3c05f72fe3535",
            "7510c1686326085ef2ee3fed8aa153167118628f682823a02a140d63703a8363"
        ),
        (
            "FROM alpine\nWORKDIR /mydir\n",
            "280b2cf403e8c78cbeb2864a7db7993a9df3912b0d91a1b0df940fc3819e1319",
            "12e79370e0c551a6f085aa9b976a92d2acdd8983a39c76503c7433573307f7ef"
        ),
        (
            "FROM scratch\nWORKDIR app/\n",
            "5f4833fdb01140e6ec0fb6267307e1b537a3332d079c071dc1b0006fc7d2de87",
            "c9559cf12c8f8f1be4f18dee70f3cc70fdaf3234736a606f6150c1cd02ac8a32"
        ),
        (
            "FROM alpine\nARG foo=bar\n",
            "90a064672d6b6f4033ab53fee628c600c2e350ee3f2be44e14e4af4ea593820f",
            "86be16792bac814138ffe12da1a67544608f7ed3bf95e952ba19b06452b1a037"
        ),
    ])
    func `gives BuildKit's digests`(text: String, head: String, config: String) async throws {
        let converted = try await convert(text)
        #expect(converted.graph.result?.vertex.hex == head)
        #expect(Digest.of(converted.image.encoded).hex == config)
    }

    @Test(arguments: [
        ("FROM scratch\n", "2d5045cc03a2caf97941b237ee6d839c62cc033ab590e1105d70f9794e53783a"),
        (
            "FROM scratch\nENV foo bar\n",
            "efb7a170afc988b92bef406048890fa95d6e32ddfa01643b8305d83dc584685c"
        ),
        (
            "FROM scratch\nCMD mycommand\n",
            "0d400f3eb89b258a9d8f385a39c636f2b366a96be0244c98b52995f202801845"
        ),
        (
            "FROM scratch\nCMD [\"test\"]\n",
            "d5cdb705d1bea231bdcdd8be48fb7077a197b43172197c7937aea9107a56170a"
        ),
        (
            "FROM scratch\nLABEL foo=bar\n",
            "e71f0147ce0455343deb67df4e8e50dc32f2ccc98e929e852ecabe059bd06e2b"
        ),
    ])
    func `gives BuildKit's configs for empty trees`(text: String, config: String) async throws {
        let converted = try await convert(text)
        #expect(converted.graph.result == nil)
        #expect(Digest.of(converted.image.encoded).hex == config)
    }
}
