// SPDX-License-Identifier: Apache-2.0

import ContentStore
import LinuxSystem
import SystemPackage
import Testing

@Suite struct StateDirectoryTests {
    @Test func `makes its directories for their owner alone`() throws {
        try withScratchPath { path in
            let state = try StateDirectory(path: path)
            #expect(try state.root.status().permissions == 0o700)
            for name in ["blobs", "snapshots", "owners", "tmp", "locks"] {
                #expect(try state.root.status(name: name).permissions == 0o700)
            }
        }
    }

    @Test func `tells the living from the dead`() throws {
        try withScratchPath { path in
            let state = try StateDirectory(path: path)
            var other: StateDirectory? = try StateDirectory(path: path)
            let token = try #require(other?.owner)
            #expect(token != state.owner)
            #expect(state.isAlive(owner: token))
            #expect(state.isAlive(owner: state.owner))
            other = nil
            #expect(!state.isAlive(owner: token))
            for name in ["", "..", "../owners", "a/b", "nobody", "."] { #expect(!state.isAlive(owner: name)) }
        }
    }

    @Test func `sweeps the work of the dead and leaves that of the living`() throws {
        try withScratchPath { path in
            let living = try StateDirectory(path: path)
            let kept = try living.scratch("work")
            // A crashed process: its lock file stands, nobody holds it.
            try living.root.createFile("owners/deadbeef.lock", mode: 0o600).write([])
            _ = try living.root.makeDirectories("tmp/deadbeef/half/done")
            // One that was killed while it was swept: only its work is left.
            _ = try living.root.makeDirectories("tmp/lostsoul/half")
            let next = try StateDirectory(path: path)
            let left = try next.root.directory("tmp").entries().map(\.name)
            #expect(Set(left) == [living.owner, next.owner])
            #expect(try living.temporary.statusIfExists(name: kept.name) != nil)
            #expect(try next.root.directory("owners").statusIfExists(name: "deadbeef.lock") == nil)
        }
    }

    @Test func `leaves nothing when it ends`() throws {
        try withScratchPath { path in
            let watcher = try StateDirectory(path: path)
            var other: StateDirectory? = try StateDirectory(path: path)
            _ = try other?.scratch("work")
            other = nil
            #expect(try watcher.root.directory("tmp").entries().map(\.name) == [watcher.owner])
            #expect(try watcher.root.directory("owners").entries().count == 1)
        }
    }

    @Test func `holds a named lock once, and shares it among readers`() throws {
        try withScratchPath { path in
            let first = try StateDirectory(path: path)
            let second = try StateDirectory(path: path)
            let held = try first.hold("cache", exclusive: true, wait: false)
            #expect(held != nil)
            #expect(try second.hold("cache", exclusive: true, wait: false) == nil)
            #expect(try second.hold("another", exclusive: true, wait: false) != nil)
            held?.unlock()
            let reader = try first.hold("cache", exclusive: false, wait: false)
            #expect(try second.hold("cache", exclusive: false, wait: false) != nil)
            #expect(try second.hold("cache", exclusive: true, wait: false) == nil)
            withExtendedLifetime(reader) {}
        }
    }

    @Test(arguments: ["..", "../../x", "/etc/x", "", "a\u{0}b", String(repeating: "x", count: 5000)])
    func `keeps lock names of any kind inside its directory`(name: String) throws {
        try withScratchPath { path in
            let state = try StateDirectory(path: path)
            #expect(try state.exclusive(name) { 7 } == 7)
            #expect(try state.root.directory("locks").entries().count == 2)
        }
    }

    @Test func `says what is wrong with a path it cannot use`() throws {
        try withScratchPath { path in
            let parent = path.removingLastComponent()
            try Directory(host: parent).createFile("file", mode: 0o600).write([])
            let error = #expect(throws: ContentStoreError.self) {
                try StateDirectory(path: parent.appending("file"))
            }
            #expect(error?.code == .unusable)
            #expect(error?.message.hasPrefix("cannot use the state directory") == true)
        }
    }
}
