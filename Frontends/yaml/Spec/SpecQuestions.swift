// SPDX-License-Identifier: Apache-2.0

package import FrontendKit
package import FrontendProtocol

extension SpecDocument {
    /// What can be built.
    package func targetsDescription() throws(SourceProblems) -> TargetsDescription {
        let wanted = defaultTargetName()
        return TargetsDescription(
            targets: try targets().map { target in
                TargetsDescription.Target(
                    name: target.name,
                    isDefault: target.name == wanted,
                    description: target.declaration.text("description"),
                    base: target.declaration.text("base"),
                    ranges: [target.declaration.keyPlace.range]
                )
            }
        )
    }
}

extension SpecDocument.Declaration {
    /// A text of the declaration as it stands; empty when it is missing.
    fileprivate func text(_ key: String) -> String {
        guard case .mapping(let entries) = node.content,
            case .scalar(let text, _)? = entries.first(where: { $0.key == key })?.value.content
        else { return "" }
        return text
    }
}

extension Spec {
    /// What a target can be given.
    package func outline(of target: BuildTarget) -> OutlineDescription {
        let name = target.declaration.name
        var outline = OutlineDescription(name: target.name, description: stage(name)?.summary, arguments: [])
        for variable in document.variables where target.cell[variable.name] == nil {
            outline.arguments.append(
                OutlineDescription.Argument(
                    name: variable.name,
                    description: variable.summary,
                    value: variable.defaultText == nil ? "" : scope.value(variable.name) ?? "",
                    ranges: [variable.place.range]
                )
            )
        }
        for stage in needed(by: name) {
            for step in stage.steps {
                guard case .run(let run) = step.action else { continue }
                for secret in run.secrets where !outline.secrets.contains(where: { $0.name == secret.id }) {
                    outline.secrets.append(
                        OutlineDescription.Need(
                            name: secret.id,
                            isRequired: secret.isRequired,
                            ranges: [secret.place.range]
                        )
                    )
                }
                for socket in run.sockets where !outline.ssh.contains(where: { $0.name == socket }) {
                    outline.ssh.append(
                        OutlineDescription.Need(name: socket, isRequired: true, ranges: [step.place.range])
                    )
                }
                for cache in run.caches {
                    let id = cache.id ?? cache.path
                    guard !outline.caches.contains(where: { $0.id == id }) else { continue }
                    outline.caches.append(OutlineDescription.Cache(id: id, ranges: [cache.place.range]))
                }
            }
        }
        return outline
    }
}
