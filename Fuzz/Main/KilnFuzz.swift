// SPDX-License-Identifier: Apache-2.0

internal import FuzzEntries
internal import Glibc

// The two functions that libFuzzer, whose `main` this program has, calls.

/// Reads `kiln-fuzz ENTRY [--seconds N] [--seed S] [--findings DIR] [CORPUS_DIR…]` and puts libFuzzer's own options there.
///
/// Further words go to libFuzzer as they are: a file to run alone, `-minimize_crash=1`, `-merge=1`. Without a directory
/// nothing that is found interesting is kept; the first directory gets it.
@_cdecl("LLVMFuzzerInitialize")
public func initializeFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> CInt {
    let words = CommandLine.arguments
    guard let name = words.dropFirst().first, let entry = FuzzEntry.named(name) else {
        FuzzRun.say(
            """
            usage: kiln-fuzz ENTRY [--seconds N] [--seed S] [--findings DIR] [CORPUS_DIR | FILE | -libfuzzer-option]…
            entries: \(FuzzEntry.all.map(\.name).joined(separator: " "))
            """
        )
        exit(2)
    }
    unsafe FuzzRun.entry = entry
    let options = [words[0]] + FuzzRun.options(words.dropFirst(2), dictionary: entry.dictionary)
    // libFuzzer keeps the pointers for the rest of the process.
    let vector = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: options.count + 1)
    for (index, option) in options.enumerated() { unsafe (vector + index).initialize(to: strdup(option)) }
    unsafe vector[options.count] = nil
    unsafe count.pointee = CInt(options.count)
    unsafe arguments.pointee = vector
    return 0
}

/// Runs one input; what is found ends the process.
@_cdecl("LLVMFuzzerTestOneInput")
public func runOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzRun.runOne(unsafe Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
