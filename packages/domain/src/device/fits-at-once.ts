import type { EvolvableEnum } from "./evolvable-enum.ts"
import { type Property, enumOf, isNullable, properties } from "./property.ts"
import { isWritableScore } from "./score.ts"

/** NUL and half a surrogate pair are valid in JSON, but neither UTF-8 nor PostgreSQL can hold them. */
export const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes("\0")

/** What a value other than null has to be. */
interface Rule {
  readonly type: "string" | "boolean" | "number"
  readonly holds?: (value: unknown) => boolean
}

const truth: Rule = { type: "boolean" }

/** The rules for reading. */
export const looseRule = ({ kind }: Property): Rule => {
  if (kind === "boolean") return truth
  return kind === "score" ? { type: "number", holds: Number.isFinite } : { type: "string" }
}

/** The rules for writing; the members that an enum may be set to differ. */
export const strictRule =
  (membersOf: (of: EvolvableEnum) => ReadonlyArray<string>) =>
  ({ kind }: Property): Rule => {
    const of = enumOf(kind)
    const members: ReadonlySet<unknown> = new Set(of && membersOf(of))
    if (of !== undefined) return { type: "string", holds: (value) => members.has(value) }
    if (kind === "boolean") return truth
    return kind === "score"
      ? { type: "number", holds: (value) => isWritableScore(value as number) }
      : { type: "string", holds: (value) => isStorable(value as string) }
  }

/**
 * Whether everything in a body fits, by the rules of the schemas. It only says yes where zod would, in a third of the
 * time; what it does not say yes to, zod decides and explains. With a type it is strict: other names than those of
 * properties and that `@odata.type` do not fit, and a property besides `id` has to be there.
 */
export const fitsAtOnce = (ruleOf: (row: Property) => Rule, strictType?: string): ((body: unknown) => boolean) => {
  const rules = new Map(properties.map((row) => [row.name as string, { ...ruleOf(row), isNullable: isNullable(row) }]))
  type NullableRule = Rule & { readonly isNullable: boolean }
  // Bodies of one source have the same names in the same order: comparing is cheaper than looking up.
  const names: Array<string> = []
  const rulesInOrder: Array<NullableRule | undefined> = []
  return (body) => {
    if (typeof body !== "object" || body === null || Array.isArray(body)) return false
    let namesAny = strictType === undefined
    let at = 0
    for (const name in body) {
      if (names[at] !== name) {
        names[at] = name
        rulesInOrder[at] = rules.get(name)
      }
      const rule = rulesInOrder[at++]
      const value: unknown = body[name as keyof typeof body]
      if (rule === undefined) {
        if (strictType !== undefined && !(name === "@odata.type" && value === strictType)) return false
        continue
      }
      if (value === null ? !rule.isNullable : typeof value !== rule.type) return false
      if (value !== null && rule.holds !== undefined && !rule.holds(value)) return false
      if (name !== "id") namesAny = true
    }
    return namesAny
  }
}
