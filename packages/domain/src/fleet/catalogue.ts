import type { ReadinessCheck } from "../windows/readiness.ts"

/** Repeats each choice as often as its weight says, so that picking one is picking an index. */
const weighted = <A>(...choices: ReadonlyArray<readonly [weight: number, choice: A]>): ReadonlyArray<A> =>
  choices.flatMap(([weight, choice]) => Array.from({ length: weight }, () => choice))

/** An invented model. */
export interface Model {
  readonly manufacturer: string
  readonly name: string
  /** First year of sale. */
  readonly year: number
  /** The checks that every device of the model fails, whatever its settings. */
  readonly fails: ReadonlyArray<ReadinessCheck>
}

const model = (manufacturer: string, name: string, year: number, ...fails: ReadonlyArray<ReadinessCheck>): Model => ({
  manufacturer,
  name,
  year,
  fails
})

const ready = weighted(
  [9, model("Contoso", "Wayfarer 14 G3", 2022)],
  [7, model("Contoso", "Wayfarer 14 G4", 2024)],
  [5, model("Contoso", "Deskmate 700", 2020)],
  [8, model("Fabrikam", "Slate Pro 8", 2021)],
  [5, model("Fabrikam", "Slate Pro 9", 2023)],
  [4, model("Fabrikam", "Tower E5", 2019)],
  [6, model("Northwind", "Meridian X1", 2023)],
  [3, model("Northwind", "Meridian X0", 2018)],
  [4, model("Adventure Works", "Ridge 15", 2025)],
  [3, model("Tailspin", "Cirrus Air", 2019)]
)

const small = weighted(
  [4, model("Proseware", "Kiosk Mini", 2019, "storageCheckFailed")],
  [3, model("Litware", "Classroom 11", 2020, "storageCheckFailed")],
  [2, model("Litware", "Classroom 10", 2018, "ramCheckFailed", "storageCheckFailed")]
)

const dated = weighted(
  [6, model("Contoso", "Deskmate 400", 2016, "processorFamilyCheckFailed")],
  [5, model("Contoso", "Wayfarer 13", 2015, "processorFamilyCheckFailed")],
  [5, model("Fabrikam", "Slate Pro 4", 2016, "processorFamilyCheckFailed")],
  [3, model("Northwind", "Pilot 2", 2014, "processorFamilyCheckFailed", "ramCheckFailed")],
  [2, model("Tailspin", "Nimbus Stick", 2015, "processorCoreCountCheckFailed", "processorSpeedCheckFailed")],
  [1, model("Proseware", "Ledger 32", 2013, "processorFamilyCheckFailed", "processor64BitCheckFailed")]
)

/** Which models devices of a verdict are: first a group is picked, then a model of it. */
export const models = {
  upgraded: [ready],
  capable: [ready],
  notCapable: weighted([5, dated], [2, small], [3, ready]),
  unknown: weighted([6, ready], [1, small], [3, dated])
}

/**
 * The checks of which one is null on a device without a verdict. They are listed, since one is drawn by its place: a
 * check that joins the table leaves every device of a seed as it was, and is itself false, or null where all are.
 */
export const oftenUnknownChecks = [
  "ramCheckFailed",
  "storageCheckFailed",
  "processorCoreCountCheckFailed",
  "processorSpeedCheckFailed",
  "tpmCheckFailed",
  "secureBootCheckFailed",
  "processorFamilyCheckFailed",
  "processor64BitCheckFailed",
  "osCheckFailed"
] as const satisfies ReadonlyArray<ReadinessCheck>

/**
 * Builds of Windows 11, and of Windows 10 that it can be installed over: version 2004 or later (Microsoft: "Windows 11
 * requirements").
 */
export const builds = {
  windows11OnNewer: weighted([2, 22631], [9, 26100], [9, 26200]),
  windows11OnOlder: weighted([2, 22000], [3, 22621], [7, 22631], [8, 26100]),
  windows10: weighted([16, 19045], [3, 19044], [1, 19041]),
  staleWindows10: weighted([3, 17763], [2, 18363], [1, 14393])
}

/** Builds of which the Enterprise edition got updates on 2026-06-01, the day that the fleet's scores are from. */
export const supportedBuilds: ReadonlySet<number> = new Set([22631, 26100, 26200])

/** A way to manage devices, with what usually comes with it; the numbers are chances in percent. */
export interface Management {
  readonly managedBy: string
  readonly joinTypes: ReadonlyArray<string>
  readonly tenantAttached: number
  readonly gateway: number
  readonly compliance: number
  readonly otherWorkloads: number
  readonly autopilot: number
}

const intune: Management = {
  managedBy: "mdm",
  joinTypes: weighted([19, "azureADJoined"], [1, "azureADRegistered"]),
  tenantAttached: 0,
  gateway: 0,
  compliance: 100,
  otherWorkloads: 100,
  autopilot: 85
}

const coManaged: Management = {
  managedBy: "configurationManagerClientMdm",
  joinTypes: weighted([4, "hybridAzureADJoined"], [1, "azureADJoined"]),
  tenantAttached: 60,
  gateway: 55,
  compliance: 75,
  otherWorkloads: 50,
  autopilot: 25
}

const tenantAttached: Management = {
  managedBy: "configurationManagerClient",
  joinTypes: ["hybridAzureADJoined"],
  tenantAttached: 100,
  gateway: 35,
  compliance: 0,
  otherWorkloads: 0,
  autopilot: 3
}

const onPremises: Management = {
  ...tenantAttached,
  joinTypes: ["unknown"],
  tenantAttached: 0,
  gateway: 0,
  autopilot: 0
}

/** How devices are managed; old ones mostly came from Configuration Manager. */
export const managements = {
  ofNewer: weighted([14, intune], [5, coManaged], [1, tenantAttached]),
  ofOlder: weighted([5, intune], [9, coManaged], [4, tenantAttached], [2, onPremises])
}
