import * as z from "zod"
import { unknownFutureValue } from "./evolvable-enum.ts"
import { fitsAtOnce } from "./fits-at-once.ts"
import {
  type Issue,
  emptyUpdateIssue,
  notAnObjectIssue,
  odataTypeIssue,
  unknownPropertyIssue,
  valueIssue
} from "./issue.ts"
import { type KindRule, type Limit, type Manner, kindRules, limitOf } from "./property-kind.ts"
import {
  type Property,
  type PropertyName,
  type PropertyValue,
  enumOf,
  isNullable,
  properties,
  property,
  propertyNames
} from "./property.ts"
import { typeNamePattern } from "./type-name.ts"

/** How Graph names the resource in `@odata.type`. */
export const deviceODataType = "#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereDevice"

type Properties = { readonly [Name in PropertyName]?: PropertyValue<Name> }

/**
 * A device as it is read: any property may be missing (`$select`, or a service that leaves it out), and `@odata.*`
 * annotations stay on the object. An enum holds Graph's text as it came, which may be a member that Graph added after
 * this package was written: pass it through `knownMember` before a `switch`. Mutually assignable with the type of
 * `@microsoft/microsoft-graph-types-beta`.
 */
export type Device = Properties

/** A device whose key is known, as every answer without `$select` gives it. */
export type KeyedDevice = Device & { readonly id: string }

/** A device with every property present: what Graph documents as the answer to an update. */
export type WholeDevice = { readonly [Name in PropertyName]: PropertyValue<Name> }

/**
 * What a caller may send with PATCH. Absent means unchanged, null clears, `unknownFutureValue` means unchanged. `id`
 * may be present, as in a body that was read before, and is ignored: a key never changes.
 */
export type DeviceUpdate = Properties & { readonly "@odata.type"?: typeof deviceODataType }

/** What a caller may send to create a device; like {@link DeviceUpdate}, but the sentinel is not a value. */
export type NewDevice = DeviceUpdate

const ofType: Record<KindRule["type"], z.ZodType> = { string: z.string(), boolean: z.boolean(), number: z.number() }

const limited = (value: z.ZodType, limit: Limit): z.ZodType =>
  "members" in limit ? z.enum(limit.members) : value.refine(limit.holds).meta(limit.jsonSchema)

const schemaOf = (row: Property, manner: Manner): z.ZodType => {
  const value = ofType[kindRules[row.kind].type]
  const limit = limitOf(row.kind, manner)
  const fitting = limit === undefined ? value : limited(value, limit)
  return isNullable(row) ? z.nullable(fitting) : fitting
}

/**
 * `exactOptional`, because a property that is there holds a value; it is also what keeps zod's compiled path about
 * 1.5 × as fast as `optional` for objects of this size.
 */
const shapeOf = (manner: Manner): Record<string, z.ZodType> =>
  Object.fromEntries(
    properties.map((row) => [
      row.name,
      z.exactOptional(schemaOf(row, manner)).meta({ title: row.label, description: row.meaning })
    ])
  )

/** The two spellings of the annotation that names a body's type: since OData 4.01 the prefix may be left out. */
const typeAnnotations = ["@odata.type", "@type"] as const

/** Annotations describe the body and are not properties: a service ignores those it does not use, whoever defined them. */
const isAnnotation = (name: string): boolean => name.includes("@") && !typeAnnotations.some((type) => type === name)

const withoutAnnotations = (body: unknown): unknown => {
  if (typeof body !== "object" || body === null || !Object.keys(body).some(isAnnotation)) return body
  return Object.fromEntries(Object.entries(body).filter(([name]) => !isAnnotation(name)))
}

/** Sent on as it is usually written, so that who reads it need not know the others. */
const deviceType = z
  .string()
  .regex(typeNamePattern(deviceODataType))
  .transform(() => deviceODataType)

const writing = (manner: Manner) =>
  z.strictObject({
    ...Object.fromEntries(typeAnnotations.map((name) => [name, z.exactOptional(deviceType)])),
    ...shapeOf(manner)
  })

const namesAProperty = (body: object): boolean =>
  Object.keys(body).some((name) => name !== "id" && property(name) !== undefined)

const updateBody = writing("update").refine(namesAProperty)
const newBody = writing("create")

type FitsAtOnce = (body: unknown) => boolean

const fitsDevice = fitsAtOnce("read")
const fitsUpdate = fitsAtOnce("update", deviceODataType)
const fitsNew = fitsAtOnce("create", deviceODataType)

/** A schema that asks zod only about bodies in which not everything fits. */
const quickly = <A>(schema: z.ZodType, fits: FitsAtOnce): z.ZodType<A> =>
  z.transform((body: unknown, context) => {
    if (fits(body)) return body as A
    const parsed = schema.safeParse(body)
    if (parsed.success) return parsed.data as A
    for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: body } as z.core.$ZodRawIssue)
    return z.NEVER
  })

/** Reads a device from Graph; tolerant, see the type {@link Device}. */
export const Device: z.ZodType<Device> = quickly(z.looseObject(shapeOf("read")), fitsDevice)

/** Reads a device from Graph whose key has to be there. */
export const KeyedDevice: z.ZodType<KeyedDevice> = quickly(
  z.looseObject({ ...shapeOf("read"), id: z.string() }),
  (body) => fitsDevice(body) && Object.hasOwn(body as object, "id")
)

/**
 * Checks the body of an update; strict: unknown properties, wrong types, null where none may be, unknown members,
 * scores outside {-1} ∪ [0, 100] and an update that names nothing are refused. {@link parseDeviceUpdate} says what is
 * wrong in words.
 */
export const DeviceUpdate: z.ZodType<DeviceUpdate> = quickly(z.preprocess(withoutAnnotations, updateBody), fitsUpdate)

/** Checks the body of a create; as strict as {@link DeviceUpdate}. */
export const NewDevice: z.ZodType<NewDevice> = quickly(z.preprocess(withoutAnnotations, newBody), fitsNew)

/** A value that fits, or all that is wrong with it; shaped like zod's `safeParse`. */
export type Parsed<A> =
  | { readonly success: true; readonly data: A }
  | { readonly success: false; readonly issues: ReadonlyArray<Issue> }

const issuesOf = (body: unknown, { issues }: z.ZodError): ReadonlyArray<Issue> => {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return [notAnObjectIssue(body)]
  const found = issues.flatMap((issue): ReadonlyArray<Issue> => {
    if (issue.code === "unrecognized_keys") return issue.keys.map((key, at) => unknownPropertyIssue(key, at))
    const [name] = issue.path
    if (name === undefined) return [emptyUpdateIssue]
    const value: unknown = Reflect.get(body, name)
    const row = property(String(name))
    return [row === undefined ? odataTypeIssue(String(name), value, deviceODataType) : valueIssue(row, value)]
  })
  const order = Object.keys(body)
  // A body in which every name is unknown is not empty to the person who wrote it.
  return found
    .filter((issue) => issue !== emptyUpdateIssue || found.length === 1)
    .toSorted((a, b) => order.indexOf(a.path) - order.indexOf(b.path))
}

const parser =
  <A>(schema: z.ZodType<A>, fits: FitsAtOnce) =>
  (body: unknown): Parsed<A> => {
    if (fits(body)) return { success: true, data: body as A }
    const parsed = schema.safeParse(body)
    return parsed.success ? parsed : { success: false, issues: issuesOf(body, parsed.error) }
  }

/** Reads a device, or says for each property that does not fit what was expected. */
export const parseDevice: (body: unknown) => Parsed<Device> = parser(Device, fitsDevice)

/** Checks the body of an update, or says for each property what is wrong with it. */
export const parseDeviceUpdate: (body: unknown) => Parsed<DeviceUpdate> = parser(DeviceUpdate, fitsUpdate)

/** Checks the body of a create, or says for each property what is wrong with it. */
export const parseNewDevice: (body: unknown) => Parsed<NewDevice> = parser(NewDevice, fitsNew)

/** Fills in what is missing: null, and `unknown` for the enums, which is their documented default. */
export const wholeDevice = (device: KeyedDevice): WholeDevice =>
  Object.fromEntries(
    properties.map(({ name, kind }) => [name, device[name] ?? kindRules[kind].unrecorded])
  ) as unknown as WholeDevice

/**
 * The device after an update: absent is unchanged, null clears (OData Protocol 4.01, 11.4.3), `unknownFutureValue` is
 * unchanged (microsoft/api-guidelines, "Evolvable enums"), and `id` never changes.
 */
export const applyUpdate = <D extends Device>(device: D, update: DeviceUpdate): D => {
  const after: Record<string, unknown> = { ...device }
  for (const { name, kind } of properties) {
    const value = update[name]
    const unchanged = value === undefined || (value === unknownFutureValue && enumOf(kind) !== undefined)
    if (!unchanged && name !== "id") after[name] = value
  }
  return after as D
}

/** One property that differs between two states of a device; `undefined` where the property was missing. */
export interface Change<Name extends PropertyName = PropertyName> {
  readonly property: Name
  readonly from: PropertyValue<Name> | undefined
  readonly to: PropertyValue<Name> | undefined
}

/** What differs between two states of a device, by value, in the documented order. Missing and null are the same. */
export const changes = (before: Device, after: Device): ReadonlyArray<Change> =>
  propertyNames
    .filter((name) => (before[name] ?? null) !== (after[name] ?? null))
    .map((name) => ({ property: name, from: before[name], to: after[name] }))

/** The bodies that have a schema: `Device` as it is read, `DeviceUpdate` and `NewDevice` as they may be sent. */
export type Body = "Device" | "DeviceUpdate" | "NewDevice"

const bodies: Record<Body, z.ZodType> = {
  Device: z.looseObject(shapeOf("read")),
  DeviceUpdate: updateBody,
  NewDevice: newBody
}

/**
 * JSON Schema (draft 2020-12) of a body. Two rules of the strict bodies have no counterpart there and are only checked
 * by the parsers: a text must be storable, and an update must name a property other than `id`.
 */
export const jsonSchemaOf = (body: Body): z.core.JSONSchema.BaseSchema => {
  const schema = z.toJSONSchema(bodies[body], { io: "input" })
  if (body === "Device") return { ...schema, title: body }
  // Beside annotations of all sorts: who reads the schema is shown the usual spelling as a property.
  const { "@type": type = {}, ...shown } = schema.properties ?? {}
  return { ...schema, title: body, properties: shown, patternProperties: { "@": {}, "^@type$": type } }
}
