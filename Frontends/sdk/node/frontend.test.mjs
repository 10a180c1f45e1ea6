// SPDX-License-Identifier: Apache-2.0
// Tests of frontend.mjs: node --test Frontends/sdk/node
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { BuildError, RequestError, bind, cache, copy, diff, fullReference, git, http, image, imageConfig, local, merge,
  mkdir, mkfile, parsePlatform, platformID, rm, scratch, secret, ssh, symlink, tmpfs } from './frontend.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const testing = path.join(here, '..', 'testing')

test('writes the graph every SDK writes', () => {
  const base = image('alpine:3.20', { platform: 'linux/arm64' })
  const context = local('context', { exclude: ['*.o'], follow: ['src', 'lib'] })
  const sources = scratch().file([mkdir('/w'), mkfile('/w/greeting', 'hello\n', { mode: 0o600, owner: 'app:7' }),
    symlink('/w/greeting', '/g'), copy(context, 'src', '/w/', { owner: 'root' }), rm('/w/tmp', { missingOk: true })],
  { name: 'prepare' })
  const built = base.dir('/w').env('A', '1').user('app').exec(['make', '-C', '/w'], {
    mounts: [bind('/src', sources, { readonly: true }), cache('/cache', { id: 'make', sharing: 'locked' }),
      tmpfs('/tmp', { size: 1 << 20 }), bind('out')],
    secrets: [secret('token', { env: 'TOKEN' }), secret('key')], ssh: [ssh()], network: 'none', name: 'make',
    ignoreCache: true })
  const result = merge([built.root, built.mount('out'), diff(base, built.root),
    http('https://example.com/a.tgz', { checksum: 'sha256:' + '0'.repeat(64), filename: 'a.tgz', mode: 0o755 }),
    git('https://example.com/r.git', { ref: 'main' })])
  const expected = JSON.parse(fs.readFileSync(path.join(testing, 'vectors', 'graph.json')))
  assert.deepEqual(result.definition('linux/amd64'), expected)
})

test('writes an operation once and deep graphs without recursion', () => {
  let tree = image('alpine')
  for (let number = 0; number < 5000; number++) tree = tree.mkfile('/' + number, '')
  const twice = merge([tree, tree.mkdir('/a'), tree.mkdir('/b')])
  assert.equal(Object.keys(twice.definition().def).length, 5000 + 5)
})

test('knows the empty tree', () => {
  assert.deepEqual(scratch().definition(), { def: {} })
  assert.deepEqual(merge([scratch(), scratch()]).definition(), { def: {} })
})

test('reads references and platforms', () => {
  for (const [text, full] of [['alpine', 'docker.io/library/alpine:latest'], ['a/b:1', 'docker.io/a/b:1'],
    ['localhost/x', 'localhost/x:latest'], ['r:5000/x@sha256:0', 'r:5000/x@sha256:0'], ['r.io/x/y', 'r.io/x/y:latest']]) {
    assert.equal(fullReference(text), full)
  }
  assert.equal(platformID('linux/aarch64/v8'), 'linux/arm64')
  assert.equal(platformID('linux/arm/v7'), 'linux/arm/v7')
  for (const text of ['linux', 'a/b/c/d', '/amd64']) assert.throws(() => parsePlatform(text), BuildError)
})

test('keeps a trailing slash of a copy alone, and the settings of a config', () => {
  const tree = scratch().dir('/w').copy(image('alpine'), 'a', 'b/').mkdir('c/')
  const actions = Object.values(tree.definition().def).flatMap((operation) => operation.file?.actions ?? [])
  assert.equal(actions[0].copy.dest, '/w/b/')
  assert.equal(actions[1].mkdir.path, '/w/c')
  const { settings } = scratch().configured({ config: { Env: ['A=b=c', 'D'], WorkingDir: '/x', User: 'u' } })
  assert.deepEqual([...settings.env], [['A', 'b=c'], ['D', '']])
  assert.deepEqual([settings.dir, settings.user], ['/x', 'u'])
  assert.deepEqual(imageConfig('linux/amd64', { Cmd: ['x'] }, { config: { User: 'u' } }).config, { User: 'u', Cmd: ['x'] })
  assert.equal(new RequestError('limit', 'x', 3).request, 3)
})

test('keeps a session with an engine', () => {
  const done = spawnSync('python3', [path.join(testing, 'test_session.py'), '--', process.execPath,
    path.join(here, 'probe.mjs')], { encoding: 'utf8' })
  assert.equal(done.status, 0, done.stdout + done.stderr)
})
