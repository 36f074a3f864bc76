// Daemons of our own, in the IPC namespace that `test` made.
import { spawn } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { Client } from '../index.js'

export const PROGRAM = process.env.LEASEHOLD
if (!PROGRAM) throw new Error('say with LEASEHOLD=PATH which program to test')

let count = 0
const running = new Set()
// No daemon outlives the tests, however they end.
process.on('exit', () => { for (const child of running) child.kill('SIGKILL') })
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Waits until `condition()` is true, and returns it. */
export async function eventually(condition, what, timeoutMs = 10_000) {
  const end = Date.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (Date.now() > end) throw new Error(`did not happen within ${timeoutMs} ms: ${what}`)
    await sleep(5)
  }
}

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}

export class Daemon {
  #process
  #clients = []

  static async start(...more) {
    const daemon = new Daemon()
    daemon.directory = mkdtempSync(path.join(os.tmpdir(), 'leasehold-'))
    daemon.socket = path.join(daemon.directory, 'socket')
    daemon.port = await freePort()
    daemon.more = more
    daemon.control = 0x4c480000 + ((process.pid * 16 + count++) & 0xffff)
    await daemon.go()
    return daemon
  }

  get unix() { return `unix:${this.socket}` }
  get tcp() { return `http://127.0.0.1:${this.port}` }

  async go() {
    const log = openSync(path.join(this.directory, 'log'), 'a')
    const words = ['serve', '--host', '127.0.0.1', '--port', this.port, '--unix', this.socket,
      '--control-key', `0x${this.control.toString(16)}`, ...this.more].map(String)
    this.#process = spawn(PROGRAM, words, { stdio: ['ignore', log, log] })
    this.#process.unref()
    running.add(this.#process)
    this.ask ??= this.client({ timeoutMs: 2000 })
    await eventually(() => this.ask.send('GET', '/readyz').then(() => true, () => {
      if (this.#process.exitCode !== null) throw new Error(readFileSync(path.join(this.directory, 'log'), 'utf8'))
      return false
    }), 'the daemon serves')
  }

  /** A client that is closed with the daemon. */
  client(options = {}) {
    const client = new Client({ url: this.unix, ...options })
    this.#clients.push(client)
    return client
  }

  /** kill -9 */
  async kill() {
    const ended = new Promise(resolve => this.#process.once('exit', resolve))
    this.#process.ref()
    this.#process.kill('SIGKILL')
    await ended
    running.delete(this.#process)
  }

  async stop() {
    for (const client of this.#clients) client.close()
    await this.kill()
    rmSync(this.directory, { recursive: true })
  }

  lock(key) {
    const none = { held: 0, waiting: 0, holders: [] }
    return this.ask.send('GET', `/locks/${encodeURIComponent(key)}`).catch(() => none)
  }

  isFree(key) { return this.lock(key).then(({ held, waiting }) => held === 0 && waiting === 0) }
  breakLease(lease, reason = 'test') {
    return this.ask.send('POST', `/leases/${lease.ref}/break?reason=${encodeURIComponent(reason)}`)
  }
}
