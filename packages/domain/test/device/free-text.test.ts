import * as fc from "fast-check"
import { expect, it } from "vitest"
import { entraJoin, managementAgent } from "../../src/index.ts"

it.each([
  ["mdm", "intune"],
  ["MDM", "intune"],
  ["Intune", "intune"],
  ["Microsoft Intune", "intune"],
  ["intuneClient", "intune"],
  ["easIntuneClient", "intune"],
  ["configurationManagerClientMdm", "coManaged"],
  ["Co-managed", "coManaged"],
  ["co managed", "coManaged"],
  ["Configuration Manager (tenant attach)", "tenantAttached"],
  ["configurationManagerClient", "configurationManager"],
  ["ConfigurationManager", "configurationManager"],
  ["unknown", undefined],
  ["jamf", undefined],
  ["Managed By value", undefined],
  ["", undefined],
  [null, undefined],
  [undefined, undefined],
  ["__proto__", undefined],
  ["constructor", undefined]
] as const)("managedBy %j is read as %s", (text, agent) => {
  expect(managementAgent(text)).toBe(agent)
})

it.each([
  ["azureADJoined", "joined"],
  ["AzureAdJoined", "joined"],
  ["Microsoft Entra joined", "joined"],
  ["hybridAzureADJoined", "hybridJoined"],
  ["Microsoft Entra hybrid joined", "hybridJoined"],
  ["azureADRegistered", "registered"],
  ["Microsoft Entra registered", "registered"],
  ["unknown", undefined],
  ["", undefined],
  [null, undefined],
  [undefined, undefined],
  ["toString", undefined]
] as const)("azureAdJoinType %j is read as %s", (text, join) => {
  expect(entraJoin(text)).toBe(join)
})

it("case, blanks and punctuation never matter", () => {
  const mark = fc.constantFrom("", " ", "-", "_")
  fc.assert(
    fc.property(
      fc.constantFrom("configurationManagerClientMdm", "hybridAzureADJoined", "mdm"),
      mark,
      (text, between) => {
        const shouted = text.toUpperCase().split("").join(between)
        expect([managementAgent(shouted), entraJoin(shouted)]).toEqual([managementAgent(text), entraJoin(text)])
      }
    )
  )
})
