import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import { pageTokens } from "../../src/graph/page-token.ts"
import { openDeviceStore } from "../../src/store/open-device-store.ts"
import { blankDevices, devicesPath, failureOf, openedApp, standing, temporaryFolder } from "../opened.ts"

const ids = ["a", "b", "c", "d"]

interface Answer {
  readonly "@odata.nextLink"?: string
  readonly value: ReadonlyArray<{ readonly id: string }>
}

type App = ReturnType<typeof createApp>

const pageAt = async (app: App, address: string) => {
  const response = await app.request(address)
  expect(response.status).toBe(200)
  return (await response.json()) as Answer
}

const linkFrom = async (app: App, address: string) => new URL((await pageAt(app, address))["@odata.nextLink"] ?? "")

const refused = async (app: App, address: string | URL) => {
  const response = await app.request(String(address))
  return [response.status, (await failureOf(response)).message]
}

const notOurs = [400, expect.stringContaining("'$skiptoken' is not one that this service has made for this query")]

async function* paused() {
  for (const id of ids) yield { ...wholeDevice({ id }), upgradeEligibility: "paused" as "unknown" }
}

describe("a link to the next page", () => {
  it("is valid after the service was started again, over the same file", async () => {
    await using folder = await temporaryFolder()
    const setting = `sqlite:${join(folder.path, "devices.sqlite")}` as const
    const first = await openDeviceStore(setting)
    await first.fillEmpty(standing, blankDevices(ids))
    const link = await linkFrom(createApp({ store: first }), `${devicesPath}?$top=3&$orderby=model desc`)
    await first.close()
    const second = await openDeviceStore(setting)
    const page = await pageAt(createApp({ store: second }), String(link))
    await second.close()
    expect(page.value.map(({ id }) => id)).toEqual(["a"])
  })

  it("is refused by a service over another store", async () => {
    await using opened = await openedApp("memory", ids)
    await using other = await openedApp("memory", ids)
    expect(await refused(other.app, await linkFrom(opened.app, `${devicesPath}?$top=1`))).toEqual(notOurs)
  })

  it("is refused with any character of its token changed, cut off or added", async () => {
    await using opened = await openedApp("memory", ids)
    const link = await linkFrom(opened.app, `${devicesPath}?$top=1`)
    const token = link.searchParams.get("$skiptoken") ?? ""
    expect(token.length).toBeGreaterThan(20)
    const others = [token.slice(1), token.slice(0, -1), `${token}A`, `${token}=`, `${token} `, ""]
    for (let index = 0; index < token.length; index++) {
      others.push(token.slice(0, index) + (token[index] === "A" ? "B" : "A") + token.slice(index + 1))
    }
    for (const other of others) {
      link.searchParams.set("$skiptoken", other)
      expect(await refused(opened.app, link)).toEqual(notOurs)
    }
  })

  it.for([
    ["$filter", "model eq null"],
    ["$orderby", "model"],
    ["$orderby", "id desc"],
    ["$select", "model"],
    ["$top", "2"],
    ["$count", "true"]
  ])("is refused with another %s", async ([option = "", value = ""]) => {
    await using opened = await openedApp("memory", ids)
    const query = "$filter=id ne 'x'&$orderby=id&$select=id&$top=1&$count=false"
    const link = await linkFrom(opened.app, `${devicesPath}?${query}`)
    expect((await pageAt(opened.app, String(link))).value).toEqual([{ id: "b" }])
    link.searchParams.set(option, value)
    expect(await refused(opened.app, link)).toEqual(notOurs)
  })

  it("is refused under another metric, though it shows the same devices", async () => {
    await using opened = await openedApp("memory", ids)
    const link = await linkFrom(opened.app, `${devicesPath}?$top=1`)
    expect(await refused(opened.app, String(link).replace("allDevices", "devicePerformance"))).toEqual(notOurs)
  })

  it("holds the value of an enum's number rather than a text that the caller may not see", async () => {
    await using opened = await openedApp("memory", [])
    await opened.store.fillEmpty(standing, paused())
    const link = await linkFrom(opened.app, `${devicesPath}?$top=1&$orderby=upgradeEligibility`)
    expect(Buffer.from(link.searchParams.get("$skiptoken") ?? "", "base64url").toString()).not.toContain("paused")
    expect((await pageAt(opened.app, String(link))).value[0]?.id).toBe("b")
  })

  it("leaves $skip out, which counts once, and is refused together with it", async () => {
    await using opened = await openedApp("memory", ids)
    const link = await linkFrom(opened.app, `${devicesPath}?$skip=1&$top=2&$select=id`)
    expect(link.searchParams.has("$skip")).toBe(false)
    expect((await pageAt(opened.app, String(link))).value).toEqual([{ id: "d" }])
    link.searchParams.set("$skip", "1")
    expect(await refused(opened.app, link)).toEqual([400, expect.stringContaining("cannot be given together")])
  })

  it("is not made when it would be too long to be followed", async () => {
    await using opened = await openedApp("memory", ids)
    const longest = async (letters: number) => {
      for (const id of ids) await opened.store.update(standing, id, { model: "x".repeat(letters) })
      return `${devicesPath}?$top=1&$orderby=model&$select=id`
    }
    const link = await linkFrom(opened.app, await longest(5_900))
    expect((await pageAt(opened.app, String(link))).value).toEqual([{ id: "b" }])
    expect(await refused(opened.app, await longest(6_200))).toEqual([400, expect.stringContaining("shorter texts")])
  })
})

describe("a token", () => {
  const key = randomBytes(32)
  const place = ["x", null, 6.666666666666667, true]

  it("gives back the place that was sealed", () => {
    const tokens = pageTokens(key, ["tenant", "metric", undefined])
    expect(tokens.open(tokens.seal(place))).toEqual(place)
  })

  it.for([
    [["other", "metric", undefined]],
    [["tenant", "other", undefined]],
    [["tenant", "metric", ""]],
    [["tenant", "metric"]],
    [["tenantmetric", undefined]]
  ])("is of no use for %j, whatever it says", ([query = []]) => {
    const token = pageTokens(key, ["tenant", "metric", undefined]).seal(place)
    expect(pageTokens(key, query).open(token)).toBeUndefined()
    expect(pageTokens(randomBytes(32), ["tenant", "metric", undefined]).open(token)).toBeUndefined()
  })
})
