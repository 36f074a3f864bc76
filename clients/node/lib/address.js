import fs from 'node:fs'
import { Invalid } from './errors.js'

const SOCKET = '/run/leasehold/leasehold.sock'
const TCP = 'http://127.0.0.1:31818'

/** Milliseconds of CLOCK_MONOTONIC, the clock that deadlines are kept on. */
export function now() {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Where the service is: what is said, else LEASEHOLD_URL, else the socket if it is there, else TCP. */
export function addressOf(url = process.env.LEASEHOLD_URL) {
  url = String(url || (fs.existsSync(SOCKET) ? `unix:${SOCKET}` : TCP))
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
  return { url, isUnix: false, isTLS, options: { host, port: Number(parsed.port) || (isTLS ? 443 : 80) } }
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
