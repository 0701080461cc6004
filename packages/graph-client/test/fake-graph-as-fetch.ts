import { errorResponse, fakeGraph } from "../src/testing.ts"

const stored = {
  id: "83d5adfc-adfc-83d5-fcad-d583fcadd583",
  deviceName: "PC-001",
  upgradeEligibility: "capable"
}

interface Item {
  readonly id: string
  readonly url: string
  readonly body: object
}

const missing = { error: { code: "ResourceNotFound", message: "Resource not found." } }

/** Each of many devices is there, but for one. */
const deviceOf = (url: string, body: object) => {
  const id = url.split("/").at(-1) ?? ""
  if (id === "device-1234") return { status: 404, body: missing }
  return { status: 200, body: { id, ...body } }
}

/** Stands in for the network of the README's programs, which are run as they are. */
globalThis.fetch = fakeGraph(({ body, headers, method, url }) => {
  if (headers.get("authorization") !== "Bearer example") return errorResponse(401, { message: "No token." })
  if (url.pathname.endsWith("/$batch")) {
    const { requests } = body as { readonly requests: ReadonlyArray<Item> }
    return Response.json({
      responses: requests.map(({ id, url, body }) => Object.assign(deviceOf(url, body), { id })).toReversed()
    })
  }
  if (/\/device-\d+$/.test(url.pathname)) {
    const answer = deviceOf(url.pathname, Object(body) as object)
    return Response.json(answer.body, { status: answer.status })
  }
  if (url.searchParams.has("$filter")) return Response.json({ value: [stored, { id: "2", deviceName: 7 }] })
  if (url.pathname.endsWith("/metricDevices")) return Response.json({ value: [stored] })
  if (!url.pathname.endsWith(stored.id)) {
    return errorResponse(404, { code: "ResourceNotFound", message: "Resource not found." })
  }
  return Response.json(method === "PATCH" ? { ...stored, ...Object(body) } : stored)
}).fetch
