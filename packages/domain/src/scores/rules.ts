import type { Device } from "../device/device.ts"
import { entraJoin, managementAgent, noEntraDeviceId } from "../device/free-text.ts"
import { type SupportQuestion, type WindowsSupport, windowsSupport } from "../windows/support.ts"

/** What gave or withheld credit: a code, the facts of the record, and one sentence. */
export interface ScoreReason {
  readonly code: string
  readonly facts: Device
  readonly sentence: string
}

/** What a rule finds: 0 to 100, or no score when the record does not hold the facts. */
export interface Finding {
  readonly score: number | undefined
  readonly reasons: ReadonlyArray<ScoreReason>
}

/** Estimates one sub-score of a device. */
export type ScoreRule = (device: Device, question: SupportQuestion) => Finding

const wording = { credit: 100, "no credit": 0, unknown: undefined } as const

const finding = (outcome: keyof typeof wording, code: string, facts: Device, what: string): Finding => ({
  score: wording[outcome],
  reasons: [{ code, facts, sentence: `${what}: ${outcome}` }]
})

const windowsOutcome: Record<WindowsSupport["status"], readonly [keyof typeof wording, code: string, state: string]> = {
  supported: ["credit", "supportedWindows", "supported"],
  unsupported: ["no credit", "unsupportedWindows", "not supported"],
  dependsOnEdition: ["unknown", "dependsOnEdition", "the edition decides"],
  unknown: ["unknown", "unknownWindows", ""]
}

/**
 * Credit for a Windows that gets updates on the day. Source: Microsoft, "Work from anywhere report in Endpoint
 * analytics" (share of devices on supported versions).
 */
export const windowsRule: ScoreRule = ({ osVersion }, question) => {
  const { status, reason } = windowsSupport(osVersion, question)
  const [outcome, code, state] = windowsOutcome[status]
  return finding(
    outcome,
    code,
    { osVersion: osVersion ?? null },
    state ? `${reason}; ${state} on ${question.asOf}` : reason
  )
}

/**
 * Credit for a device that is attached to the Microsoft 365 cloud: managed by Intune, co-managed (which a workload set
 * to Intune shows as well), or tenant attached. A cloud management gateway alone gives none. Source: Microsoft, "Work
 * from anywhere report in Endpoint analytics" (share of PCs attached to the cloud); which facts count is inferred from
 * its recommended actions.
 */
export const cloudManagementRule: ScoreRule = (device) => {
  const { managedBy = null, tenantAttached = null } = device
  const { compliancePolicySetToIntune = null, otherWorkloadsSetToIntune = null } = device
  const agent = managementAgent(managedBy)
  if (agent === "intune") return finding("credit", "managedByIntune", { managedBy }, "Managed by Intune")
  if (agent === "coManaged") return finding("credit", "coManaged", { managedBy }, "Co-managed")
  if (agent === "tenantAttached" || tenantAttached === true) {
    return finding("credit", "tenantAttached", { managedBy, tenantAttached }, "Tenant attached")
  }
  if (compliancePolicySetToIntune === true || otherWorkloadsSetToIntune === true) {
    const facts = { compliancePolicySetToIntune, otherWorkloadsSetToIntune }
    return finding("credit", "workloadsSetToIntune", facts, "Co-management workloads set to Intune")
  }
  const facts = { managedBy, tenantAttached }
  if (agent === undefined) {
    return finding(
      "unknown",
      "unknownAgent",
      facts,
      "No management agent that is known, and no tenant attach, recorded"
    )
  }
  return tenantAttached === null
    ? finding("unknown", "unknownTenantAttach", facts, "Managed by Configuration Manager, tenant attach not recorded")
    : finding("no credit", "notAttached", facts, "Managed by Configuration Manager, not tenant attached")
}

/**
 * Credit for a device that is joined to Microsoft Entra ID, hybrid or not; one that Intune manages or co-manages counts
 * as enrolled already. A device that is only registered gets none. Source: Microsoft, "Work from anywhere report in
 * Endpoint analytics".
 */
export const cloudIdentityRule: ScoreRule = (device) => {
  const { azureAdJoinType = null, azureAdRegistered = null, azureAdDeviceId = null, managedBy = null } = device
  const join = entraJoin(azureAdJoinType)
  const agent = managementAgent(managedBy)
  if (join === "joined") return finding("credit", "entraJoined", { azureAdJoinType }, "Entra joined")
  if (join === "hybridJoined") return finding("credit", "hybridJoined", { azureAdJoinType }, "Entra hybrid joined")
  if (agent === "intune" || agent === "coManaged") {
    return finding("credit", "enrolled", { managedBy }, "Managed by Intune or co-managed, which counts as enrolled")
  }
  if (join === "registered") {
    return finding("no credit", "onlyRegistered", { azureAdJoinType }, "Only registered with Entra, not joined")
  }
  const facts = { azureAdJoinType, azureAdRegistered, azureAdDeviceId }
  return azureAdRegistered === false || azureAdDeviceId === noEntraDeviceId
    ? finding("no credit", "noCloudIdentity", facts, "No device in Entra ID")
    : finding("unknown", "unknownJoin", facts, "Join type not recorded, or none that is known")
}

/**
 * Credit for a device that is registered with Autopilot and has a deployment profile assigned. Two things that count
 * for Microsoft cannot be told from a record: a Windows 365 Cloud PC has credit without either, and the default profile
 * gives none. Source: Microsoft, "Work from anywhere report in Endpoint analytics".
 */
export const cloudProvisioningRule: ScoreRule = (device) => {
  const { autoPilotRegistered = null, autoPilotProfileAssigned = null } = device
  const facts = { autoPilotRegistered, autoPilotProfileAssigned }
  if (autoPilotRegistered === false)
    return finding("no credit", "notRegistered", facts, "Not registered with Autopilot")
  if (autoPilotProfileAssigned === false) {
    const registered = autoPilotRegistered ? "Autopilot registered" : "Autopilot registration not recorded"
    return finding("no credit", "noProfile", facts, `${registered}, no profile assigned`)
  }
  if (autoPilotRegistered === null) {
    return finding("unknown", "unknownRegistration", facts, "Autopilot registration not recorded")
  }
  return autoPilotProfileAssigned === null
    ? finding("unknown", "unknownProfile", facts, "Autopilot registered, profile not recorded")
    : finding("credit", "profileAssigned", facts, "Autopilot registered, profile assigned")
}
