import { describe, expect, it } from "vitest"
import { permissionsFor } from "../../src/http/permissions.ts"
import { metricsPath } from "../opened.ts"

const write = ["DeviceManagementConfiguration.ReadWrite.All", "DeviceManagementManagedDevices.ReadWrite.All"]

const read = ["DeviceManagementConfiguration.Read.All", "DeviceManagementManagedDevices.Read.All", ...write]

const device = `/beta${metricsPath}/allDevices/metricDevices/a`

describe("the permissions of Microsoft's pages", () => {
  it.for(["GET", "HEAD"])("are the reading and the writing ones for %s", (method) => {
    expect(permissionsFor(method, device).toSorted()).toEqual(read.toSorted())
  })

  it.for(["PATCH", "POST", "PUT", "DELETE", "OPTIONS", "get", "QUERY"])("are the writing ones for %s", (method) => {
    expect(permissionsFor(method, device).toSorted()).toEqual(write.toSorted())
  })

  it("are the writing ones for the summary, although it only reads", () => {
    const summary = "/v1.0/deviceManagement/userExperienceAnalyticsSummarizeWorkFromAnywhereDevices"
    expect(permissionsFor("GET", summary).toSorted()).toEqual(write.toSorted())
  })

  it("are none for a batch, whose items are asked one by one, and for the description of the service", () => {
    expect(permissionsFor("POST", "/beta/$batch")).toEqual([])
    expect(permissionsFor("GET", "/v1.0/$metadata")).toEqual([])
  })

  it.for(["%24batch", "$metadata", "a%2F$batch"])("are not waived for a device with the id %s", (id) => {
    expect(permissionsFor("PATCH", `/beta${metricsPath}/allDevices/metricDevices/${id}`)).not.toEqual([])
  })
})
