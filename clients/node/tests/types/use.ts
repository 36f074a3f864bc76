// What the types allow and refuse; it is compiled only.
import { acquire, withLock, Client, LeaseLost, Locked, type Lease } from '../../index.js'

export async function use(controller: AbortController): Promise<[number, string, boolean]> {
  const lease: Lease = await acquire('deploy', { waitMs: 10_000, signal: controller.signal })
  lease.signal.addEventListener('abort', () => {})
  const fence: number = await withLock('a', async inner => inner.fence)
  const text: string = await withLock(['a', { key: 'b', slots: 3 }], { onLost: 'ignore' }, () => 'x')
  try {
    lease.check()
  } catch (error) {
    if (error instanceof LeaseLost) return [fence, error.reason, false]
    if (error instanceof Locked) return [error.holders.length, text, false]
  }
  // @ts-expect-error
  await acquire('deploy', { wait: 10 })
  // @ts-expect-error
  await acquire('deploy', { ttlMs: '30s' })
  await new Client({ url: 'unix:/x' }).send('GET', '/locks')
  await (await acquire('nightly', { holdAtLeastMs: 60_000, note: 'begins' })).note('step 2')
  await lease.add('b', { key: 'sysv:0x51.0', create: true, value: 2 })
  lease.yieldSignal.addEventListener('abort', () => lease.release({ early: true }))
  await new Client().resize('downloads', 0, { pinned: true })
  const released: boolean = await lease.release()
  await lease[Symbol.asyncDispose]()
  return [fence, text, released]
}
