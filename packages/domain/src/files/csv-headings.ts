import type { Device } from "../device/device.ts"
import { memberNumber } from "../device/evolvable-enum.ts"
import { type Issue, unwritableIssue, valueIssue } from "../device/issue.ts"
import { isOfKind, kindRules } from "../device/property-kind.ts"
import { type PropertyName, enumOf, isNullable, properties, property } from "../device/property.ts"
import { unescaped } from "./csv-text.ts"

/**
 * The reports that Intune's portal exports: `EAWFADeviceList` has the facts, `EAWFAPerDevicePerformance` the scores and
 * the health (Microsoft: "Intune reports and properties available using Graph API").
 */
export type PortalReport = "EAWFADeviceList" | "EAWFAPerDevicePerformance"

/** What a CSV file's columns are named after: Graph's properties, or one of the portal's reports. */
export type CsvForm = "graph" | PortalReport

/**
 * The properties that each report has a column for, as Microsoft lists its columns ("Intune reports and properties
 * available using Graph API"). A property that joins the device joins a report only when it stands here too.
 */
export const portalProperties: Readonly<Record<PortalReport, ReadonlyArray<PropertyName>>> = {
  EAWFADeviceList: [
    "id",
    "deviceName",
    "serialNumber",
    "manufacturer",
    "model",
    "ownership",
    "managedBy",
    "autoPilotRegistered",
    "autoPilotProfileAssigned",
    "azureAdRegistered",
    "azureAdDeviceId",
    "azureAdJoinType",
    "osDescription",
    "osVersion",
    "tenantAttached",
    "compliancePolicySetToIntune",
    "otherWorkloadsSetToIntune",
    "isCloudManagedGatewayEnabled",
    "upgradeEligibility",
    "ramCheckFailed",
    "storageCheckFailed",
    "processorCoreCountCheckFailed",
    "processorSpeedCheckFailed",
    "tpmCheckFailed",
    "secureBootCheckFailed",
    "processorFamilyCheckFailed",
    "processor64BitCheckFailed",
    "osCheckFailed"
  ],
  EAWFAPerDevicePerformance: [
    "id",
    "deviceName",
    "manufacturer",
    "model",
    "workFromAnywhereScore",
    "windowsScore",
    "cloudManagementScore",
    "cloudIdentityScore",
    "cloudProvisioningScore",
    "healthStatus"
  ]
}

/**
 * Columns whose name in the reports is not the property's in PascalCase. The reports have no other key than the Intune
 * device id, which the record's `id` equals in practice (the mappings of `azureAdRegistered` and `azureAdDeviceId` are
 * inferred).
 */
const renamed: { readonly [Name in PropertyName]?: string } = {
  id: "DeviceId",
  azureAdRegistered: "GraphDeviceIsManaged",
  azureAdDeviceId: "ReferenceId",
  azureAdJoinType: "JoinType",
  osDescription: "OSDescription",
  osVersion: "OSVersion",
  osCheckFailed: "OSCheckFailed",
  tpmCheckFailed: "TPMCheckFailed"
}

/** Columns of the reports that are no property of the device. */
const portalOnly: ReadonlySet<string> = new Set(
  [
    "DeviceScopeIds",
    "MemaTimeGenerated",
    "PartnerFeaturesBitmask",
    "RowCountInSnapshot",
    "SchemaVersion",
    "TargetSnapshotId"
  ].map((name) => name.toLowerCase())
)

/** What a property's column is named in the portal's reports. */
export const portalColumn = (name: PropertyName): string =>
  renamed[name] ?? name.charAt(0).toUpperCase() + name.slice(1)

const graphNames = new Map<string, PropertyName>(properties.map(({ name }) => [name.toLowerCase(), name]))
const portalNames = new Map(
  Object.values(portalProperties).flatMap((names) =>
    names.map((name): [string, PropertyName] => [portalColumn(name).toLowerCase(), name])
  )
)

/** What a heading stands for; `"ignored"` for what the portal adds, `undefined` for what nobody knows. */
const meaningOf = (heading: string, hasId: boolean): PropertyName | "ignored" | undefined => {
  const name = heading.trim().toLowerCase()
  // With an `id` column, `DeviceId` is Graph's property of that name; without one it is the portal's key.
  const known = hasId
    ? (graphNames.get(name) ?? portalNames.get(name))
    : (portalNames.get(name) ?? graphNames.get(name))
  if (known !== undefined) return known
  // An export job adds `…_loc` columns with values in words, unless it is told not to.
  return portalOnly.has(name) || portalNames.has(name.replace(/_loc$/, "")) ? "ignored" : undefined
}

/** What the headings of a file stand for. */
export interface Headings {
  readonly form: CsvForm
  /** The property for each column; `undefined` for a column that is left out. */
  readonly columns: ReadonlyArray<PropertyName | undefined>
  /** Headings that mean nothing to us, and those that stand there twice. */
  readonly unknown: ReadonlyArray<string>
  readonly repeated: ReadonlyArray<PropertyName>
}

/** Reads headings: Graph's names or the portal's, upper or lower case. */
export const readHeadings = (headings: ReadonlyArray<string>): Headings => {
  const hasId = headings.some((heading) => heading.trim().toLowerCase() === "id")
  const unknown: Array<string> = []
  const repeated: Array<PropertyName> = []
  const columns: Array<PropertyName | undefined> = []
  for (const heading of headings) {
    const meaning = meaningOf(heading, hasId)
    if (meaning === undefined && heading.trim() !== "") unknown.push(heading)
    const name = meaning === "ignored" ? undefined : meaning
    const again = name !== undefined && columns.includes(name)
    if (again) repeated.push(name)
    columns.push(again ? undefined : name)
  }
  const hasScores = columns.some((name) => name !== undefined && property(name)?.group === "scores")
  return {
    form: hasId ? "graph" : hasScores ? "EAWFAPerDevicePerformance" : "EAWFADeviceList",
    columns,
    unknown,
    repeated
  }
}

const delimiters = [",", ";", "\t"]

/** The delimiter of a header: the one that makes the most of its names known. */
export const delimiterOf = (header: string): string => {
  const known = (delimiter: string): number =>
    header.split(delimiter).filter((cell) => meaningOf(cell.replaceAll('"', ""), true) !== undefined).length
  return delimiters.reduce((best, delimiter) => (known(delimiter) > known(best) ? delimiter : best))
}

/** What an empty cell means: nothing said about the property, or null where it may be null. */
export type EmptyCell = "absent" | "null"

/** A key whose spaces at its ends are part of it; in a file of anybody else's they are not. */
const hasSpacesAround = /^'*\s|\s$/

/** A key as a cell that {@link keyIn} reads as the same key. */
export const keyCell = (key: string): string => (hasSpacesAround.test(key) ? `'${key}` : key)

const keyIn = (cell: string): string =>
  cell.startsWith("'") && hasSpacesAround.test(cell) ? cell.slice(1) : cell.trim()

const inColumn = (at: number, issue: Issue): Issue => ({ ...issue, message: `column ${at + 1}, ${issue.message}` })

/** The properties that a row's cells stand for, what is wrong with those that do not fit, and what may not be sent. */
export const readCells = (
  columns: Headings["columns"],
  cells: ReadonlyArray<string>,
  empty: EmptyCell
): { readonly device: Device; readonly issues: ReadonlyArray<Issue>; readonly unwritable: ReadonlyArray<Issue> } => {
  const device: Record<string, unknown> = {}
  const issues: Array<Issue> = []
  const unwritable: Array<Issue> = []
  for (const [at, name] of columns.entries()) {
    const of = name === undefined ? undefined : property(name)
    if (of === undefined) continue
    const cell = cells[at] ?? ""
    if (cell === "" || (of.name === "id" && cell.trim() === "")) {
      if (of.name === "id") issues.push(inColumn(at, valueIssue(of, null)))
      else if (empty === "null" && isNullable(of)) device[of.name] = null
      continue
    }
    const text = unescaped(cell)
    const value = kindRules[of.kind].fromText(of.name === "id" ? keyIn(text) : text)
    if (!isOfKind(of.kind, value)) {
      issues.push(inColumn(at, valueIssue(of, value)))
      continue
    }
    device[of.name] = value
    const issue = unwritableIssue(of, value)
    if (issue !== undefined) unwritable.push(inColumn(at, issue))
  }
  return { device, issues, unwritable }
}

/** What a report of the portal prints for a property: an enum's number; a member without one by its name. */
export const portalValue = (device: Device, name: PropertyName): unknown => {
  const value = device[name]
  const of = property(name)
  const members = of && enumOf(of.kind)
  return typeof value === "string" && members !== undefined ? (memberNumber(members, value) ?? value) : value
}
