// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import FrontendProtocol

/// What the variables of a spec stand for in one build.
package struct VariableScope: Sendable {
    private var values: [String: String]
    private let declared: Set<String>

    /// Names without a value are declared with a fault, or required and missing.
    init(values: [String: String], declared: some Sequence<String>) {
        self.values = values
        self.declared = Set(declared)
    }

    package func value(_ name: String) -> String? { values[name] }
    func isDeclared(_ name: String) -> Bool { declared.contains(name) }
    /// All names, for suggestions.
    var names: [String] { declared.sorted() + BuiltInVariable.names }
}

/// Computes values: what was given, else the default with its own variables replaced.
struct VariableEvaluation {
    private let variables: [String: Variable]
    private let given: [String: String]
    /// Whether a missing value is its own name, so that a spec can be looked at without being built.
    private let isLenient: Bool
    private var values: [String: String]
    private(set) var problems: [SourceProblem] = []

    init(_ variables: [Variable], given: [String: String], builtIn: [String: String], isLenient: Bool) {
        self.variables = Dictionary(variables.map { ($0.name, $0) }) { first, _ in first }
        self.given = given
        self.isLenient = isLenient
        values = builtIn
        for variable in variables {
            var path: [String] = []
            _ = evaluate(variable, &path)
        }
    }

    var scope: VariableScope { VariableScope(values: values, declared: variables.keys) }

    private mutating func evaluate(_ variable: Variable, _ path: inout [String]) -> String? {
        if let known = values[variable.name] { return known }
        if let value = given[variable.name] {
            if let reason = variable.refusal(of: value) {
                // The value's place is the command line; the declaration is where it is explained.
                problems.append(
                    variable.place.problem("\(variable.name) cannot be \"\(shortened(value))\": \(reason)")
                )
                return nil
            }
            values[variable.name] = value
            return value
        }
        guard let text = variable.defaultText, let place = variable.defaultPlace else {
            if isLenient {
                values[variable.name] = variable.choices?.first ?? variable.name
            } else {
                let about = variable.summary.isEmpty ? "" : " (\(variable.summary))"
                problems.append(
                    variable.place.problem(
                        "variable \"\(variable.name)\"\(about) needs a value",
                        notes: ["give one with --build-arg \(variable.name)=…"]
                    )
                )
            }
            return values[variable.name]
        }
        guard !path.contains(variable.name), path.count < 64 else {
            let circle = (path + [variable.name]).joined(separator: " → ")
            problems.append(place.problem("variables need each other: \(circle)"))
            return nil
        }
        path.append(variable.name)
        defer { path.removeLast() }
        guard let value = expand(text, place, &path) else { return nil }
        if let reason = variable.refusal(of: value) {
            problems.append(place.problem("the default of \(variable.name) is \"\(shortened(value))\": \(reason)"))
            return nil
        }
        values[variable.name] = value
        return value
    }

    private mutating func expand(_ text: String, _ place: Place, _ path: inout [String]) -> String? {
        let template: Template
        do throws(Template.Failure) {
            template = try Template(text)
        } catch {
            problems.append(place.problem(error.message))
            return nil
        }
        var result = ""
        for part in template.parts {
            switch part {
            case .text(let text): result += text
            case .variable(let name, _):
                if let value = values[name] {
                    result += value
                } else if let other = variables[name] {
                    guard let value = evaluate(other, &path) else { return nil }
                    result += value
                } else {
                    let names = variables.keys.sorted() + BuiltInVariable.names
                    let hint = nearestWord(to: name, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
                    problems.append(place.problem("unknown variable \"\(name)\"" + hint))
                    return nil
                }
            }
            guard result.utf8.count <= Variable.valueByteCountMax else {
                problems.append(place.problem("this value is longer than \(Variable.valueByteCountMax) bytes"))
                return nil
            }
        }
        return result
    }
}
