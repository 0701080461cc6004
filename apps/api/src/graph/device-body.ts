import {
  type Device,
  type PropertyName,
  type WholeDevice,
  deviceODataType,
  enumOf,
  knownMember,
  properties
} from "@workanywhere/domain"
import { parseAccept } from "hono/utils/accept"
import { hasUnknownMember } from "./device-json.ts"
import { enumTypeName } from "./enum-types.ts"

/** How much a body says about itself besides the values. */
type MetadataLevel = "none" | "minimal" | "full"

/** What a caller accepts, as far as it changes a body. */
export interface Accepted {
  readonly level: MetadataLevel
  /** Whether 64-bit numbers, which is what a count is, are written as text. It leaves doubles as they are. */
  readonly ieee754Compatible: boolean
}

const standard: Accepted = { level: "minimal", ieee754Compatible: false }

const isJsonRange = (type: string): boolean => /^(?:application\/json|application\/\*|\*\/\*)$/i.test(type)

/** Reads `Accept`: the level of the JSON that the caller likes best, `minimal` where it says nothing about it. */
export const acceptedOf = (accept: string | undefined): Accepted => {
  // What most callers send, and it says nothing.
  if (accept === undefined || !accept.includes(";")) return standard
  const json = parseAccept(accept).find(({ type, q }) => q > 0 && isJsonRange(type))
  if (json === undefined) return standard
  const parameters = new Map(
    Object.entries(json.params).map(([name, value]) => [
      name.toLowerCase().replace(/^odata\./, ""),
      value.toLowerCase()
    ])
  )
  const level = parameters.get("metadata")
  return {
    level: level === "none" || level === "full" ? level : "minimal",
    ieee754Compatible: parameters.get("ieee754compatible") === "true"
  }
}

/** Whether a caller takes text: it says so, or says nothing. */
export const acceptsText = (accept: string | undefined): boolean =>
  accept === undefined ||
  accept.trim() === "" ||
  parseAccept(accept).some(({ type, q }) => q > 0 && /^(?:text\/plain|text\/\*|\*\/\*|\*)$/i.test(type))

/** The content type of a JSON body; it repeats what the caller got. */
export const jsonType = ({ level, ieee754Compatible }: Accepted): string =>
  `application/json;odata.metadata=${level};odata.streaming=true;IEEE754Compatible=${ieee754Compatible};charset=utf-8`

const enumRows = properties.flatMap(({ name, kind }) => {
  const of = enumOf(kind)
  return of === undefined ? [] : [{ name, of, type: `#${enumTypeName(kind)}` }]
})

/** A device whose enums show no member that came after the sentinel (reference 1.4). */
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
