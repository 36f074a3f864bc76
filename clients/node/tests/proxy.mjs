// Stands between a client and a daemon, and stops after byte n of what either says.
import net from 'node:net'
import path from 'node:path'

let count = 0

export class Proxy {
  #server
  #pairs = new Set()
  /** Asked for each connection: `{side: 'answer' | 'request', after, how: 'close' | 'silence'}`, or null for none. */
  plan = () => null
  connections = 0

  static async before(daemon) {
    const proxy = new Proxy()
    proxy.socket = path.join(daemon.directory, `proxy-${count++}`)
    proxy.#server = net.createServer({ allowHalfOpen: false }, client => proxy.#connect(client, daemon.socket)).unref()
    await new Promise(resolve => proxy.#server.listen(proxy.socket, resolve))
    return proxy
  }

  get url() { return `unix:${this.socket}` }

  #connect(client, socket) {
    this.connections += 1
    const fault = this.plan()
    const service = net.connect(socket)
    const pair = { client, service }
    this.#pairs.add(pair)
    const close = () => {
      client.destroy()
      service.destroy()
      this.#pairs.delete(pair)
    }
    for (const [from, to, side] of [[service, client, 'answer'], [client, service, 'request']]) {
      let left = fault?.side === side ? fault.after : Infinity
      const stop = () => fault.how === 'close' && close()
      from.on('data', data => {
        if (left < 0) return
        to.write(data.subarray(0, Math.min(left, data.length)))
        left -= data.length
        if (left <= 0) {
          left = -1
          setImmediate(stop)
        }
      })
      from.on('error', close).on('close', close)
    }
  }

  /** Cuts every connection now. */
  cut() {
    for (const { client, service } of [...this.#pairs]) {
      client.destroy()
      service.destroy()
    }
  }

  stop() {
    this.cut()
    this.#server.close()
  }
}
