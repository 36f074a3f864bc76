import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faults } from './faults.mjs'

test('no client says that it holds what somebody else got: seeded faults', async () => {
  const result = await faults({ seed: Number(process.env.SEED ?? 1), count: Number(process.env.FAULTS ?? 40) })
  console.log(JSON.stringify(result))
  assert.ok(result.grants > 5)
})
