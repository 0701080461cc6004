import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type PortalReport, portalCsvWriter, readDeviceCsv } from "../../src/csv.ts"
import { portalColumn } from "../../src/files/csv-headings.ts"
import { type Device, type KeyedDevice, enumOf, propertyNames } from "../../src/index.ts"
import { keyedDevice } from "../arbitrary.ts"

const read = async (text: string) => {
  const items = []
  for await (const item of readDeviceCsv(text)) items.push(item)
  return items
}

const devicesOf = async (text: string): Promise<ReadonlyArray<KeyedDevice>> =>
  (await read(text)).flatMap((item) => (item.kind === "device" ? [item.device] : []))

// The columns as Microsoft lists them for the two export reports.
const documented: Record<PortalReport, ReadonlyArray<string>> = {
  EAWFADeviceList: [
    "AutoPilotProfileAssigned",
    "AutoPilotRegistered",
    "CompliancePolicySetToIntune",
    "DeviceId",
    "DeviceName",
    "DeviceScopeIds",
    "GraphDeviceIsManaged",
    "IsCloudManagedGatewayEnabled",
    "JoinType",
    "ManagedBy",
    "Manufacturer",
    "Model",
    "OSCheckFailed",
    "OSDescription",
    "OSVersion",
    "OtherWorkloadsSetToIntune",
    "Ownership",
    "PartnerFeaturesBitmask",
    "Processor64BitCheckFailed",
    "ProcessorCoreCountCheckFailed",
    "ProcessorFamilyCheckFailed",
    "ProcessorSpeedCheckFailed",
    "RamCheckFailed",
    "ReferenceId",
    "SecureBootCheckFailed",
    "SerialNumber",
    "StorageCheckFailed",
    "TenantAttached",
    "TPMCheckFailed",
    "UpgradeEligibility"
  ],
  EAWFAPerDevicePerformance: [
    "CloudIdentityScore",
    "CloudManagementScore",
    "CloudProvisioningScore",
    "DeviceId",
    "DeviceName",
    "DeviceScopeIds",
    "HealthStatus",
    "Manufacturer",
    "MemaTimeGenerated",
    "Model",
    "PartnerFeaturesBitmask",
    "RowCountInSnapshot",
    "SchemaVersion",
    "TargetSnapshotId",
    "WindowsScore",
    "WorkFromAnywhereScore"
  ]
}

const reports = ["EAWFADeviceList", "EAWFAPerDevicePerformance"] as const

/** What a report keeps of a device, as its reader gives it. */
const kept = (device: Device, report: PortalReport): Device =>
  Object.fromEntries(
    propertyNames
      .filter((name) => name !== "deviceId" && documented[report].includes(portalColumn(name)))
      .filter((name) => (device[name] ?? null) !== null)
      .map((name) => [name, Object.is(device[name], -0) ? 0 : device[name]])
  )

describe("the portal's reports", () => {
  it.each(reports)("%s has every column that Microsoft lists, and no other", async (report) => {
    const [columns] = await read(`${documented[report].join(",")}\n`)
    expect(columns).toMatchObject({ kind: "columns", form: report, issues: [] })
    const written = portalCsvWriter(report).header.trimEnd().split(",")
    const withoutProperty = ["DeviceScopeIds", "MemaTimeGenerated", "PartnerFeaturesBitmask", "RowCountInSnapshot"]
    expect(written.toSorted()).toEqual(
      documented[report]
        .filter((name) => ![...withoutProperty, "SchemaVersion", "TargetSnapshotId"].includes(name))
        .toSorted()
    )
  })

  it("give a device's facts, with the portal's names and enum numbers", async () => {
    const text = [
      "DeviceId,DeviceName,JoinType,ReferenceId,GraphDeviceIsManaged,UpgradeEligibility,TPMCheckFailed,PartnerFeaturesBitmask",
      "d1,PC-1,azureADJoined,e1,True,0,False,17",
      "d2,PC-2,,,False,3,,17",
      ""
    ].join("\r\n")
    expect(await devicesOf(text)).toEqual([
      {
        id: "d1",
        deviceName: "PC-1",
        azureAdJoinType: "azureADJoined",
        azureAdDeviceId: "e1",
        azureAdRegistered: true,
        upgradeEligibility: "upgraded",
        tpmCheckFailed: false
      },
      { id: "d2", deviceName: "PC-2", azureAdRegistered: false, upgradeEligibility: "capable" }
    ])
  })

  it("give a device's scores, and keep which way it says that there is none", async () => {
    const text =
      "DeviceId,WindowsScore,CloudIdentityScore,CloudProvisioningScore,HealthStatus\nd1,93.75,-1,-2,3\nd2,,,,1\n"
    expect(await devicesOf(text)).toEqual([
      {
        id: "d1",
        windowsScore: 93.75,
        cloudIdentityScore: -1,
        cloudProvisioningScore: -2,
        healthStatus: "meetingGoals"
      },
      { id: "d2", healthStatus: "insufficientData" }
    ])
  })

  it("may carry values in words beside the numbers, which are passed over", async () => {
    const [columns, device] = await read("DeviceId,UpgradeEligibility,UpgradeEligibility_loc\nd1,2,Not capable\n")
    expect(columns).toMatchObject({ columns: ["id", "upgradeEligibility"], issues: [] })
    expect(device).toMatchObject({ device: { id: "d1", upgradeEligibility: "notCapable" } })
  })

  it("are read back as they were written, without what they have no column for and what was null", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...reports), keyedDevice, async (report, device) => {
        const writer = portalCsvWriter(report)
        expect(await devicesOf(writer.header + writer.row(device))).toEqual([kept(device, report)])
      })
    )
  })

  it("print enums as numbers, and by name only where there is no number", () => {
    const writer = portalCsvWriter("EAWFAPerDevicePerformance")
    const healthOf = (healthStatus: string): string | undefined =>
      writer
        .row({ id: "d1", healthStatus } as Device)
        .trimEnd()
        .split(",")
        .at(-1)
    const members = Object.entries(enumOf("healthState") ?? {})
    expect(members.map(([name]) => healthOf(name))).toEqual(members.map(([, number]) => String(number)))
    expect(healthOf("addedLater")).toBe("addedLater")
  })
})
