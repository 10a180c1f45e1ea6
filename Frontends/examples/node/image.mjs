// SPDX-License-Identifier: Apache-2.0
// An image described in JSON:
//
//     { "base": "alpine:3.20",                            what to stand on; nothing by default
//       "env": { "PORT": "8080" }, "workdir": "/app", "user": "app",
//       "copy": { "src/": "/app/" },                      paths of the build's directory and where they go
//       "files": { "/etc/motd": "hello" },
//       "run": ["apk add --no-cache curl"],               steps, one after the other, with /bin/sh
//       "cmd": ["./serve"], "entrypoint": [], "ports": [8080], "labels": { "team": "a" } }
import { posix } from 'node:path'
import { BuildError, copy, imageConfig, main, mkdir, mkfile, scratch } from './frontend.mjs'

const isText = (value) => typeof value === 'string'
const isTexts = (value) => Array.isArray(value) && value.every(isText)
const isMap = (value) => value !== null && typeof value === 'object' && Object.values(value).every(isText)
const isPorts = (value) => Array.isArray(value) && value.every((port) => Number.isInteger(port) && port > 0 && port < 65536)
const MEMBERS = { base: isText, env: isMap, workdir: isText, user: isText, copy: isMap, files: isMap, run: isTexts,
  cmd: isTexts, entrypoint: isTexts, ports: isPorts, labels: isMap, $schema: isText }

function read(request) {
  let spec
  try {
    spec = JSON.parse(request.text)
  } catch (error) {
    const at = Number(/position (\d+)/.exec(error.message)?.[1] ?? 0)
    const line = request.text.slice(0, at).split('\n').length
    throw error instanceof BuildError ? error : new BuildError(`${request.fileName}:${line}: ${error.message}`)
  }
  for (const [name, value] of Object.entries(spec ?? [])) {
    if (!Object.hasOwn(MEMBERS, name)) throw new BuildError(`${request.fileName}: unknown member "${name}"`)
    if (!MEMBERS[name](value)) throw new BuildError(`${request.fileName}: "${name}" has the wrong form`)
  }
  if (Object.prototype.toString.call(spec) !== '[object Object]') throw new BuildError(`${request.fileName}: no object`)
  return spec
}

main('example/image', '1.0.0', async (request, session) => {
  const spec = read(request)
  const base = spec.base ? await session.resolveImage(spec.base, { platform: request.platform }) : { state: scratch() }
  let tree = base.state
  if (spec.workdir) tree = tree.dir(spec.workdir)
  for (const [name, value] of Object.entries(spec.env ?? {})) tree = tree.env(name, value)
  const context = spec.copy ? await session.context() : scratch()
  tree = tree.file([
    ...Object.entries(spec.copy ?? {}).map(([from, to]) => copy(context, from, to, { contentsOnly: from.endsWith('/') })),
    ...Object.entries(spec.files ?? {}).flatMap(([path, text]) => [mkdir(posix.dirname(path)), mkfile(path, text)]),
  ], { name: 'copy files' })
  for (const command of spec.run ?? []) tree = tree.sh(command, { name: command })
  const ports = Object.fromEntries((spec.ports ?? []).map((port) => [`${port}/tcp`, {}]))
  const config = { Env: [...tree.settings.env].map(([name, value]) => `${name}=${value}`), WorkingDir: tree.settings.dir,
    User: spec.user, Cmd: spec.cmd, Entrypoint: spec.entrypoint, Labels: spec.labels, ExposedPorts: spec.ports && ports }
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
  return { tree, config: imageConfig(request.platform, given, base.config) }
})
