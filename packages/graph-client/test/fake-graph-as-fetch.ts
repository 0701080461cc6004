import { errorResponse, fakeGraph } from "../src/testing.ts"

const stored = {
  id: "83d5adfc-adfc-83d5-fcad-d583fcadd583",
  deviceName: "PC-001",
  upgradeEligibility: "capable"
}

/** Stands in for the network of the README's programs, which are run as they are. */
globalThis.fetch = fakeGraph(({ body, headers, method, url }) => {
  if (headers.get("authorization") !== "Bearer example") return errorResponse(401, { message: "No token." })
  if (url.searchParams.has("$filter")) return Response.json({ value: [stored, { id: "2", deviceName: 7 }] })
  if (url.pathname.endsWith("/metricDevices")) return Response.json({ value: [stored] })
  if (!url.pathname.endsWith(stored.id)) {
    return errorResponse(404, { code: "ResourceNotFound", message: "Resource not found." })
  }
  return Response.json(method === "PATCH" ? { ...stored, ...Object(body) } : stored)
}).fetch
