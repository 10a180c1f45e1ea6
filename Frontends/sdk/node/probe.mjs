// SPDX-License-Identifier: Apache-2.0
// The frontend of testing/test_session.py: the first word of the build file says what to do.
import { execSync } from 'node:child_process'
import { BuildError, image, imageConfig, local, main, scratch } from './frontend.mjs'

const fileOf = { ref: null, path: '/' }

const deeds = {
  print: (request) => {
    console.log('goes to stderr')
    execSync('echo a child prints; cat', { stdio: 'inherit' })
    return { tree: scratch().mkfile('/x', request.content), config: imageConfig(request.platform, { Cmd: ['sh'] }) }
  },
  read: async (request, session) => {
    const missing = await session.readContext('missing')
    const whole = await session.readContext('big')
    const part = await session.readFile(local('context'), 'big', { offset: 3, length: 70000 })
    const names = (await session.readDir(local('context'), '/')).map((entry) => entry.name)
    const { size } = await session.stat(local('context'), 'big')
    return { tree: await session.context({ exclude: ['x'] }),
      metadata: { read: `${missing} ${whole.length} ${part.length} ${part.subarray(0, 3)} ${names[0]} ${size}` } }
  },
  pipeline: async (request, session) => {
    const urls = Array.from({ length: 50 }, (_, number) => `http://x/${number}`)
    const answers = await Promise.all(urls.map((url) => session.resolveSource(url)))
    return { metadata: { names: answers.map((answer) => answer.http.fileName).join(' ') } }
  },
  blob: () => ({ config: Buffer.from('{' + ' '.repeat(5000) + '}') }),
  platforms: (request) => ({ metadata: { note: 'x' }, platforms: request.platforms.map((platform) => (
    { platform, tree: image('alpine', { platform }), config: imageConfig(platform, {}) })) }),
  resolve: async (request, session) => {
    const base = await session.resolveImage('alpine:3.20')
    return { tree: base.state.run(['true']), config: imageConfig(request.platform, { Cmd: ['x'] }, base.config) }
  },
  fail: () => { throw new BuildError('Buildfile:3: no such word') },
  text: (request) => request.text && scratch(),
  crash: () => { throw new RangeError('a defect') },
  make: () => scratch().mkdir('/a'),
  large: () => scratch().mkfile('/a', 'x'.repeat(10000)),
  wrap: (request, session) => session.call('stat', fileOf).catch((error) => {
    throw new BuildError('Buildfile:1: gone', error)
  }),
  stat: (request, session) => session.call('stat', fileOf),
  quiet: async (request, session) => {
    session.warn('not shown')
    session.log('shown')
    await session.readContext('x')
  },
  giveUp: async (request, session) => {
    const controller = new AbortController()
    const call = session.call('stat', fileOf, { signal: controller.signal })
    controller.abort()
    await call
  },
}

main('acme/test', '1.2.3', (request, session) => deeds[request.content.toString('latin1').split(/\s/)[0]](request, session))
