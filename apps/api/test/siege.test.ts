import { join } from "node:path"
import type { WholeDevice } from "@workanywhere/domain"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { afterwards, integrityOf } from "../drill/durability.ts"
import { step } from "../drill/hostile.ts"
import { type Besieged, besiege } from "../drill/siege-play.ts"
import { issuer, peakMiB, readWrite, startedVictim, tenantIds } from "../drill/victim.ts"
import { storeKinds, storeRoom, temporaryFolder } from "./opened.ts"
import { ended, running } from "./process.ts"

// Thousands of requests are answered by processes of their own, and the machine may be busy.
const options = { timeout: 300_000 }

const runs = 16
const callers = 8

type Running = Awaited<ReturnType<typeof running>>

/** Plays generated steps against a service, looks at what came of them, and gives what has to be there. */
const besieged = async (service: Running, target: Besieged) => {
  const siege = besiege(target, callers)
  try {
    const outcome = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 120, size: "max" }), async (steps) => {
      expect(await siege.play(steps)).toEqual([])
      expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
    })
    await fc.assert(outcome, { numRuns: runs })
    expect(await siege.finish()).toEqual([])
    const { acknowledged, statuses } = siege.outcome()
    expect(acknowledged).toBeGreaterThan(400)
    expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["200", "201", "204", "400", "404", "413", "414"]))
    expect([service.child.exitCode, service.child.signalCode]).toEqual([null, null])
    expect(await peakMiB(service.child.pid)).toBeLessThan(768)
    return siege.held()
  } finally {
    siege.close()
  }
}

describe("a service to which callers send whatever they like", () => {
  it.for(storeKinds)(
    "stays up, refuses with an error of Graph's that names the limit, and loses nothing it has acknowledged: in %s",
    options,
    async (kind) => {
      await using room = await storeRoom(kind)
      const keys = await issuer()
      try {
        await using service = await startedVictim(keys.url, { WFA_STORE: room.store })
        const token = await keys.token(tenantIds.attacker, readWrite)
        const held = await besieged(service, { url: service.url, token, name: "held" })
        service.child.kill("SIGTERM")
        expect(await ended(service.child)).toEqual({ code: 0, signal: null })
        if (room.store === "memory") return
        expect(integrityOf(room.store)).toEqual([])
        const found = await afterwards(room.store, tenantIds.attacker)
        expect([...found.keys()].toSorted()).toEqual([...held.keys()].toSorted())
        for (const [id, device] of held) expect(found.get(id)).toEqual<Partial<WholeDevice>>(device)
      } finally {
        keys.close()
      }
    }
  )

  it(
    "stays up, refuses with an error of Graph's that names the limit, and loses nothing it has acknowledged: behind a gateway",
    options,
    async () => {
      await using folder = await temporaryFolder()
      await using graph = await running({ WFA_LOG: "off" })
      await using gateway = await running({
        WFA_LOG: "off",
        WFA_UPSTREAM: graph.url,
        WFA_UPSTREAM_WRITES: "on",
        WFA_AUDIT: join(folder.path, "audit.jsonl")
      })
      await besieged(gateway, { url: gateway.url, token: "", name: "held" })
      expect([graph.child.exitCode, graph.child.signalCode]).toEqual([null, null])
    }
  )
})
