/** Letters only, in lower case: the values are open strings, and the portal words them differently. */
const fold = (text: string): string => text.toLowerCase().replace(/[^a-z]/g, "")

/** What manages a device, as far as `managedBy` says. */
export type ManagementAgent = "intune" | "coManaged" | "tenantAttached" | "configurationManager"

const agents: ReadonlyMap<string, ManagementAgent> = new Map([
  ["mdm", "intune"],
  ["easmdm", "intune"],
  ["intuneclient", "intune"],
  ["easintuneclient", "intune"],
  ["intune", "intune"],
  ["microsoftintune", "intune"],
  ["configurationmanagerclientmdm", "coManaged"],
  ["configurationmanagerclientmdmeas", "coManaged"],
  ["comanaged", "coManaged"],
  ["configurationmanagertenantattach", "tenantAttached"],
  ["tenantattach", "tenantAttached"],
  ["tenantattached", "tenantAttached"],
  ["configurationmanagerclient", "configurationManager"],
  ["configurationmanager", "configurationManager"]
])

/**
 * The agent that `managedBy` names, in Graph's or the portal's words and any case; `undefined` for null, and for a text
 * that is neither. No value was seen on the wire: the list is inferred.
 */
export const managementAgent = (managedBy: string | null | undefined): ManagementAgent | undefined =>
  agents.get(fold(managedBy ?? ""))

/** How a device stands to Microsoft Entra ID, as far as `azureAdJoinType` says. */
export type EntraJoin = "joined" | "hybridJoined" | "registered"

const joins: ReadonlyMap<string, EntraJoin> = new Map([
  ["azureadjoined", "joined"],
  ["entrajoined", "joined"],
  ["microsoftentrajoined", "joined"],
  ["hybridazureadjoined", "hybridJoined"],
  ["entrahybridjoined", "hybridJoined"],
  ["microsoftentrahybridjoined", "hybridJoined"],
  ["azureadregistered", "registered"],
  ["entraregistered", "registered"],
  ["microsoftentraregistered", "registered"]
])

/** The join that `azureAdJoinType` names, as {@link managementAgent} reads its text; `undefined` when it names none. */
export const entraJoin = (azureAdJoinType: string | null | undefined): EntraJoin | undefined =>
  joins.get(fold(azureAdJoinType ?? ""))

/** The id that stands for "no device in Microsoft Entra ID", as public scripts know it. */
export const noEntraDeviceId = "00000000-0000-0000-0000-000000000000"

/** The first build that is Windows 11. */
const firstWindows11Build = 22000

/** Third part of `osVersion`, such as 26100 in `10.0.26100.2033`; `undefined` when the text is no Windows version. */
export const windowsBuild = (osVersion: string | null | undefined): number | undefined => {
  const build = /^\s*10\.0\.(\d{5,6})(?:\.\d+)?\s*$/.exec(osVersion ?? "")?.[1]
  return build === undefined ? undefined : Number(build)
}

/** Whether a version is Windows 11 (true) or 10 (false); `undefined` when it cannot be told. */
export const isWindows11 = (osVersion: string | null | undefined): boolean | undefined => {
  const build = windowsBuild(osVersion)
  return build === undefined ? undefined : build >= firstWindows11Build
}
