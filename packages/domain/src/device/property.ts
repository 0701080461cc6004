import type { EvolvableEnum } from "./evolvable-enum.ts"
import { type PropertyKind, type ValueOfKind, kindRules } from "./property-kind.ts"

/** The part of the record that a property belongs to, in the order in which the groups stand. */
export type PropertyGroup = "identity" | "autopilot" | "entra" | "windows" | "management" | "readiness" | "scores"

interface PropertyFacts {
  readonly name: string
  readonly kind: PropertyKind
  readonly group: PropertyGroup
  /** What a person reads in a table's heading. */
  readonly label: string
  /** One sentence. */
  readonly meaning: string
}

/**
 * The properties of `userExperienceAnalyticsWorkFromAnywhereDevice`, in the order of Microsoft's page
 * ("userExperienceAnalyticsWorkFromAnywhereDevice resource type"). It is the only place where a property is written
 * down: schemas, types, columns and headings derive from it.
 */
export const properties = [
  {
    name: "id",
    kind: "string",
    group: "identity",
    label: "Id",
    meaning: "Key of the record; in practice the Intune managed-device id."
  },
  {
    name: "deviceId",
    kind: "string",
    group: "identity",
    label: "Device id",
    meaning: "Intune device id; seen empty on the wire, where id holds it."
  },
  { name: "deviceName", kind: "string", group: "identity", label: "Device name", meaning: "Name of the device." },
  {
    name: "serialNumber",
    kind: "string",
    group: "identity",
    label: "Serial number",
    meaning: "Manufacturer's serial number."
  },
  { name: "manufacturer", kind: "string", group: "identity", label: "Manufacturer", meaning: "Who made the device." },
  { name: "model", kind: "string", group: "identity", label: "Model", meaning: "Manufacturer's model name." },
  {
    name: "ownership",
    kind: "string",
    group: "identity",
    label: "Ownership",
    meaning: "Who owns the device, as free text such as Corporate."
  },
  {
    name: "managedBy",
    kind: "string",
    group: "identity",
    label: "Managed by",
    meaning: "Management agent, as free text."
  },
  {
    name: "autoPilotRegistered",
    kind: "boolean",
    group: "autopilot",
    label: "Autopilot registered",
    meaning: "The device is registered with Windows Autopilot."
  },
  {
    name: "autoPilotProfileAssigned",
    kind: "boolean",
    group: "autopilot",
    label: "Autopilot profile",
    meaning: "An Autopilot deployment profile is assigned to the device."
  },
  {
    name: "azureAdRegistered",
    kind: "boolean",
    group: "entra",
    label: "Entra registered",
    meaning: "The device is registered with Microsoft Entra ID."
  },
  {
    name: "azureAdDeviceId",
    kind: "string",
    group: "entra",
    label: "Entra device id",
    meaning: "Device id in Microsoft Entra ID; all zeros means none."
  },
  {
    name: "azureAdJoinType",
    kind: "string",
    group: "entra",
    label: "Join type",
    meaning: "How the device is joined to Microsoft Entra ID, as free text."
  },
  { name: "osDescription", kind: "string", group: "windows", label: "OS", meaning: "Name of the operating system." },
  {
    name: "osVersion",
    kind: "string",
    group: "windows",
    label: "OS version",
    meaning: "Four-part version; the third part is the Windows build."
  },
  {
    name: "tenantAttached",
    kind: "boolean",
    group: "management",
    label: "Tenant attached",
    meaning: "Configuration Manager tenant attach is on for the device."
  },
  {
    name: "compliancePolicySetToIntune",
    kind: "boolean",
    group: "management",
    label: "Compliance by Intune",
    meaning: "The co-management workload for compliance policies is set to Intune."
  },
  {
    name: "otherWorkloadsSetToIntune",
    kind: "boolean",
    group: "management",
    label: "Other workloads by Intune",
    meaning: "The remaining co-management workloads are set to Intune."
  },
  {
    name: "isCloudManagedGatewayEnabled",
    kind: "boolean",
    group: "management",
    label: "Cloud gateway",
    meaning: "The cloud management gateway of Configuration Manager is enabled."
  },
  {
    name: "upgradeEligibility",
    kind: "upgradeEligibility",
    group: "readiness",
    label: "Upgrade eligibility",
    meaning: "Microsoft's verdict on whether the device can run the latest Windows."
  },
  {
    name: "ramCheckFailed",
    kind: "boolean",
    group: "readiness",
    label: "RAM check failed",
    meaning: "True when the device has too little memory for Windows 11."
  },
  {
    name: "storageCheckFailed",
    kind: "boolean",
    group: "readiness",
    label: "Storage check failed",
    meaning: "True when the system drive is too small for Windows 11."
  },
  {
    name: "processorCoreCountCheckFailed",
    kind: "boolean",
    group: "readiness",
    label: "Core count check failed",
    meaning: "True when the processor has too few cores for Windows 11."
  },
  {
    name: "processorSpeedCheckFailed",
    kind: "boolean",
    group: "readiness",
    label: "Processor speed check failed",
    meaning: "True when the processor is too slow for Windows 11."
  },
  {
    name: "tpmCheckFailed",
    kind: "boolean",
    group: "readiness",
    label: "TPM check failed",
    meaning: "True when no TPM 2.0 was found; it may be switched off."
  },
  {
    name: "secureBootCheckFailed",
    kind: "boolean",
    group: "readiness",
    label: "Secure Boot check failed",
    meaning: "True when the firmware does not support UEFI Secure Boot."
  },
  {
    name: "processorFamilyCheckFailed",
    kind: "boolean",
    group: "readiness",
    label: "Processor family check failed",
    meaning: "True when the processor is not of a family that Windows 11 supports."
  },
  {
    name: "processor64BitCheckFailed",
    kind: "boolean",
    group: "readiness",
    label: "64-bit check failed",
    meaning: "True when the processor is not 64-bit."
  },
  {
    name: "osCheckFailed",
    kind: "boolean",
    group: "readiness",
    label: "OS check failed",
    meaning: "True when the installed Windows is too old to upgrade from."
  },
  {
    name: "workFromAnywhereScore",
    kind: "score",
    group: "scores",
    label: "Work from anywhere score",
    meaning: "Overall score, 0 to 100; -1 when unavailable."
  },
  {
    name: "windowsScore",
    kind: "score",
    group: "scores",
    label: "Windows score",
    meaning: "Score for a supported Windows version, 0 to 100; -1 when unavailable."
  },
  {
    name: "cloudManagementScore",
    kind: "score",
    group: "scores",
    label: "Cloud management score",
    meaning: "Score for management from the cloud, 0 to 100; -1 when unavailable."
  },
  {
    name: "cloudIdentityScore",
    kind: "score",
    group: "scores",
    label: "Cloud identity score",
    meaning: "Score for a cloud identity, 0 to 100; -1 when unavailable."
  },
  {
    name: "cloudProvisioningScore",
    kind: "score",
    group: "scores",
    label: "Cloud provisioning score",
    meaning: "Score for provisioning from the cloud, 0 to 100; -1 when unavailable."
  },
  {
    name: "healthStatus",
    kind: "healthState",
    group: "scores",
    label: "Health",
    meaning: "How the device's scores stand."
  }
] as const satisfies ReadonlyArray<PropertyFacts>

type Row = (typeof properties)[number]

/** Name of a property, in Graph's spelling. */
export type PropertyName = Row["name"]

/** A row of the table: what is known about one property. */
export interface Property extends PropertyFacts {
  readonly name: PropertyName
}

/** Type of a property's values as they stand on the wire. */
export type PropertyValue<Name extends PropertyName> = Name extends "id"
  ? string
  : ValueOfKind[Extract<Row, { readonly name: Name }>["kind"]]

const byName: ReadonlyMap<string, Property> = new Map(properties.map((property) => [property.name, property]))

/** The row of the table for a name in Graph's spelling; `undefined` for any other text. */
export const property = (name: string): Property | undefined => byName.get(name)

/** Every name, in the documented order. */
export const propertyNames: ReadonlyArray<PropertyName> = properties.map(({ name }) => name)

/** The enum that a property's values come from; `undefined` for kinds that are not an enum. */
export const enumOf = (kind: PropertyKind): EvolvableEnum | undefined => kindRules[kind].members

/** Whether Graph allows null: everywhere but on the key and the enums, by its metadata. */
export const isNullable = ({ kind, name }: Property): boolean => name !== "id" && kindRules[kind].unrecorded === null
