import {
  type Device,
  type PropertyName,
  type WholeDevice,
  deviceODataType,
  enumOf,
  knownMember,
  properties
} from "@workanywhere/domain"
import type { Accepted } from "./content-type.ts"
import { hasUnknownMember } from "./device-json.ts"
import { enumTypeName } from "./device-property.ts"

const enumRows = properties.flatMap(({ name, kind }) => {
  const of = enumOf(kind)
  return of === undefined ? [] : [{ name, of, type: `#${enumTypeName(kind)}` }]
})

/** A device whose enums show no member that came after the sentinel (docs/fidelity.md, F33). */
const masked = (device: WholeDevice): WholeDevice => {
  if (!hasUnknownMember(device)) return device
  const members = enumRows.map(({ name, of }) => [name, knownMember(of, String(device[name]))])
  return { ...device, ...Object.fromEntries(members) }
}

/** How devices are written for one request. */
export interface Writing extends Accepted {
  /** Whether members of enums that came after the sentinel are shown. */
  readonly unknownMembers: boolean
  /** The properties that were asked for; all, when `undefined`. */
  readonly selected: ReadonlyArray<PropertyName> | undefined
  /** Address of the devices, to which a key is added. */
  readonly address: () => string
}

/** Whether devices are written as the store has them, if they have no members that are to be hidden. */
export const isAsStored = ({ level, selected }: Writing): boolean => level !== "full" && selected === undefined

/** What a device says about itself at the level `full`. */
const annotations = ({ selected, address }: Writing, { id }: WholeDevice): Readonly<Record<string, string>> => {
  const itself = `${address()}('${encodeURIComponent(id.replaceAll("'", "''"))}')`
  const enums = enumRows.filter(({ name }) => selected === undefined || selected.includes(name))
  return {
    "@odata.type": deviceODataType,
    "@odata.id": itself,
    "@odata.editLink": itself,
    ...Object.fromEntries(enums.map(({ name, type }) => [`${name}@odata.type`, type]))
  }
}

/** A device as it stands in a body. */
export const writtenDevice = (writing: Writing, device: WholeDevice): Device => {
  const shown = writing.unknownMembers ? device : masked(device)
  const values =
    writing.selected === undefined ? shown : Object.fromEntries(writing.selected.map((name) => [name, shown[name]]))
  return writing.level === "full" ? { ...annotations(writing, device), ...values } : values
}
