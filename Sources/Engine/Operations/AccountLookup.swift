// SPDX-License-Identifier: Apache-2.0

internal import Sandbox

/// `/etc/passwd` and `/etc/group` of a tree, as far as names of users and groups need them.
///
/// Lines that are no entries are skipped, as the C library does. Source: `man 5 passwd`, `man 5 group`.
struct AccountLookup {
    private struct Account {
        var name: String
        var user: UInt32
        var group: UInt32
        var home: String
    }

    private struct Group {
        var name: String
        var id: UInt32
        var members: [Substring]
    }

    /// Largest account file that is read, in bytes.
    static let byteLimit = 10 << 20

    private let accounts: [Account]
    private let groups: [Group]

    /// - Parameters:
    ///   - passwd: Content of `/etc/passwd`, empty when there is none.
    ///   - group: Content of `/etc/group`, empty when there is none.
    init(passwd: [UInt8], group: [UInt8]) {
        accounts = Self.fields(passwd).compactMap { fields in
            guard fields.count >= 4, let user = UInt32(fields[2]), let group = UInt32(fields[3])
            else { return nil }
            return Account(
                name: String(fields[0]),
                user: user,
                group: group,
                home: fields.count > 5 ? String(fields[5]) : ""
            )
        }
        groups = Self.fields(group).compactMap { fields in
            guard fields.count >= 3, let id = UInt32(fields[2]) else { return nil }
            let members = fields.count > 3 ? fields[3].split(separator: ",") : []
            return Group(name: String(fields[0]), id: id, members: members)
        }
    }

    private static func fields(_ bytes: [UInt8]) -> [[Substring]] {
        String(decoding: bytes, as: UTF8.self)
            .split(separator: "\n")
            .map { $0.split(separator: ":", omittingEmptySubsequences: false) }
    }

    /// Who `user[:group]` is, both parts names or numbers, with the groups the user is a member of; empty means root.
    ///
    /// - Throws: `stepFailed` when a name is not in the tree's files.
    func user(_ text: String) throws(EngineError) -> SandboxSpec.User {
        if text.isEmpty { return .root }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let account = try account(String(parts[0]))
        var user = SandboxSpec.User(user: account.user, group: account.group)
        if parts.count > 1, !parts[1].isEmpty {
            user.group = try groupID(String(parts[1]))
        } else if !account.name.isEmpty {
            user.supplementaryGroups = groups.filter { $0.members.contains(Substring(account.name)) }
                .map(\.id)
        }
        return user
    }

    /// The home directory a user's account names; root's is `/root` when the files do not tell.
    func home(of user: UInt32) -> String {
        let home = accounts.first { $0.user == user }?.home ?? ""
        return home.isEmpty ? (user == 0 ? "/root" : "/") : home
    }

    /// The numbers of a user's name or number and of its account's group; `nil` for a name that is not in the files.
    func userAndGroupID(_ name: String) -> (user: UInt32, group: UInt32)? {
        guard let account = try? account(name) else { return nil }
        return (account.user, account.group)
    }

    /// The number of a group's name or number.
    ///
    /// - Throws: `stepFailed` when a name is not in the tree's files.
    func groupID(_ name: String) throws(EngineError) -> UInt32 {
        if let id = UInt32(name) { return id }
        guard let group = groups.first(where: { $0.name == name }) else {
            throw EngineError(.stepFailed, "cannot find the group \(name): /etc/group does not list it")
        }
        return group.id
    }

    private func account(_ name: String) throws(EngineError) -> Account {
        if let id = UInt32(name) {
            // A number without an account is its own group 0, as for BuildKit.
            return accounts.first { $0.user == id }
                ?? Account(name: "", user: id, group: 0, home: "")
        }
        guard let account = accounts.first(where: { $0.name == name }) else {
            throw EngineError(.stepFailed, "cannot find the user \(name): /etc/passwd does not list it")
        }
        return account
    }
}
