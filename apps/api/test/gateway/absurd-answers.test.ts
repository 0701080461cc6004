import { json } from "node:stream/consumers"
import { describe, expect, it } from "vitest"
import { openedGateway } from "../gateways.ts"
import { devicesPath, failureOf, jsonRequest } from "../opened.ts"
import { served } from "../tokens.ts"

const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`

const items = ["a", "odd", "c"].map((id) => ({ id, method: "GET", url: `${devicesPath.replace("/beta", "")}/${id}` }))

/** What became of three reads in a batch, where the upstream answers one of them, as often as it is asked, as it should not. */
const answersAround = async (odd: string) => {
  await using upstream = await served(async (request, response) => {
    const { requests } = (await json(request)) as { requests: ReadonlyArray<{ id: string; url: string }> }
    const responses = requests.map(({ id, url }) =>
      url.endsWith("/odd")
        ? odd.replaceAll('"id":"2"', `"id":"${id}"`)
        : `{"id":"${id}","status":200,"body":{"id":"a"}}`
    )
    response.writeHead(200, { "content-type": "application/json" }).end(`{"responses":[${responses.join()}]}`)
  })
  await using gateway = await openedGateway(upstream.url, { deadline: 1_000 })
  const response = await fetch(`${gateway.url}/beta/$batch`, jsonRequest("POST", { requests: items }))
  expect(response.status).toBe(200)
  const { responses } = (await response.json()) as { responses: ReadonlyArray<{ id: string; status: number }> }
  return new Map(responses.map(({ id, status }) => [id, status]))
}

describe("an absurd answer of an upstream", () => {
  it.for([
    ["a status above all", '{"id":"2","status":1000}'],
    ["a status that is not final", '{"id":"2","status":101}'],
    ["half a status", '{"id":"2","status":200.5}'],
    ["a line break in an etag", String.raw`{"id":"2","status":200,"headers":{"ETag":"a\r\nb"},"body":{"id":"b"}}`],
    [
      "a type outside Latin-1",
      '{"id":"2","status":200,"headers":{"Content-Type":"application/json; →"},"body":{"id":"b"}}'
    ],
    ["a device of a million levels", `{"id":"2","status":200,"body":{"id":"b","x":${nested(1_000_000)}}}`],
    ["a header of a million levels", `{"id":"2","status":200,"headers":{"x":${nested(1_000_000)}},"body":{"id":"b"}}`],
    ["two devices for one", '{"id":"2","status":200,"body":{"id":"b"}},{"id":"2","status":200,"body":{"id":"x"}}'],
    ["no object", '{"id":"2","status":200,"body":7}']
  ] as const)("to one item of a batch is its 502, and the others have theirs: %s", async ([, odd]) => {
    expect(await answersAround(odd)).toEqual(
      new Map([
        ["a", 200],
        ["odd", 502],
        ["c", 200]
      ])
    )
  })

  it("is 502 where it is an answer by itself", async () => {
    await using upstream = await served((_, response) => {
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(`{"value":[{"id":"a","x":${nested(1_000_000)}}]}`)
    })
    await using gateway = await openedGateway(upstream.url)
    const response = await fetch(gateway.url + devicesPath)
    expect(response.status).toBe(502)
    expect((await failureOf(response)).message).toMatch(/cannot be passed on: .* nested too deeply/)
  })
})
