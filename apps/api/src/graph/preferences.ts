/** What a caller prefers, by name in lower case and without `odata.`; an empty text where it is without a value. */
export type Preferences = ReadonlyMap<string, string>

const none: Preferences = new Map()

// Up to a comma that is not in quotes.
const items = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g
const nameAndValue = /^\s*(?:odata\.)?([^\s=;"]+)(?:\s*=\s*"?([^\s;"]*))?/i

/** Reads `Prefer` (RFC 7240): several in one header; the first of a name counts; what is not understood is ignored. */
export const preferencesOf = (header: string | undefined): Preferences => {
  if (header === undefined) return none
  const preferences = new Map<string, string>()
  for (const [item] of header.matchAll(items)) {
    const [, name, value = ""] = nameAndValue.exec(item) ?? []
    if (name !== undefined && !preferences.has(name.toLowerCase())) preferences.set(name.toLowerCase(), value)
  }
  return preferences
}

export const includeUnknownMembers = "include-unknown-enum-members"
