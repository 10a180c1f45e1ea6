// SPDX-License-Identifier: Apache-2.0

internal import Digests

// The pieces of work that run outside of the scheduler's lock.
extension Solver {
    // MARK: Keys

    /// Asks an operation for its cache map.
    ///
    /// A source may take long for it, so a display sees it work.
    func map(_ ticket: WorkTicket, _ operation: any VertexOperation) async throws -> CacheMap {
        reportStarted(ticket)
        return try await operation.cacheMap(context(ticket))
    }

    func firstKnown(_ keys: [CacheKey]) throws -> (position: Int, primary: CacheKey)? {
        for (position, key) in keys.enumerated() where key.isPersistable {
            if let primary = try store.primary(of: key) { return (position, primary) }
        }
        return nil
    }

    /// Digests inputs, several at once.
    static func digests(_ requests: [ContentRequest]) async throws -> [Int: Digest] {
        if requests.count == 1, let request = requests.first {
            return [request.link: try await request.digest(request.value)]
        }
        return try await withThrowingTaskGroup(of: (Int, Digest).self) { group in
            for request in requests {
                group.addTask { (request.link, try await request.digest(request.value)) }
            }
            var digests: [Int: Digest] = [:]
            for try await (link, digest) in group { digests[link] = digest }
            return digests
        }
    }

    // MARK: Results

    /// The records of some outputs of a key, or `nil` when one is missing.
    func records(_ key: CacheKey, _ outputs: [Int]) throws -> [CacheRecord]? {
        var records: [CacheRecord] = []
        for output in outputs {
            guard let record = try store.record(for: EdgeKey(key: key, output: output)) else {
                return nil
            }
            records.append(record)
        }
        return records
    }

    /// Loads records, all or none; a record that cannot be loaded is dropped.
    func load(_ records: [CacheRecord]) async throws -> [Int: any Sendable]? {
        var outputs: [Int: any Sendable] = [:]
        for record in records {
            do {
                outputs[record.edge.output] = try await store.load(record)
            } catch {
                // A load that was cut short says nothing about the record.
                try Task.checkCancellation()
                try store.drop(record)
                return nil
            }
        }
        return outputs
    }

    /// Executes a vertex whose inputs are solved, unless another process just did.
    func execute(_ ticket: WorkTicket, _ execution: Execution) async throws -> Executed {
        guard execution.primary.isPersistable, !execution.vertex.ignoresCache else {
            return try await run(ticket, execution)
        }
        return try await store.withBuildLock(execution.primary) {
            if let found = try await self.find(ticket, execution) { return found }
            return try await self.run(ticket, execution)
        }
    }

    private func find(_ ticket: WorkTicket, _ execution: Execution) async throws -> Executed? {
        do {
            guard let primary = try store.primary(of: execution.primary),
                let records = try records(primary, execution.wantedOutputs),
                let outputs = try await load(records)
            else { return nil }
            return Executed(outputs: outputs, primary: primary, isCached: true)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw SolverError.cacheFailed(ticket.digest, error)
        }
    }

    private func run(_ ticket: WorkTicket, _ execution: Execution) async throws -> Executed {
        let operation = execution.vertex.operation
        let results: [any Sendable]
        do {
            results = try await gate.with(operation.resources) {
                reportStarted(ticket)
                return try await operation.execute(context(ticket), inputs: execution.inputs)
            }
        } catch {
            throw SolverError.failed(execution.vertex.name, ticket.digest, error)
        }
        if execution.primary.isPersistable {
            let entry = CacheEntry(
                primary: execution.primary,
                derivations: execution.derivations,
                results: results,
                inputs: execution.inputKeys,
                vertex: ticket.digest,
                name: execution.vertex.name,
                operation: operation
            )
            do {
                try store.save(entry)
            } catch {
                throw SolverError.cacheFailed(ticket.digest, error)
            }
        }
        let outputs = Dictionary(uniqueKeysWithValues: results.enumerated().map { ($0, $1) })
        return Executed(outputs: outputs, primary: execution.primary, isCached: false)
    }

    func cacheOutcome(_ ticket: WorkTicket, _ body: () throws -> WorkOutcome) -> WorkOutcome {
        do {
            return try body()
        } catch {
            return .failed(.cacheFailed(ticket.digest, error))
        }
    }
}

extension SolverError {
    static func failed(_ name: String, _ vertex: Digest, _ cause: any Error) -> SolverError {
        SolverError(.operationFailed, "cannot run \(name): \(cause)", vertex: vertex, cause: cause)
    }

    static func cacheFailed(_ vertex: Digest, _ cause: any Error) -> SolverError {
        SolverError(
            .cacheFailed,
            "cannot use the build cache: \(cause)",
            vertex: vertex,
            cause: cause
        )
    }
}
