// SPDX-License-Identifier: Apache-2.0
/**
 * Write a frontend in JavaScript. One file, nothing but Node 18 or later: copy it beside yours.
 *
 *     import { imageConfig, main } from './frontend.mjs'
 *
 *     main('acme/packages', '1.0.0', async (request, session) => {
 *       const base = await session.resolveImage('alpine:3.20')
 *       const tree = base.state.run(['apk', 'add', '--no-cache', ...request.text.trim().split(/\s+/)])
 *       return { tree, config: imageConfig(request.platform, { Cmd: ['sh'] }, base.config) }
 *     })
 *
 * `main` takes stdin and stdout over: what anything else prints goes to stderr. It speaks frontend protocol 1.0, whose
 * text stands in Protocol/SPEC.md.
 */
import { Buffer } from 'node:buffer'
import fs from 'node:fs'
import net from 'node:net'
import { posix } from 'node:path'
import process from 'node:process'
import tty from 'node:tty'

const PROTOCOL = { 1: 0 } // Newest minor by major this file speaks.
const FRAME_LIMIT = 1 << 24

/** The build cannot go on; the user reads the message as it is, so it names file and line. */
export class BuildError extends Error {
  /** @param cause The `RequestError` behind it, if the message tells about one. */
  constructor(message, cause) {
    super(message)
    this.cause = cause
  }
}

/** The engine answered a request with an error; `kind` says what happened. */
export class RequestError extends Error {
  constructor(kind, message, request, data = {}) {
    super(message)
    Object.assign(this, { kind, request, data })
  }
}

/** The engine broke the protocol; nothing can be saved. */
export class ProtocolError extends Error {}

// The graph: trees and the steps that make them

/** A file tree that may not exist yet, and the settings of steps on it. It never changes: methods give a new one. */
export class State {
  constructor(vertex = null, output = 0, settings = {}) {
    this.vertex = vertex
    this.output = output
    this.settings = { env: new Map(), dir: '/', user: '', platform: null, network: '', ...settings }
  }

  #set(settings) {
    return new State(this.vertex, this.output, { ...this.settings, ...settings })
  }

  /** The settings of this state on another tree. */
  on(vertex, output = 0) {
    return new State(vertex, output, this.settings)
  }

  /** Sets a variable for steps. */
  env(name, value) {
    return this.#set({ env: new Map(this.settings.env).set(name, value) })
  }

  /** Sets the directory of steps, where relative paths begin. */
  dir(path) {
    return this.#set({ dir: this.path(path) })
  }

  /** Sets who runs steps: `name`, `uid`, `user:group`. */
  user(user) {
    return this.#set({ user })
  }

  /** Sets where steps run, as `linux/arm64` or as the engine writes it. */
  platform(platform) {
    return this.#set({ platform: parsePlatform(platform) })
  }

  /** Sets the network of steps: `none`, `host` or `''` for the engine's own. */
  network(network) {
    return this.#set({ network })
  }

  /** Takes environment, directory and user from an image config. */
  configured(config) {
    const inner = config.config ?? {}
    let state = this
    for (const entry of inner.Env ?? []) {
      const [name, value] = entry.split(/=(.*)/s)
      state = state.env(name, value ?? '')
    }
    return state.dir(inner.WorkingDir || '/').user(inner.User ?? '')
  }

  /**
   * Runs a program; gives a step, whose `mount(path)` is what a writable mount became.
   * Options: `mounts`, `secrets`, `ssh`, `network`, `readonlyRoot`, `validExitCodes`, `name`, `ignoreCache`.
   */
  exec(args, options = {}) {
    if (!Array.isArray(args) || args.length === 0) throw new BuildError('a step needs a list of arguments')
    const { env, dir, user, network, platform } = this.settings
    const mounts = [bind('/', this, { readonly: options.readonlyRoot }), ...(options.mounts ?? [])]
      .map((mount) => ({ ...mount, target: this.path(mount.target) }))
      .sort((a, b) => Buffer.compare(Buffer.from(a.target), Buffer.from(b.target)))
    const inputs = new Inputs()
    const outputs = new Map()
    let count = 0
    const written = mounts.map((mount) => {
      const index = mount.isOutput ? count++ : -1
      outputs.set(mount.target, { index, mount })
      return { dest: mount.target, input: inputs.index(mount.source), output: index, ...mount.members }
    })
    const variables = []
    for (const item of options.secrets ?? []) {
      if (item.env) variables.push(withoutEmpty({ ID: item.id, name: item.env, optional: item.optional }))
      if (item.target) written.push(special('SECRET', 'secretOpt', item))
    }
    const environment = [...env].map(([name, value]) => `${name}=${value}`)
    for (const [number, item] of (options.ssh ?? []).entries()) {
      const target = item.target || `/run/buildkit/ssh_agent.${number}`
      if (number === 0 && !env.has('SSH_AUTH_SOCK')) environment.push('SSH_AUTH_SOCK=' + target)
      written.push(special('SSH', 'SSHOpt', { ...item, target }))
    }
    const meta = withoutEmpty({ args, env: environment, cwd: dir, user, validExitCodes: options.validExitCodes,
      removeMountStubsRecursive: true })
    const body = withoutEmpty({ meta, mounts: written, secretenv: variables,
      network: (options.network ?? network ?? '').toUpperCase() })
    return new Step(this, new Vertex('exec', body, inputs.states, { ...options, platform, hasPlatform: true }), outputs)
  }

  /** Runs a program; gives the root afterwards. Options as of `exec`. */
  run(args, options) {
    return this.exec(args, options).root
  }

  /** Runs a script with `/bin/sh -c`. */
  sh(script, options) {
    return this.run(['/bin/sh', '-c', script], options)
  }

  /** Does actions (`copy`, `mkfile`, `mkdir`, `symlink`, `rm`) in one operation, one after the other. */
  file(actions, options = {}) {
    if (actions.length === 0) return this
    const inputs = new Inputs()
    const base = inputs.index(this)
    const sources = actions.map((action) => inputs.index(action.source))
    const written = actions.map((action, index) => {
      const members = { ...action.members }
      members[action.path] = this.path(members[action.path], action.kind === 'copy')
      if (action.owner !== undefined) members.owner = ownerMembers(action.owner, base)
      return { input: index === 0 ? base : inputs.states.length + index - 1, secondaryInput: sources[index],
        output: index === actions.length - 1 ? 0 : -1, [action.kind]: members }
    })
    return this.on(new Vertex('file', { actions: written }, inputs.states, options))
  }

  /** Copies from another tree; options as of the action `copy`, and `name`. */
  copy(source, src, dest, options = {}) {
    return this.file([copy(source, src, dest, options)], { name: options.name })
  }

  mkfile(path, data, options = {}) {
    return this.file([mkfile(path, data, options)], { name: options.name })
  }

  mkdir(path, options = {}) {
    return this.file([mkdir(path, options)], { name: options.name })
  }

  symlink(target, path, options = {}) {
    return this.file([symlink(target, path, options)], { name: options.name })
  }

  rm(path, options = {}) {
    return this.file([rm(path, options)], { name: options.name })
  }

  /** A path below the state's directory, absolute and clean; a slash at the end, which means "into it", may stay. */
  path(path, keepsSlash = false) {
    const clean = posix.resolve('/', this.settings.dir, path)
    const end = keepsSlash && clean !== '/' ? /\/\.?$/.exec(path)?.[0] : ''
    return clean + (end ?? '')
  }

  /** The graph as the engine takes it, `{"def":…}`; `platform` is where steps run that name none. */
  definition(platform) {
    if (!this.vertex) return { def: {} }
    const fallback = parsePlatform(platform)
    const names = new Map()
    const def = {}
    const metadata = {}
    const stack = [this.vertex]
    while (stack.length > 0) { // Inputs first, without recursion: graphs may be thousands of steps deep.
      const vertex = stack.at(-1)
      const waiting = vertex.inputs.map((state) => state.vertex).filter((input) => !names.has(input))
      if (!names.has(vertex) && waiting.length > 0) {
        stack.push(...waiting.reverse())
        continue
      }
      stack.pop()
      if (names.has(vertex)) continue
      const name = `op${names.size + 1}`
      names.set(vertex, name)
      def[name] = vertex.operation(names, fallback)
      if (Object.keys(vertex.metadata).length > 0) metadata[name] = vertex.metadata
    }
    def.result = { inputs: [edge(names.get(this.vertex), this.output)] }
    return withoutEmpty({ def, metadata })
  }
}

/** What a program left. */
class Step {
  constructor(before, vertex, outputs) {
    Object.assign(this, { before, vertex, outputs })
  }

  get root() {
    return this.mount('/')
  }

  /** The tree of a mount afterwards; null for a path that is no mount or whose content is not kept. */
  mount(path) {
    const { index, mount } = this.outputs.get(this.before.path(path)) ?? { index: -1 }
    if (index < 0) return mount?.readonly ? (mount.source ?? scratch()) : null
    return (mount.source ?? this.before).on(this.vertex, index)
  }
}

class Vertex {
  constructor(kind, body, inputs, { platform = null, hasPlatform = false, name, ignoreCache } = {}) {
    Object.assign(this, { kind, body, inputs, platform, hasPlatform })
    this.metadata = withoutEmpty({ description: name ? { 'llb.customname': name } : {}, ignore_cache: ignoreCache })
  }

  operation(names, fallback) {
    const operation = { [this.kind]: this.body }
    if (this.inputs.length > 0) {
      operation.inputs = this.inputs.map((state) => edge(names.get(state.vertex), state.output))
    }
    const platform = this.platform ?? fallback
    if (this.hasPlatform && platform) {
      operation.platform = withoutEmpty({ OS: platform.os, Architecture: platform.architecture,
        Variant: platform.variant, OSVersion: platform['os.version'], OSFeatures: platform['os.features'] })
    }
    return operation
  }
}

/** Inputs of one operation, each once. */
class Inputs {
  states = []

  index(state) {
    if (!state?.vertex) return -1
    const index = this.states.findIndex((other) => other.vertex === state.vertex && other.output === state.output)
    return index >= 0 ? index : this.states.push(state) - 1
  }
}

const edge = (name, output) => (output ? { digest: name, index: output } : { digest: name })

function withoutEmpty(members) {
  const isEmpty = (value) => value === null || value === undefined || value === '' || value === false
    || (typeof value === 'object' && Object.keys(value).length === 0)
  return Object.fromEntries(Object.entries(members).filter(([, value]) => !isEmpty(value)))
}

function special(kind, option, item) {
  const options = Object.entries({ ID: item.id, uid: item.uid, gid: item.gid, mode: item.mode, optional: item.optional })
  return { dest: item.target, input: -1, output: -1, mountType: kind,
    [option]: Object.fromEntries(options.filter(([, value]) => value)) }
}

function ownerMembers(owner, base) {
  const identity = (text) => {
    if (text === 'root') return { byID: 0 }
    return /^[0-9]+$/.test(text) ? { byID: Number(text) } : { byName: { name: text, input: base } }
  }
  const [user, group] = String(owner).split(/:(.*)/s)
  return { ...(user ? { user: identity(user) } : {}), ...(group ? { group: identity(group) } : {}) }
}

// Sources

/** The empty tree. */
export const scratch = () => new State()

/** A source by its identifier and attributes, for kinds that have no function of their own. */
export function source(identifier, attrs = {}, { name, platform = null, hasPlatform = false } = {}) {
  const where = parsePlatform(platform)
  const vertex = new Vertex('source', withoutEmpty({ identifier, attrs }), [], { platform: where, hasPlatform, name })
  return new State(vertex, 0, { platform: where })
}

/** The tree of an image: `alpine:3.20`, `ghcr.io/acme/app@sha256:…`. Options: `platform`, `name`, `resolveMode`. */
export function image(reference, options = {}) {
  const attributes = withoutEmpty({ 'image.resolvemode': options.resolveMode })
  return source('docker-image://' + fullReference(reference), attributes, { ...options, hasPlatform: true })
}

/**
 * A directory of the user: `context`, or `dockerfile` for the one that holds the build file. Options: `include`,
 * `exclude`, `follow`, `sharedKeyHint`, `differ`, `name`.
 */
export function local(localName, options = {}) {
  const list = (values) => (values?.length ? JSON.stringify(values) : '')
  const attributes = { 'local.includepattern': list(options.include), 'local.excludepatterns': list(options.exclude),
    'local.followpaths': list(options.follow), 'local.sharedkeyhint': options.sharedKeyHint,
    'local.differ': options.differ }
  return source('local://' + localName, withoutEmpty(attributes), { name: options.name })
}

/** A commit of a repository: an https or ssh URL. Options: `ref`, `checksum`, `keepGitDir`, `name`. */
export function git(url, options = {}) {
  const attributes = { 'git.fullurl': url, 'git.checksum': options.checksum,
    'git.keepgitdir': options.keepGitDir ? 'true' : '' }
  const bare = url.replace(/^[a-z+]+:\/\//, '') + (options.ref ? '#' + options.ref : '')
  return source('git://' + bare, withoutEmpty(attributes), { name: options.name })
}

/** A directory with one file, fetched from a URL. Options: `checksum` (`sha256:…`), `filename`, `mode`, `name`. */
export function http(url, options = {}) {
  const attributes = { 'http.checksum': options.checksum, 'http.filename': options.filename,
    'http.perm': options.mode ? '0' + options.mode.toString(8) : '' }
  return source(url, withoutEmpty(attributes), { name: options.name })
}

/** Lays trees over each other, later ones on top. */
export function merge(states, options = {}) {
  const filled = states.filter((state) => state.vertex)
  if (filled.length < 2) return filled[0] ?? scratch()
  return filled[0].on(new Vertex('merge', { inputs: filled.map((_, input) => ({ input })) }, filled, options))
}

/** What must be laid on `lower` to get `upper`. */
export function diff(lower, upper, options = {}) {
  if (!lower.vertex) return upper
  const filled = upper.vertex ? [lower, upper] : [lower]
  const body = { lower: { input: 0 }, upper: { input: upper.vertex ? 1 : -1 } }
  return lower.on(new Vertex('diff', body, filled, options))
}

// Mounts, secrets, file actions

/** Mounts a tree, or the path `selector` of it; what is written there is kept unless `readonly` or `discard`. */
export function bind(target, state = null, { selector = '', readonly = false, discard = false } = {}) {
  const members = withoutEmpty({ selector, readonly })
  return { target, source: state, readonly, isOutput: !readonly && !discard, members }
}

/** A directory that outlives the build. `sharing`: `shared`, `private` or `locked`. */
export function cache(target, { id = target, sharing = 'shared', state = null, readonly = false } = {}) {
  const members = { mountType: 'CACHE', cacheOpt: { ID: id, sharing: sharing.toUpperCase() } }
  return { target, source: state, members: { ...members, ...withoutEmpty({ readonly }) } }
}

/** Memory; `size` in bytes, 0 for no limit of its own. */
export const tmpfs = (target, { size = 0 } = {}) => (
  { target, source: null, members: { mountType: 'TMPFS', TmpfsOpt: size ? { size } : {} } })

/** A secret of the user, as a file at `target`, in the variable `env`, or both. */
export function secret(id, { target, env, uid = 0, gid = 0, mode = 0o400, optional = false } = {}) {
  return { id, target: target || env ? target : '/run/secrets/' + id, env, uid, gid, mode, optional }
}

/** An SSH agent of the user. */
export function ssh({ id = '', target, uid = 0, gid = 0, mode = 0o600, optional = false } = {}) {
  return { id, target, uid, gid, mode, optional }
}

/**
 * Copies `src` of another tree. `mode`: a number, or symbolic as `u+rwX`. `time`: nanoseconds since 1970. Options:
 * `owner`, `mode`, `followSymlinks`, `contentsOnly`, `unpack`, `parents`, `wildcard`, `allowEmptyWildcard`, `replace`,
 * `include`, `exclude`, `time`.
 */
export function copy(state, src, dest, options = {}) {
  const { mode = -1, parents = true, time = -1 } = options
  const isSymbolic = typeof mode === 'string'
  const members = { src: state.path(src), dest, mode: isSymbolic ? 0 : mode, timestamp: time,
    ...withoutEmpty({ modeStr: isSymbolic ? mode : '', followSymlink: options.followSymlinks,
      dirCopyContents: options.contentsOnly, attemptUnpackDockerCompatibility: options.unpack, createDestPath: parents,
      allowWildcard: options.wildcard, allowEmptyWildcard: options.allowEmptyWildcard,
      includePatterns: options.include, excludePatterns: options.exclude,
      alwaysReplaceExistingDestPaths: options.replace }) }
  return { kind: 'copy', members, path: 'dest', owner: options.owner, source: state }
}

/** Writes a file; `data` is a string or bytes. */
export function mkfile(path, data, { mode = 0o644, owner, time = -1 } = {}) {
  const members = { path, mode: mode & 0o777, data: Buffer.from(data).toString('base64'), timestamp: time }
  return { kind: 'mkfile', members, path: 'path', owner }
}

/** Makes a directory; one that exists stays as it is. */
export function mkdir(path, { mode = 0o755, parents = true, owner, time = -1 } = {}) {
  const members = { path, mode: mode & 0o777, makeParents: parents, timestamp: time }
  return { kind: 'mkdir', members, path: 'path', owner }
}

/** Makes a symbolic link at `path`. */
export function symlink(target, path, { owner, time = -1 } = {}) {
  return { kind: 'symlink', members: { oldpath: target, newpath: path, timestamp: time }, path: 'newpath', owner }
}

/** Removes a file, or a directory with all it holds. */
export function rm(path, { missingOk = false, wildcard = false } = {}) {
  const members = { path, ...withoutEmpty({ allowNotFound: missingOk, allowWildcard: wildcard }) }
  return { kind: 'rm', members, path: 'path' }
}

// Names and image configs

/** An image's whole name: `alpine` is `docker.io/library/alpine:latest`. */
export function fullReference(text) {
  const [head, rest] = text.split(/\/(.*)/s)
  const hasHost = rest !== undefined && (/[.:]/.test(head) || head === 'localhost')
  const name = hasHost ? text : 'docker.io/' + (rest === undefined ? 'library/' : '') + text
  const hasTag = name.split('@')[0].split('/').at(-1).includes(':')
  return name.includes('@') || hasTag ? name : name + ':latest'
}

/** `linux/arm64/v8` as the engine writes platforms; such a value stays as it is. */
export function parsePlatform(platform) {
  if (platform === null || platform === undefined || typeof platform === 'object') return platform ?? null
  const parts = platform.split('/')
  if (parts.length < 2 || parts.length > 3 || parts.includes('')) {
    throw new BuildError(`cannot read platform "${platform}": expected os/architecture[/variant]`)
  }
  const architecture = { x86_64: 'amd64', aarch64: 'arm64' }[parts[1]] ?? parts[1]
  const variant = architecture === 'arm64' && parts[2] === 'v8' ? undefined : parts[2]
  return { os: parts[0], architecture, ...(variant ? { variant } : {}) }
}

/** `linux/arm64` for a platform. */
export function platformID(platform) {
  const { os, architecture, variant } = parsePlatform(platform)
  return [os, architecture, ...(variant ? [variant] : [])].join('/')
}

/** An OCI image config: `config` has members such as `Env`, `Cmd`, which win over those of `base`. */
export function imageConfig(platform, config, base = {}) {
  const { os, architecture, variant, 'os.version': version } = parsePlatform(platform)
  return { rootfs: { type: 'layers', diff_ids: [] }, history: [], ...base, os, architecture,
    ...withoutEmpty({ variant, 'os.version': version }), config: { ...(base.config ?? {}), ...config } }
}

// What the engine asks, and what it is answered

/** A build: `fileName`, `content` (bytes), `options`, `inputs`, `workerPlatforms`, `commandLine`, `deadlineMs`. */
export class Request {
  constructor(params) {
    const { name, content } = params?.buildFile ?? {}
    if (typeof name !== 'string') throw new TypeError('buildFile.name')
    if (!Array.isArray(params.workerPlatforms) || !params.workerPlatforms.length) throw new TypeError('workerPlatforms')
    this.fileName = name
    this.content = bytes(content)
    this.options = params.options ?? {}
    this.inputs = params.inputs ?? {}
    this.workerPlatforms = params.workerPlatforms
    this.commandLine = params.commandLine
    this.deadlineMs = params.deadlineMs
  }

  /** The build file as text. */
  get text() {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.content)
    } catch {
      throw new BuildError(`${this.fileName}: not UTF-8`)
    }
  }

  /** The options that begin with a prefix, without it: `build-arg:`, `label:`. */
  named(prefix) {
    const found = Object.entries(this.options).filter(([name]) => name.startsWith(prefix))
    return Object.fromEntries(found.map(([name, value]) => [name.slice(prefix.length), value]))
  }

  /** `--build-arg NAME=VALUE`. */
  get args() {
    return this.named('build-arg:')
  }

  get target() {
    return this.options.target || undefined
  }

  /** The platforms to build for. */
  get platforms() {
    const wanted = (this.options.platform ?? '').split(',').map((text) => text.trim()).filter(Boolean)
    return wanted.length ? wanted.map(parsePlatform) : this.workerPlatforms.slice(0, 1)
  }

  /** The first of `platforms`. */
  get platform() {
    return this.platforms[0]
  }
}

/** What a handler gave, as the answer to `build`. */
async function resultMessage(given, session, request) {
  const result = given instanceof State ? { tree: given } : given
  if (result === null || typeof result !== 'object') throw new TypeError('the handler gave no result')
  if (result.refs) return result
  const refs = []
  for (const { tree, config, metadata, platform: own } of result.platforms ?? [result]) {
    const platform = parsePlatform(own) ?? request.platform
    const ref = tree instanceof State ? await session.solve(tree, { platform }) : (tree ?? null)
    const encoded = config && !(config instanceof Uint8Array) ? Buffer.from(JSON.stringify(config)) : config
    refs.push({ id: platformID(platform), ref, platform, metadata: byteValues(metadata),
      ...(encoded ? { config: encoded } : {}) })
  }
  const metadata = result.platforms ? byteValues(result.metadata) : {}
  return { refs, index: result.index ?? refs.length > 1, metadata }
}

const CAPABILITIES = { releaseRef: 'solve', evaluate: 'solve.evaluate', readDir: 'readFile', stat: 'readFile',
  'frontend/solve': 'frontend.solve' }

/**
 * What a frontend may ask the engine. `capabilities` says what it offers; anything else fails as `unsupported`. Calls may
 * overlap.
 */
export class Session {
  #channel
  #calls = new Map()
  #waiting = []
  #nextID = 0

  constructor(hello, channel) {
    this.capabilities = new Set(hello.capabilities)
    this.llb = new Set(hello.llb ?? [])
    this.limits = hello.limits
    this.engine = hello.engine
    this.workerPlatform = null
    this.buildID = null
    this.#channel = channel
  }

  // Any request

  /** Whether the engine offers a request or notification. */
  offers(method, params) {
    let name = CAPABILITIES[method] ?? method
    if (method === 'resolveSource') {
      const scheme = String(params.identifier).split('://')[0]
      name += '.' + ({ git: 'git', http: 'http', https: 'http' }[scheme] ?? 'image')
    }
    return this.capabilities.has(name) || name === 'log' || name === 'cancel'
  }

  /** Makes a request; `Uint8Array`s anywhere in `params` travel as blobs. `signal`: an `AbortSignal` that gives it up. */
  async call(method, params, { signal } = {}) {
    if (!this.offers(method, params)) {
      const { name, version } = this.engine
      throw new RequestError('unsupported', `${name} ${version} does not offer "${method}"; a newer one may`)
    }
    while (this.#calls.size >= this.limits.inFlight) await new Promise((resolve) => this.#waiting.push(resolve))
    signal?.throwIfAborted()
    const id = ++this.#nextID
    this.#channel.send({ id, method, params }, this.limits)
    const cancel = () => this.notify('cancel', { id })
    signal?.addEventListener('abort', cancel, { once: true })
    const message = await new Promise((resolve) => this.#calls.set(id, resolve))
    signal?.removeEventListener('abort', cancel)
    if (message.error) {
      const { code, message: text, data } = message.error
      const kind = data?.kind ?? { [-32601]: 'unsupported', [-32602]: 'invalidParams' }[code] ?? 'internal'
      throw new RequestError(kind, text ?? kind, id, data ?? {})
    }
    if (message.isGivenUp) throw new RequestError('cancelled', 'the engine gave a blob of its answer up', id)
    return message.result
  }

  /** Tells the engine something; what it does not show is not sent. */
  notify(method, params) {
    if (this.offers(method, params)) this.#channel.send({ method, params }, this.limits)
  }

  /** Takes an answer of the engine. */
  answered(message) {
    const resolve = this.#calls.get(message.id)
    if (!resolve) throw new ProtocolError(`an answer to request ${message.id}, which is not open`)
    this.#calls.delete(message.id)
    this.#waiting.shift()?.()
    resolve(message)
  }

  // Graphs

  /** Makes a ref of a `State` or of LLB JSON. Nothing runs until something reads it. */
  async solve(tree, { platform, evaluate = false } = {}) {
    const definition = tree instanceof State ? tree.definition(platform ?? this.workerPlatform) : tree
    if (Object.keys(definition.def).length === 0) return null
    const answer = await this.call('solve', { definition: { json: definition }, ...(evaluate ? { evaluate } : {}) })
    return answer.ref ?? null
  }

  async #ref(tree) {
    return tree instanceof State ? this.solve(tree) : tree
  }

  /** Waits until a tree stands. */
  async evaluate(tree) {
    await this.call('evaluate', { ref: await this.#ref(tree) })
  }

  async release(ref) {
    await this.call('releaseRef', { ref })
  }

  // Files

  /** Bytes of a file, all of it by default. */
  async readFile(tree, path, { offset = 0, length = Infinity } = {}) {
    const ref = await this.#ref(tree)
    const chunks = []
    let count = 0
    while (count < length) {
      const rest = Number.isFinite(length) ? { length: length - count } : {}
      const answer = await this.call('readFile', { ref, path, offset: offset + count, ...rest })
      const chunk = bytes(answer.data)
      chunks.push(chunk)
      count += chunk.length
      if (answer.eof || chunk.length === 0) break
    }
    return Buffer.concat(chunks)
  }

  /** Bytes of a file; null when there is none. */
  async readFileIfExists(tree, path) {
    try {
      return await this.readFile(tree, path)
    } catch (error) {
      if (error.kind !== 'notFound') throw error
      return null
    }
  }

  /** File infos, ordered by the bytes of their names. */
  async readDir(tree, path, { pattern } = {}) {
    return (await this.call('readDir', { ref: await this.#ref(tree), path, ...(pattern ? { pattern } : {}) })).entries
  }

  /** A file info. */
  async stat(tree, path, { follow = false } = {}) {
    return this.call('stat', { ref: await this.#ref(tree), path, follow })
  }

  /** Bytes of a file in the build's directory; null when there is none. Nothing else is looked at. */
  async readContext(path, localName = 'context') {
    const tree = local(localName, { follow: [path], sharedKeyHint: `${localName}-${path}`, differ: 'none',
      name: '[internal] load ' + path })
    return this.readFileIfExists(tree, path)
  }

  /** The build's directory as a `State`, without what its `.dockerignore` names. */
  async context({ include = [], exclude = [], follow = [] } = {}) {
    const lines = (await this.readContext('.dockerignore'))?.toString().split(/\r?\n/) ?? []
    const ignored = lines.filter((line) => line.trim() && !line.startsWith('#')).map((line) => {
      const [, mark, path] = /^(!?)\s*(.*)$/.exec(line.trim())
      return mark + posix.normalize(path).replace(/^\/+|\/$/g, '')
    })
    return local('context', { include, exclude: [...ignored, ...exclude], follow, sharedKeyHint: 'context',
      name: '[internal] load build context' })
  }

  // Sources

  /** What a source stands for now: the answer of `resolveSource` as it is. */
  async resolveSource(identifier, { platform, ...options } = {}) {
    const where = parsePlatform(platform)
    return this.call('resolveSource', { identifier, ...options, ...(where ? { platform: where } : {}) })
  }

  /** Looks an image's tag up: `name` with digest, `digest`, `config`, and a `state` to build upon. */
  async resolveImage(reference, { platform, mode } = {}) {
    const where = parsePlatform(platform) ?? this.workerPlatform
    const full = fullReference(reference)
    const answer = await this.resolveSource('docker-image://' + full,
      { platform: where, ...(mode ? { mode } : {}), logName: '[internal] load metadata for ' + full })
    const { digest, config: encoded } = answer.image
    const found = answer.identifier.replace(/^[^:]*:\/\//, '')
    const name = found.includes('@') ? found : `${found}@${digest}`
    const config = JSON.parse(bytes(encoded).toString())
    return { name, digest, config, state: image(name, { platform: where }).configured(config) }
  }

  /** Runs another frontend; its result as of `build`. */
  async solveFrontend(name, options = {}, inputs = {}) {
    return this.call('frontend/solve', { name, options, inputs })
  }

  // Telling

  log(message, level = 'info') {
    this.notify('log', { message, level })
  }

  /** Reports a weakness of the build file. Members: `file`, `line`, `severity`, `code`, `detail`, `url`, `ranges`. */
  warn(message, { line, ...more } = {}) {
    const ranges = line ? { ranges: [{ startLine: line }] } : {}
    this.notify('diagnostic', { message, severity: 'warning', ...more, ...ranges })
  }

  progress(id, name, { current, total, completed = false } = {}) {
    this.notify('progress', { id, name, current, total, completed })
  }
}

// The wire

function bytes(value) {
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length)
  throw new TypeError('bytes are missing')
}

function byteValues(values) {
  const encoded = (value) => (
    value instanceof Uint8Array ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)))
  return Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [name, encoded(value)]))
}

const isBlob = (value) => Object.keys(value).length === 2 && 'blob' in value && 'size' in value

const isObject = (value) => value !== null && typeof value === 'object'

/** Frames and messages. Bytes come in as they are there; messages go straight to the descriptor. */
class Channel {
  #sink
  #nextStream = 1
  #buffer = Buffer.alloc(0)
  #chunks = []
  #size = 0
  #message = null
  #data = new Map()
  #waiting = new Map()

  constructor(sink) {
    this.#sink = sink
  }

  /** Whether all that was received made whole messages. */
  get isComplete() {
    return this.#size === 0 && this.#message === null
  }

  /** Takes bytes; gives the messages that are whole, blobs in their places. */
  * receive(chunk) {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    for (;;) {
      const header = this.#peek(Math.min(this.#size, 8))
      if (header.length > 0 && header[0] !== 0) {
        throw new ProtocolError(`no frame: ${JSON.stringify(header.toString('latin1'))}`)
      }
      if (header.length < 8) return
      const length = header.readUInt32BE(0)
      const stream = header.readUInt32BE(4)
      if (stream >= 2 ** 31) throw new ProtocolError(`a frame of stream ${stream}`)
      if (this.#size < 8 + length) return
      const payload = this.#peek(8 + length).subarray(8)
      this.#buffer = this.#buffer.subarray(8 + length)
      this.#size -= 8 + length
      const isWhole = this.#message === null ? this.#begin(stream, payload) : this.#continue(stream, payload)
      if (isWhole) yield this.#take()
    }
  }

  /** The next bytes; pieces are joined only when enough is there, so that a long frame is not copied again and again. */
  #peek(count) {
    if (this.#buffer.length < count) {
      this.#buffer = Buffer.concat([this.#buffer, ...this.#chunks])
      this.#chunks = []
    }
    return this.#buffer.subarray(0, count)
  }

  #begin(stream, payload) {
    if (stream !== 0) throw new ProtocolError(`a frame of stream ${stream} where a message is due`)
    let message
    try {
      message = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload))
    } catch (error) {
      throw new ProtocolError(`a message that cannot be read: ${error.message}`)
    }
    const has = (name) => (message?.[name] ?? null) !== null
    if (!isObject(message) || has('result') + has('error') !== (has('method') ? 0 : 1)
      || !Number.isInteger(message.id ?? 1)) {
      throw new ProtocolError('a message that is neither request, answer nor notification')
    }
    this.#message = message
    this.#data = new Map()
    this.#waiting = new Map()
    this.#announce(message, 1)
    return this.#waiting.size === 0
  }

  #announce(value, depth) {
    if (depth > 64) throw new ProtocolError('objects and arrays stand more than 64 deep in each other')
    if (isBlob(value)) {
      if (!Number.isInteger(value.blob) || this.#data.has(value.blob)) throw new ProtocolError('a malformed blob')
      this.#data.set(value.blob, [])
      if (value.size !== 0) this.#waiting.set(value.blob, value.size)
      return
    }
    for (const inner of Object.values(value)) if (isObject(inner)) this.#announce(inner, depth + 1)
  }

  #continue(stream, payload) {
    const left = this.#waiting.get(stream)
    if (left === undefined) throw new ProtocolError(`a frame of stream ${stream}, which is not announced`)
    if (left !== null && payload.length > left) throw new ProtocolError(`stream ${stream} is longer than announced`)
    this.#data.get(stream).push(payload)
    if (left !== null) this.#waiting.set(stream, left - payload.length)
    if (payload.length === 0 && left !== null) this.#data.set(stream, null) // The engine gave the blob up.
    if (payload.length === 0 || left === payload.length) this.#waiting.delete(stream)
    return this.#waiting.size === 0
  }

  #take() {
    const fill = (value) => {
      if (!isObject(value)) return value
      if (isBlob(value)) return this.#data.get(value.blob) && Buffer.concat(this.#data.get(value.blob))
      if (Array.isArray(value)) return value.map(fill)
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, fill(member)]))
    }
    const message = fill(this.#message)
    message.isGivenUp = [...this.#data.values()].includes(null)
    this.#message = null
    return message
  }

  send(message, limits) {
    const blobs = []
    const announce = (value) => {
      if (typeof value === 'string' && /\p{Surrogate}/u.test(value)) throw new BuildError('a text that is not Unicode')
      if (!isObject(value)) return value
      if (value instanceof Uint8Array) {
        const stream = this.#nextStream
        this.#nextStream = (stream + 2) % 2 ** 31
        blobs.push([stream, value])
        return { blob: stream, size: value.length }
      }
      if (Array.isArray(value)) return value.map(announce)
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, announce(member)]))
    }
    const text = Buffer.from(JSON.stringify(announce({ jsonrpc: '2.0', ...message })))
    const total = blobs.reduce((sum, [, data]) => sum + data.length, 0)
    if (text.length > limits.message || total > limits.blob) {
      throw new RequestError('limit', `a message of ${text.length} bytes with ${total} bytes of blobs; `
        + `the engine takes ${limits.message} and ${limits.blob}`)
    }
    this.#frame(0, text)
    for (const [stream, data] of blobs) {
      for (let start = 0; start < data.length; start += limits.frame) {
        this.#frame(stream, data.subarray(start, start + limits.frame))
      }
    }
  }

  #frame(stream, payload) {
    const header = Buffer.alloc(8)
    header.writeUInt32BE(payload.length, 0)
    header.writeUInt32BE(stream, 4)
    for (let data of [header, payload]) {
      while (data.length > 0) {
        try {
          data = data.subarray(fs.writeSync(this.#sink, data))
        } catch (error) {
          if (error.code === 'EPIPE') process.exit(0) // The engine is gone: nobody is left to tell.
          if (error.code !== 'EAGAIN') throw error
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
        }
      }
    }
  }

  answer(request, result, limits) {
    try {
      this.send({ id: request.id, result }, limits)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      this.refuse(request, error.kind, error.message)
    }
  }

  refuse(request, kind, message, data = {}) {
    const code = { unsupported: -32601, invalidParams: -32602, internal: -32603 }[kind] ?? -32000
    const text = message.slice(0, 1 << 16).replaceAll(/\p{Surrogate}/gu, '\ufffd')
    const error = { code, message: text, data: { ...data, kind } }
    this.send({ id: request.id, error }, { message: FRAME_LIMIT, blob: 0, frame: 1 })
  }
}

/** Answers `initialize`; gives the session, or null when there is no version in common. */
function initialize(channel, message, name, version, methods) {
  const { protocol, limits, capabilities, engine } = message.params ?? {}
  if (!Array.isArray(protocol) || !Array.isArray(capabilities) || !isObject(engine)
    || !['frame', 'message', 'blob', 'inFlight'].every((limit) => Number.isInteger(limits?.[limit]))) {
    channel.refuse(message, 'invalidParams', '"initialize" lacks a member or has a malformed one')
    return null
  }
  const common = protocol.map((text) => /^([0-9]{1,9})\.([0-9]{1,9})$/.exec(text))
    .filter((match) => match && Number(match[1]) in PROTOCOL)
    .map(([, major, minor]) => [Number(major), Math.min(Number(minor), PROTOCOL[Number(major)])])
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
  if (common.length === 0) {
    const supported = Object.entries(PROTOCOL).map((pair) => pair.join('.'))
    const text = `speaks protocol ${supported}, none of which the engine offers`
    channel.refuse(message, 'incompatible', text, { supported })
    return null
  }
  channel.answer(message, { protocol: common.at(-1).join('.'), frontend: { name, version },
    provides: Object.keys(methods).sort() }, limits)
  return new Session(message.params, channel)
}

/** Answers one `build`, or another request about a build file. */
async function serve(channel, name, message, handler, session) {
  let request
  try {
    request = new Request(message.params)
  } catch (error) {
    channel.refuse(message, 'invalidParams', `"${message.method}" lacks or has a malformed member: ${error.message}`)
    return
  }
  session.workerPlatform = request.workerPlatforms[0]
  session.buildID = message.id
  let answer = () => channel.refuse(message, 'internal', `${name}: no answer`)
  try {
    const given = await handler(request, session)
    const result = message.method === 'build' ? await resultMessage(given, session, request) : given
    answer = () => channel.answer(message, result, session.limits)
  } catch (error) {
    answer = () => refuseFor(error, channel, name, message)
  }
  if (session.buildID === null) return // It was answered as cancelled.
  session.buildID = null
  answer()
}

function refuseFor(error, channel, name, message) {
  const cause = error instanceof RequestError ? error : error?.cause
  if (cause instanceof RequestError) {
    const request = cause.request === undefined ? {} : { request: cause.request }
    channel.refuse(message, cause.kind, error.message, { ...cause.data, ...request })
  } else if (error instanceof BuildError) {
    channel.refuse(message, 'buildFile', error.message)
  } else { // A defect of the frontend: its author needs the trace, its user one line.
    console.error(error)
    channel.refuse(message, 'internal', `${name}: ${error}`)
  }
}

/** Says something on stderr and ends. */
function leave(status, text) {
  fs.writeSync(2, text + '\n')
  process.exit(status)
}

/**
 * Moves the protocol off descriptors 0 and 1: nothing else of this process or its children can touch it then.
 *
 * Node cannot duplicate a descriptor, but it can open one again where /proc allows it. Elsewhere what JavaScript prints
 * goes to stderr, and only add-ons, and children that inherit stdout, could break the protocol.
 */
function takeStreams() {
  try {
    const input = fs.openSync('/proc/self/fd/0', 'r')
    const output = fs.openSync('/proc/self/fd/1', 'w')
    fs.closeSync(1)
    fs.openSync('/proc/self/fd/2', 'w') // The lowest free descriptor: 1.
    fs.closeSync(0)
    fs.openSync('/dev/null', 'r')
    return [input, output]
  } catch {
    process.stdout.write = process.stderr.write.bind(process.stderr)
    return [0, 1]
  }
}

/** A stream of a descriptor, which may be set not to block. */
function inputStream(descriptor) {
  const status = fs.fstatSync(descriptor)
  return status.isFIFO() || status.isSocket() ? new net.Socket({ fd: descriptor, readable: true, writable: false })
    : fs.createReadStream(null, { fd: descriptor })
}

/**
 * Runs the frontend until the engine closes stdin.
 *
 * `build(request, session)` gives `{ tree, config, platform }`, a `State` alone, or `{ platforms: [{ platform, tree,
 * config, metadata }], metadata }`. `methods`: functions by the names of further methods (`describe/targets`, `lint`, …),
 * which give the result.
 */
export function main(name, version, build, methods = {}) {
  if (tty.isatty(0)) leave(64, `${name} ${version} is a frontend for an image builder; it is started by one`)
  const [input, output] = takeStreams()
  const channel = new Channel(output)
  if (process.env.FRONTEND_WAIT === '1') {
    fs.writeSync(2, `process ${process.pid} waits: attach a debugger, then kill -CONT ${process.pid}\n`)
    process.kill(process.pid, 'SIGSTOP')
  }
  const breakOff = (error) => leave(76, `${name}: the engine broke the protocol: ${error.message}`)
  let session = null
  let isDone = false

  function handle(message) {
    const { method, id, params } = message
    if (method == null) {
      if (session === null) throw new ProtocolError(`an answer to request ${id}, which is not open`)
      session.answered(message)
    } else if (id == null) {
      if (method === 'cancel' && session !== null && params?.id === session.buildID) {
        session.buildID = null
        channel.refuse({ id: params.id }, 'cancelled', 'the build was given up')
      }
    } else if (params?.mustUnderstand?.length > 0) {
      channel.refuse(message, 'unsupported', `does not understand ${params.mustUnderstand.join(', ')}`)
    } else if (method === 'initialize' && session === null) {
      session = initialize(channel, message, name, version, methods)
    } else if (method !== 'build' && !Object.hasOwn(methods, method)) {
      channel.refuse(message, 'unsupported', `no method "${method}" in this frontend`)
    } else if (session === null) {
      channel.refuse(message, 'invalidParams', `"${method}" before "initialize"`)
    } else if (isDone) {
      channel.refuse(message, 'unsupported', 'one process does one build')
    } else {
      isDone = true
      serve(channel, name, message, method === 'build' ? build : methods[method], session)
    }
  }

  inputStream(input)
    .on('data', (chunk) => {
      try {
        for (const message of channel.receive(chunk)) handle(message)
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        breakOff(error)
      }
    })
    .on('end', () => (channel.isComplete ? process.exit(0) : breakOff(new Error('stdin ends inside a frame'))))
}
