// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import FuzzEntries
internal import Glibc
internal import Synchronization

/// One run of libFuzzer over one entry.
enum FuzzRun {
    /// Set before the run begins, and read only from then on.
    nonisolated(unsafe) static var entry: FuzzEntry?

    /// The options of libFuzzer that the words of the command line mean.
    static func options(_ words: ArraySlice<String>, dictionary: [String]) -> [String] {
        var options = ["-max_len=\(FuzzEntry.byteLimit)", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"]
        var words = words
        while let word = words.popFirst() {
            switch word {
            case "--seconds": options.append("-max_total_time=" + (words.popFirst() ?? "60"))
            case "--seed": options.append("-seed=" + (words.popFirst() ?? "1"))
            case "--findings": options.append("-artifact_prefix=" + (words.popFirst() ?? ".") + "/")
            default: options.append(word)
            }
        }
        if let path = write(dictionary) { options.append("-dict=" + path) }
        return options
    }

    /// Runs one input, and for some inputs a long one made of it: what takes square time shows only there.
    static func runOne(_ bytes: [UInt8]) {
        time(bytes)
        let hash = bytes.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        guard hash % 128 == 0, !bytes.isEmpty, bytes.count <= FuzzEntry.byteLimit / 4 else { return }
        let cut = Int(hash >> 8) % bytes.count
        let end = cut + 1 + Int(hash >> 20) % (bytes.count - cut)
        var long = Array(bytes[..<cut])
        while long.count + (end - cut) + (bytes.count - end) <= FuzzEntry.byteLimit { long += bytes[cut..<end] }
        time(long + bytes[end...])
    }

    private static func time(_ bytes: [UInt8]) {
        guard let entry = unsafe entry else { return }
        let start = processorTime()
        let failure = Mutex<String?>(nil)
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            do {
                try await entry.run(bytes)
            } catch {
                failure.withLock { $0 = "\(error)" }
            }
            done.signal()
        }
        done.wait()
        if let text = failure.withLock({ $0 }) { stop(bytes, text) }
        let taken = processorTime() - start
        if taken > FuzzEntry.timeLimit { stop(bytes, "\(bytes.count) bytes took \(taken)") }
    }

    /// Keeps the input under a name of its own where it is not the one that libFuzzer will keep, and ends the run.
    private static func stop(_ bytes: [UInt8], _ reason: String) -> Never {
        say("FINDING: \(reason)")
        if let file = unsafe fopen("finding-\(unsafe entry?.name ?? "")", "w") {
            _ = unsafe bytes.withUnsafeBytes { unsafe fwrite($0.baseAddress, 1, $0.count, file) }
            _ = unsafe fclose(file)
        }
        abort()
    }

    /// Writes a line to standard error.
    static func say(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }

    private static func processorTime() -> Duration {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// Writes words as libFuzzer reads them, to a file of this process that the system clears away.
    private static func write(_ dictionary: [String]) -> String? {
        let path = "/tmp/kiln-fuzz-\(getpid()).dict"
        guard let file = unsafe fopen(path, "w") else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        for word in dictionary {
            let text = word.utf8.reduce(into: [UInt8]()) { text, byte in
                text += [UInt8(ascii: "\\"), UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
            _ = unsafe fputs("\"" + String(decoding: text, as: UTF8.self) + "\"\n", file)
        }
        _ = unsafe fclose(file)
        return path
    }
}
