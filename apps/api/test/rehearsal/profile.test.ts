import { type KeyedDevice, propertyNames, wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import { createLocalGraph } from "../../src/local-graph.ts"
import { createRehearsal } from "../../src/rehearsal/rehearsal.ts"
import { openDeviceStore } from "../../src/store/open-device-store.ts"
import { blankDevices, devicesPath, failureOf, jsonRequest, metricsPath, standing } from "../opened.ts"

const known: KeyedDevice = {
  id: "a",
  deviceId: "a",
  deviceName: "PC-1",
  tpmCheckFailed: true,
  upgradeEligibility: "capable",
  workFromAnywhereScore: 50,
  windowsScore: 60,
  cloudManagementScore: 70,
  cloudIdentityScore: 80,
  cloudProvisioningScore: -1,
  healthStatus: "meetingGoals"
}

const noScores = {
  workFromAnywhereScore: null,
  windowsScore: null,
  cloudManagementScore: null,
  cloudIdentityScore: null,
  cloudProvisioningScore: null,
  healthStatus: "unknown"
}

const { id, deviceId: _, deviceName, tpmCheckFailed, upgradeEligibility, ...scores } = known
const facts = { id, deviceName, tpmCheckFailed, upgradeEligibility }

const performancePath = devicesPath.replace("allDevices", "devicePerformance")

const rowsOf = async (response: Response) =>
  ((await response.json()) as { readonly value: ReadonlyArray<Record<string, unknown>> }).value

const observed = () => createLocalGraph({ profile: "observed", devices: [known] })

describe("the observed profile", () => {
  it("[F40] shows facts without scores under allDevices, and no deviceId", async () => {
    await using graph = await observed()
    const [row] = await rowsOf(await graph.fetch(devicesPath))
    expect(row).toEqual({ ...wholeDevice({ id: "a" }), ...facts, ...noScores, deviceId: null })
    expect(Object.keys(row ?? {})).toEqual(propertyNames)
    expect(await (await graph.fetch(`${devicesPath}/a`)).json()).toMatchObject({ ...facts, ...noScores })
  })

  it("[F41] shows scores without facts under devicePerformance", async () => {
    await using graph = await observed()
    const [row] = await rowsOf(await graph.fetch(performancePath))
    expect(row).toEqual({ ...wholeDevice({ id: "a" }), ...scores })
  })

  it("[F42] hides nothing that was not selected, and adds nothing that was not", async () => {
    await using graph = await observed()
    const rows = await rowsOf(await graph.fetch(`${devicesPath}?$select=windowsScore,deviceName`))
    expect(rows).toEqual([{ windowsScore: null, deviceName: "PC-1" }])
  })

  it.for([metricsPath, `${metricsPath}/allDevices`, `${metricsPath}('other')`])(
    "[F43] has no route for GET %s",
    async (path) => {
      await using graph = await observed()
      for (const version of ["/beta", "/v1.0"]) {
        const response = await graph.fetch(`${version}${path}`)
        const { code, message } = await failureOf(response)
        expect([response.status, code]).toEqual([400, "BadRequest"])
        expect(message).toMatch(/^No OData route/)
      }
    }
  )

  it.for([
    ["PATCH", `${devicesPath}/a`],
    ["DELETE", `${devicesPath}/a`],
    ["POST", devicesPath],
    ["POST", `/beta${metricsPath}`],
    ["PATCH", `/beta${metricsPath}/allDevices`]
  ])("[F44] refuses %s %s as Intune refuses a verb that it has no template for", async ([method = "", path = ""]) => {
    await using graph = await observed()
    const headers = { "content-type": "application/json", "client-request-id": "mine" }
    const body = method === "DELETE" ? null : '{"model":"X"}'
    const response = await graph.fetch(path, { method, headers, body })
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "No method match route template"])
    expect(message).toMatch(/^\{\r\n {2}"_version": 3,\r\n/)
    expect(JSON.parse(message)).toEqual({
      _version: 3,
      Message: expect.stringMatching(
        /^No method match route template "~\/singleton\/navigation.*Operation ID \(for customer support\): 0{8}-.* - Activity ID: mine - Url: https:/
      ),
      CustomApiErrorPhrase: "",
      RetryAfter: null,
      ErrorSourceService: "",
      HttpHeaders: "{}"
    })
    expect(JSON.parse(message).Message).toContain(method)
  })

  it("does not touch what is refused", async () => {
    await using graph = await observed()
    expect((await graph.fetch(`${devicesPath}/b`)).status).toBe(404)
    expect((await graph.fetch("/beta/nothing")).status).toBe(400)
    expect((await graph.fetch(`${devicesPath}?$top=x`)).status).toBe(400)
  })
})

describe("the read-only policy", () => {
  const update = jsonRequest("PATCH", { windowsScore: 5, model: "X" })

  it("[F132] accept, which goes without saying, makes the update", async () => {
    for (const settings of [{}, { readOnly: "accept" }] as const) {
      await using graph = await createLocalGraph({ ...settings, devices: [known] })
      const response = await graph.fetch(`${devicesPath}/a`, update)
      const updated = { ...wholeDevice(known), windowsScore: 5, model: "X" }
      expect([response.status, await response.json()]).toEqual([200, expect.objectContaining(updated)])
      expect(await (await graph.fetch(`${devicesPath}/a`)).json()).toMatchObject(updated)
    }
  })

  it("[F45] ignore answers 200 with the device as it was", async () => {
    await using graph = await createLocalGraph({ readOnly: "ignore", devices: [known] })
    const response = await graph.fetch(`${devicesPath}/a`, update)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ ...wholeDevice(known) })
  })

  it("[F46] reject answers 400 with Intune's nested message, which names the properties", async () => {
    await using graph = await createLocalGraph({ readOnly: "reject", devices: [known] })
    const response = await graph.fetch(`${devicesPath}/a`, update)
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "InternalError"])
    expect(JSON.parse(message).Message).toContain("windowsScore, model")
    expect(await (await graph.fetch(`${devicesPath}/a`)).json()).toMatchObject({ windowsScore: 60, model: null })
  })

  it.for(["ignore", "reject"] as const)(
    "%s says the same as ever of a body that does not fit, and of a device that is not there",
    async (readOnly) => {
      await using graph = await createLocalGraph({ readOnly, devices: [known] })
      const misfit = await graph.fetch(`${devicesPath}/a`, jsonRequest("PATCH", { colour: "red" }))
      expect((await failureOf(misfit)).code).toBe("ModelValidationFailure")
      expect((await graph.fetch(`${devicesPath}/b`, update)).status).toBe(404)
    }
  )

  it.for(["ignore", "reject"] as const)("%s writes nothing, not even what changes nothing", async (readOnly) => {
    const store = await openDeviceStore("memory")
    await store.fillEmpty(standing, blankDevices(["a"]))
    const app = createApp({ store, rehearsal: createRehearsal({ readOnly }) })
    const before = store.version()
    await app.request(`${devicesPath}/a`, update)
    expect(store.version()).toBe(before)
    await store.close()
  })

  it.for(["ignore", "reject"] as const)("%s comes after what If-Match expects", async (readOnly) => {
    const store = await openDeviceStore("memory")
    await store.fillEmpty(standing, blankDevices(["a"]))
    const app = createApp({ store, etag: true, rehearsal: createRehearsal({ readOnly }) })
    const headers = { "content-type": "application/json", "if-match": '"another"' }
    expect((await app.request(`${devicesPath}/a`, { ...update, headers })).status).toBe(412)
    await store.close()
  })
})

describe("a request header of a caller on this machine", () => {
  it("[F47] chooses profile and policy for that request alone", async () => {
    await using graph = await createLocalGraph({ devices: [known] })
    const [masked] = await rowsOf(await graph.fetch(devicesPath, { headers: { "x-wfa-profile": "observed" } }))
    expect(masked).toMatchObject(noScores)
    const refused = await graph.fetch(`${devicesPath}/a`, {
      ...jsonRequest("PATCH", { model: "X" }),
      headers: { "content-type": "application/json", "x-wfa-read-only": "reject" }
    })
    expect(refused.status).toBe(400)
    const [whole] = await rowsOf(await graph.fetch(devicesPath))
    expect(whole).toEqual(wholeDevice(known))
  })

  it("is refused when it names no profile or policy", async () => {
    await using graph = await createLocalGraph()
    for (const header of ["x-wfa-profile", "x-wfa-read-only"]) {
      const response = await graph.fetch(devicesPath, { headers: { [header]: "real" } })
      expect([response.status, (await failureOf(response)).message]).toEqual([400, expect.stringContaining(header)])
    }
  })
})
