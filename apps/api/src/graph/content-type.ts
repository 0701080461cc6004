import { parseAccept } from "hono/utils/accept"

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
