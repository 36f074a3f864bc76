import fs from 'node:fs'
import { Invalid } from './errors.js'

const SOCKET = '/run/leasehold/leasehold.sock'
const PORT = 31818
const TCP = `http://127.0.0.1:${PORT}`

/** Milliseconds of CLOCK_MONOTONIC, the clock that deadlines are kept on. */
export function now() {
  return Number(process.hrtime.bigint()) / 1e6
}

/** The status of a file; null where there is none. */
function statusOf(path, read = fs.statSync) {
  try {
    return read(path)
  } catch {
    return null
  }
}

/** Whether a folder is this user's and closed to others. */
function isOwn(folder) {
  const found = folder.startsWith('/') ? statusOf(folder, fs.lstatSync) : null
  return found?.isDirectory() === true && found.uid === process.geteuid() && (found.mode & 0o077) === 0
}

/** The socket of this user's own service, where one listens and nobody else can put another. */
function ownSocket() {
  const runtime = process.env.XDG_RUNTIME_DIR ?? ''
  const isShort = Buffer.byteLength(runtime) + '/leasehold/leasehold.sock'.length < 107
  const folder = isShort && isOwn(runtime) ? `${runtime}/leasehold` : `/tmp/leasehold-${process.geteuid()}`
  const path = `${folder}/leasehold.sock`
  if (!isOwn(folder) || !statusOf(path)?.isSocket()) return null
  try {
    // There is no connecting at once. The sockets of this network namespace are listed, those that listen with a flag.
    const lines = fs.readFileSync('/proc/net/unix', 'utf8').split('\n')
    return lines.some(line => line.endsWith(` ${path}`) && line.split(/ +/)[3] === '00010000') ? path : null
  } catch {
    return path
  }
}

/** Where the service is: what is said, else LEASEHOLD_URL, else the system's socket, else one's own, else TCP. */
export function addressOf(url = process.env.LEASEHOLD_URL) {
  if (!url) {
    const path = statusOf(SOCKET)?.isSocket() ? SOCKET : ownSocket()
    url = path ? `unix:${path}` : TCP
  }
  url = String(url)
  if (url.startsWith('unix:/')) return { url, isUnix: true, options: { socketPath: url.slice(5), host: 'localhost' } }
  let parsed
  try {
    parsed = new URL(url)
  } catch {
    parsed = null
  }
  if (!parsed || !['http:', 'https:'].includes(parsed.protocol)) {
    const help = 'give something like unix:/run/leasehold/leasehold.sock, http://127.0.0.1:31818 or https://HOST:31818'
    throw new Invalid(`'${url}' is no address; ${help}`, { code: 'bad-address' })
  }
  const host = parsed.hostname.replace(/^\[|\]$/g, '')
  const isTLS = parsed.protocol === 'https:'
  // Of a URL, port is empty where it is the usual one of the scheme.
  const port = Number(parsed.port || /^https?:\/\/[^/]*:(\d+)\/?$/.exec(url)?.[1] || PORT)
  return { url, isUnix: false, isTLS, options: { host, port } }
}

/** Why a socket refused, with the group that would be let in. */
export function refusalOf(path) {
  try {
    const { gid, mode } = fs.statSync(path)
    const name = fs.readFileSync('/etc/group', 'utf8').split('\n').map(line => line.split(':'))
      .find(([, , id]) => Number(id) === gid)?.[0] ?? `with the number ${gid}`
    return `permission denied on ${path}: it is for the group ${name} (mode ${(mode & 0o777).toString(8)}); join it`
  } catch {
    return `permission denied on ${path}`
  }
}
