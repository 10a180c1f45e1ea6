// SPDX-License-Identifier: Apache-2.0

/// A random name: `count` characters of `0-9a-z`, from the system's generator.
package func randomToken(count: Int = 16) -> String {
    let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyz")
    return String((0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count)] })
}
