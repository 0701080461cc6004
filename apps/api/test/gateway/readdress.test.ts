import * as fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"
import { openedGateway } from "../gateways.ts"
import { devicesPath, jsonRequest } from "../opened.ts"
import { served } from "../tokens.ts"

let body: object = {}
let location: string | undefined

const upstream = await served((request, response) => {
  response.writeHead(request.method === "POST" ? 201 : 200, {
    "content-type": "application/json",
    ...(location === undefined ? {} : { location })
  })
  response.end(JSON.stringify(body))
})
const gateway = await openedGateway(upstream.url)
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

/** What `URL` takes away, or takes for something else, and some that it does not. */
const stray = fc.constantFrom("", " ", "\t", "\n", "\r", "\0", "\u001F", "\u00A0", "\u200B", "\uFEFF", "\\", "/", "x")

/** The text with something in the middle of it. */
const strewn = (text: string): fc.Arbitrary<string> =>
  fc.tuple(fc.nat({ max: text.length }), stray).map(([at, what]) => text.slice(0, at) + what + text.slice(at))

const host = new URL(upstream.url).host

const hostile = fc
  .tuple(
    stray,
    fc.constantFrom("http:", "https:", "HTTP:", "file:", "javascript:", "data:", "").chain(strewn),
    fc.constantFrom("//", "/", "\\\\", "/\\", "///", ""),
    fc
      .constantFrom(host, "elsewhere.example", `${host}@elsewhere.example`, `elsewhere.example@${host}`, "")
      .chain(strewn),
    fc.constantFrom(
      devicesPath,
      `/${devicesPath}`,
      "//elsewhere.example/",
      "/\\elsewhere.example",
      "?$skiptoken=a",
      ""
    ),
    stray
  )
  .map((parts) => parts.join(""))

describe("a link of an upstream", () => {
  it("leads a caller to the gateway and nowhere else, however it is spelled, or is 502", async () => {
    const seen = new Set<number>()
    const names = fc.constantFrom("@odata.nextLink", "@odata.deltaLink", "@nextLink", "rows@odata.nextLink")
    await fc.assert(
      fc.asyncProperty(names, hostile, async (name, link) => {
        body = { value: [], [name]: link }
        const response = await fetch(gateway.url + devicesPath)
        seen.add(response.status)
        expect([200, 502]).toContain(response.status)
        if (response.status === 502) return
        const passed = String(((await response.json()) as Record<string, unknown>)[name])
        expect(passed.startsWith(`${gateway.url}/`)).toBe(true)
        expect(new URL(passed, gateway.url).href).toBe(passed)
      }),
      { numRuns: 500, examples: [["@odata.nextLink", `\t${upstream.url}/beta/x`]] }
    )
    expect(seen).toEqual(new Set([200, 502]))
  })

  it.for([
    [`${upstream.url}${devicesPath}?$skiptoken=a%2Bb'c`, `${devicesPath}?$skiptoken=a%2Bb%27c`],
    [` ${upstream.url}/beta/x`, "/beta/x"],
    [`${upstream.url.replace("http", "ht\ttp")}/beta/x`, "/beta/x"],
    [`${upstream.url.replace("//", "\\\\")}/beta/x`, "/beta/x"],
    [`${upstream.url.replace("//", "//someone:secret@")}//elsewhere.example/x`, "//elsewhere.example/x"],
    ["?$skiptoken=a", `${devicesPath}?$skiptoken=a`],
    ["/beta/x", "/beta/x"]
  ] as const)("is passed on as URL reads it, as %j is", async ([link, place]) => {
    body = { value: [], "@odata.nextLink": link }
    expect(await (await fetch(gateway.url + devicesPath)).json()).toEqual({
      value: [],
      "@odata.nextLink": gateway.url + place
    })
  })

  it.for([
    " http://elsewhere.example/",
    "ht\ntp://elsewhere.example/",
    "\0//elsewhere.example/",
    "\\\\elsewhere.example/",
    7
  ])("is 502 where it leads elsewhere, as %j does", async (link) => {
    body = { value: [], "@odata.nextLink": link }
    expect((await fetch(gateway.url + devicesPath)).status).toBe(502)
  })
})

describe("the Location of an upstream", () => {
  it.for([
    `${upstream.url}${devicesPath}/new`,
    "https://elsewhere.example/new",
    "//elsewhere.example/new",
    "\\\\elsewhere.example\\new",
    "data:,x",
    `?${"x".repeat(8_192)}`
  ])("leads to what was made, behind the gateway, also when it is %.40s", async (theirs) => {
    location = theirs
    body = { id: "new" }
    const made = await fetch(gateway.url + devicesPath, jsonRequest("POST", { id: "new" }))
    expect(made.status).toBe(201)
    expect([
      `${gateway.url}${devicesPath}/new`,
      `${gateway.url}${devicesPath.replace("/allDevices/", "('allDevices')/")}('new')`
    ]).toContain(made.headers.get("location"))
    location = undefined
  })
})
