import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { devicesPath, failureOf, metricsPath, modelsPath, openedApp } from "../opened.ts"

let opened: Awaited<ReturnType<typeof openedApp>>
beforeAll(async () => {
  opened = await openedApp("memory", ["a", "b"])
})
afterAll(() => opened[Symbol.asyncDispose]())

/** What an answer is like, but for what is of its request alone. */
const likeness = async (path: string, accept?: string) => {
  const response = await opened.app.request(path, accept === undefined ? {} : { headers: { accept } })
  return [response.status, response.headers.get("content-type"), await response.text()]
}

describe("$format", () => {
  it("says of a body what Accept says, and in place of it", async () => {
    for (const path of [
      devicesPath,
      `${devicesPath}/a`,
      `/beta${metricsPath}`,
      `/beta${modelsPath}`,
      "/beta",
      "/beta/deviceManagement"
    ]) {
      for (const type of [
        "application/json",
        "application/json;odata.metadata=none",
        "application/json;odata.metadata=full;IEEE754Compatible=true"
      ]) {
        const expected = await likeness(path, type)
        for (const name of ["$format", "%24FORMAT", "format"]) {
          expect(await likeness(`${path}?${name}=${encodeURIComponent(type)}`)).toEqual(expected)
          expect(await likeness(`${path}?${name}=${type}`, "application/json;odata.metadata=minimal")).toEqual(expected)
        }
      }
      expect(await likeness(`${path}?$format=JSON`)).toEqual(await likeness(path))
    }
    const none = await likeness(`${devicesPath}?$format=application/json;odata.metadata=none`)
    expect(none).not.toEqual(await likeness(devicesPath))
    const metadata = await likeness("/beta/$metadata")
    for (const format of ["xml", "application/xml"]) {
      expect(await likeness(`/beta/$metadata?$format=${format}`)).toEqual(metadata)
    }
    for (const path of [`${devicesPath}/$count`, `/beta${modelsPath}/$count`, `/beta${metricsPath}/$count`]) {
      expect(await likeness(`${path}?$format=text/plain`, "application/json")).toEqual(await likeness(path))
      expect((await likeness(`${path}?$format=json`))[0]).toBe(415)
    }
  })

  it("stays in the links of a list, so that its pages are alike", async () => {
    const first = await opened.app.request(
      `${devicesPath}?$top=1&$format=application/json;odata.metadata=none&$count=true`
    )
    const { "@odata.nextLink": link } = (await first.json()) as Record<string, string>
    const second = await opened.app.request(link ?? "")
    expect(await second.json()).toEqual({ "@odata.count": 2, value: [expect.objectContaining({ id: "b" })] })
    expect(second.headers.get("content-type")).toContain("odata.metadata=none")
  })

  it.for([
    [`${devicesPath}?$format=xml`, "'json'"],
    [`${devicesPath}/a?$format=atom`, "'json'"],
    [`/beta${modelsPath}?$format=text/csv`, "'json'"],
    ["/beta?$format=", "'json'"],
    ["/beta/$metadata?$format=json", "'xml'"],
    [`${devicesPath}?$format=json&format=json`, "given twice"]
  ])("that is not served is refused, naming what is: %s", async ([path = "", named]) => {
    const response = await opened.app.request(path)
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "BadRequest"])
    expect(message).toContain("'$format'")
    expect(message).toContain(named)
  })
})
