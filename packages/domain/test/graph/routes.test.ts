import { describe, expect, it } from "vitest"
import { methodsOf, permissionsFor, routeNames, routes } from "../../src/index.ts"

const managedDevices = ["DeviceManagementManagedDevices.Read.All", "DeviceManagementManagedDevices.ReadWrite.All"]
const read = [
  "DeviceManagementConfiguration.Read.All",
  "DeviceManagementConfiguration.ReadWrite.All",
  ...managedDevices
]
const write = ["DeviceManagementConfiguration.ReadWrite.All", "DeviceManagementManagedDevices.ReadWrite.All"]

describe("the table of routes", () => {
  it("has each address and each operation once", () => {
    const paths = routeNames.map((name) => routes[name].path)
    const ids = routeNames.flatMap((name) => Object.values(routes[name].operations).map(({ id }) => id))
    expect(new Set(paths).size).toBe(paths.length)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it("knows the methods of a route, and HEAD wherever there is GET", () => {
    expect(methodsOf("device")).toEqual(["DELETE", "GET", "HEAD", "PATCH"])
    expect(methodsOf("batch")).toEqual(["POST"])
  })
})

describe("the permissions of Microsoft's pages", () => {
  it.for(["GET", "HEAD"])("are the reading and the writing ones for %s", (method) => {
    expect(permissionsFor("device", method, "beta")).toEqual(read)
  })

  it("are those for managed devices alone on v1.0", () => {
    expect(permissionsFor("devices", "GET", "v1.0")).toEqual(managedDevices)
  })

  it.for(["PATCH", "POST", "PUT", "DELETE", "OPTIONS", "get", "QUERY", "constructor"])(
    "are the writing ones for %s",
    (method) => {
      expect(permissionsFor("device", method, "beta")).toEqual(write)
      expect(permissionsFor("device", method, "v1.0")).toEqual(write)
    }
  )

  it("are the writing ones for the summary, although it only reads", () => {
    expect(permissionsFor("summary", "GET", "v1.0")).toEqual(write)
  })

  it("are those for managed devices where the page of an operation names no others", () => {
    expect(permissionsFor("readiness", "GET", "beta")).toEqual(managedDevices)
    expect(permissionsFor("metric", "PATCH", "beta")).toEqual(["DeviceManagementManagedDevices.ReadWrite.All"])
  })

  it("are none for a batch, whose items are asked one by one, and for the description of the service", () => {
    expect(permissionsFor("batch", "POST", "beta")).toEqual([])
    expect(permissionsFor("metadata", "GET", "v1.0")).toEqual([])
  })
})
