// Each line "PATH TEXT" of the build file becomes a file of the image. Make it your own format.
import { posix } from 'node:path'
import { BuildError, imageConfig, main, mkdir, mkfile, scratch } from './frontend.mjs'

main('{{NAME}}', '0.1.0', async (request, session) => {
  const actions = request.text.split('\n').flatMap((line, index) => {
    const [, path, text] = /^\s*(\S*)\s*(.*)$/.exec(line)
    if (!path || path.startsWith('#')) return []
    if (!path.startsWith('/') || path === '/') {
      throw new BuildError(`${request.fileName}:${index + 1}: expected an absolute path and a text`)
    }
    return [mkdir(posix.dirname(path)), mkfile(path, text + '\n')]
  })
  const tree = scratch().file(actions, { name: 'write files' })
  return { tree, config: imageConfig(request.platform, { Cmd: ['sh'] }) }
})
