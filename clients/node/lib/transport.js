import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { addressOf, now, refusalOf } from './address.js'
import { Denied, Unavailable } from './errors.js'

const BODY_MAX = 16 << 20
const SUSPECT_MS = 200
const UNREACHED = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH'])

/** HTTP to one service, over kept connections. */
export class Transport {
  /** Whether the service was ever there. */
  isReached = false

  constructor({ url, token = process.env.LEASEHOLD_TOKEN, ca } = {}) {
    this.address = addressOf(url)
    this.http = this.address.isTLS ? https : http
    this.options = { ...this.address.options }
    const file = ca ?? process.env.LEASEHOLD_CACERT
    if (this.address.isTLS && file) this.options.ca = fs.readFileSync(file)
    this.headers = token ? { Authorization: `Bearer ${token}` } : {}
    this.agent = new this.http.Agent({ keepAlive: true, maxFreeSockets: 4 })
  }

  close() {
    this.agent.destroy()
  }

  /**
   * Sends a request and reads the whole answer, whatever its status: `{status, body, sentAt}`.
   *
   * A kept connection that turns out to be closed costs one more try (rule 36). `onSent` is called when the service may
   * have got something. Throws Unavailable, Denied, or the reason of `signal`.
   */
  async ask(method, target, { timeoutMs = 5000, fresh = false, ...rest } = {}) {
    const deadline = now() + timeoutMs
    for (;;) {
      const attempt = { isReused: false }
      try {
        return await this.#exchange(method, target, { ...rest, fresh, deadline }, attempt)
      } catch (error) {
        if (!attempt.isReused || error.timedOut || rest.signal?.aborted || now() >= deadline) throw error
        fresh = true
      }
    }
  }

  #exchange(method, target, { body, key, deadline, signal, background, fresh, onSent }, attempt) {
    return new Promise((resolve, reject) => {
      const sentAt = now()
      const request = this.#request(method, target, { body, key, agent: fresh ? false : this.agent, onSent })
      const timer = setTimeout(() => fail(this.#silence()), deadline - sentAt)
      const fail = error => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        request.destroy()
        reject(error)
      }
      const abort = () => fail(signal.reason)
      if (signal?.aborted) return abort()
      signal?.addEventListener('abort', abort, { once: true })
      if (background) {
        timer.unref()
        request.on('socket', socket => socket.unref())
      }
      request.on('error', error => {
        attempt.isReused = request.reusedSocket
        fail(this.#failure(error))
      })
      request.on('response', response => {
        readAll(response).then(text => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', abort)
          resolve({ status: response.statusCode, body: parsed(text), sentAt })
        }, error => {
          attempt.isReused = request.reusedSocket
          fail(this.#failure(error))
        })
      })
      request.end(body)
    })
  }

  /**
   * Opens an answer that has no end, on a connection of its own: `{status, sentAt, lines(), close(), unref()}`.
   *
   * `lines()` is asynchronous and throws when the connection breaks. A status of 400 and above has a `body` instead.
   */
  open(method, target, { timeoutMs, signal, headers, background = false }) {
    return new Promise((resolve, reject) => {
      const sentAt = now()
      const request = this.#request(method, target, { agent: false, headers })
      const timer = setTimeout(() => fail(this.#silence()), timeoutMs)
      const fail = error => {
        settle()
        request.destroy()
        reject(error)
      }
      const settle = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      const abort = () => fail(signal.reason)
      if (signal?.aborted) return abort()
      signal?.addEventListener('abort', abort, { once: true })
      if (background) {
        timer.unref()
        request.on('socket', socket => socket.unref())
      }
      request.on('error', error => fail(this.#failure(error)))
      request.on('response', response => {
        if (response.statusCode >= 400) {
          readAll(response).then(text => {
            settle()
            resolve({ status: response.statusCode, body: parsed(text), sentAt })
          }, error => fail(this.#failure(error)))
          return
        }
        settle()
        resolve({
          status: response.statusCode,
          sentAt,
          lines: silenceMs => this.#lines(response, silenceMs),
          close: () => request.destroy(),
          unref: () => request.socket?.unref(),
        })
      })
      request.end()
    })
  }

  #request(method, target, { body, key, agent, headers = {}, onSent = () => {} }) {
    const all = { ...this.headers, ...headers }
    if (key) all['Idempotency-Key'] = key
    if (body !== undefined) all['Content-Type'] = 'application/json'
    if (body === undefined && method !== 'GET') all['Content-Length'] = 0
    const request = this.http.request({ ...this.options, method, path: target, headers: all, agent })
    const connected = () => {
      this.isReached = true
      onSent()
    }
    request.on('socket', socket => {
      if (socket.connecting) socket.once(this.address.isTLS ? 'secureConnect' : 'connect', connected)
      else connected()
    })
    return request
  }

  /** The lines of an answer; throws when it breaks, or when nothing comes for `silenceMs()`. */
  async* #lines(response, silenceMs) {
    response.setEncoding('utf8')
    let rest = ''
    let timer
    const listen = (ms, work) => {
      clearTimeout(timer)
      timer = setTimeout(work, ms).unref()
    }
    // Of a program that was stopped the timers go first: then what came meanwhile is still to be read.
    const suspect = () => listen(SUSPECT_MS, () => response.destroy(this.#silence()))
    try {
      listen(silenceMs(), suspect)
      for await (const part of response) {
        const lines = (rest + part).split('\n')
        rest = lines.pop()
        if (rest.length > BODY_MAX) throw new Error('a line is too long')
        yield* lines
        listen(silenceMs(), suspect)
      }
    } catch (error) {
      throw error instanceof Unavailable ? error : this.#failure(error)
    } finally {
      clearTimeout(timer)
    }
  }

  #silence() {
    const error = new Unavailable(`the service at ${this.address.url} did not answer in time`, { code: 'no-answer' })
    return Object.assign(error, { timedOut: true })
  }

  #failure(cause) {
    if (cause.code === 'EACCES' || cause.code === 'EPERM') {
      return new Denied(refusalOf(this.options.socketPath ?? this.address.url), { code: 'socket-denied', cause })
    }
    if (/CERT|SIGNATURE|^ERR_(TLS|SSL)/.test(cause.code)) {
      const text = `cannot trust the service at ${this.address.url}: ${cause.message}`
      return new Unavailable(text, { code: 'insecure', cause })
    }
    if (String(cause.code).startsWith('HPE_')) return notHTTP(this.address.url, cause)
    const help = UNREACHED.has(cause.code) ? '; is `leasehold serve` running, and is LEASEHOLD_URL right?' : ''
    const text = `cannot reach the service at ${this.address.url}: ${cause.code ?? cause.message}${help}`
    return new Unavailable(text, { code: 'unreachable', cause })
  }
}

/** The error for an answer that is none. */
export function notHTTP(url, cause) {
  return new Unavailable(`what answers at ${url} is not Leasehold`, { code: 'malformed', cause })
}

/** A text as JSON; null when it is none. */
export function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

async function readAll(response) {
  response.setEncoding('utf8')
  let text = ''
  for await (const part of response) {
    text += part
    if (text.length > BODY_MAX) throw new Error('the answer is too long')
  }
  if (!response.complete) throw Object.assign(new Error('the answer was cut off'), { code: 'ECONNRESET' })
  return text
}
