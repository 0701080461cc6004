import { Ajv2020 } from "ajv/dist/2020.js"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type * as z from "zod"
import {
  type Body,
  Device,
  DeviceUpdate,
  NewDevice,
  type Parsed,
  deviceODataType,
  jsonSchemaOf,
  parseDevice,
  parseDeviceUpdate,
  parseNewDevice,
  properties,
  propertyNames
} from "../../src/index.ts"
import { almostBody, roughBody } from "../arbitrary.ts"

interface Judges {
  readonly schema: z.ZodType
  readonly parse: (body: unknown) => Parsed<unknown>
}

const judgesOf: Record<Body, Judges> = {
  Device: { schema: Device, parse: parseDevice },
  DeviceUpdate: { schema: DeviceUpdate, parse: parseDeviceUpdate },
  NewDevice: { schema: NewDevice, parse: parseNewDevice }
}
const names = Object.keys(judgesOf) as ReadonlyArray<Body>

/** `type` beside `anyOf` in a nullable score is plain JSON Schema, but not what Ajv's strict mode calls tidy. */
const validatorOf = (body: Body) =>
  new Ajv2020({ strict: true, strictTypes: false, allowMatchingProperties: true }).compile(jsonSchemaOf(body))

const entriesOf = (body: unknown): ReadonlyArray<readonly [string, unknown]> =>
  typeof body === "object" && body !== null ? Object.entries(body) : []

const texts: ReadonlySet<string> = new Set(properties.filter(({ kind }) => kind === "string").map(({ name }) => name))

/** The two rules that JSON Schema cannot say, as the documentation of `jsonSchemaOf` names them, in words of their own. */
const isStorable = (body: unknown): boolean =>
  entriesOf(body).every(([name, value]) => !texts.has(name) || !/\0|\p{Surrogate}/u.test(String(value)))
const namesAProperty = (body: unknown): boolean =>
  entriesOf(body).some(([name]) => name !== "id" && propertyNames.some((known) => known === name))

/** What Ajv says of a body by the JSON Schema, and those two rules: nothing here asks the code that it judges. */
const oracleOf = (body: Body): ((value: unknown) => boolean) => {
  const validate = validatorOf(body)
  const fitsBeyond: Record<Body, (value: unknown) => boolean> = {
    Device: () => true,
    DeviceUpdate: (value) => isStorable(value) && namesAProperty(value),
    NewDevice: isStorable
  }
  return (value) => validate(value) && fitsBeyond[body](value)
}

it.each(names)("the JSON Schema of %s is one that a validator accepts, with a title for every property", (body) => {
  const schema = jsonSchemaOf(body)
  expect(validatorOf(body)).toBeTypeOf("function")
  expect(schema).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema", title: body })
  for (const { name, label, meaning } of properties) {
    expect(schema.properties?.[name]).toMatchObject({ title: label, description: meaning })
  }
  expect(Object.keys(schema.properties ?? {}).filter((name) => name !== "@odata.type")).toEqual(propertyNames)
})

describe.each(names)("the JSON Schema of %s, its schema and its parser come to the same verdict", (body) => {
  const { schema, parse } = judgesOf[body]
  const fits = oracleOf(body)

  const agree = (bodies: fc.Arbitrary<unknown>): { readonly fitting: number; readonly not: number } => {
    let [fitting, not] = [0, 0]
    fc.assert(
      fc.property(bodies, (value) => {
        const expected = fits(value)
        if (expected) fitting++
        else not++
        expect([parse(value).success, schema.safeParse(value).success]).toEqual([expected, expected])
      }),
      { numRuns: 1000 }
    )
    return { fitting, not }
  }

  it("on bodies that fit or almost fit", () => {
    const { fitting, not } = agree(almostBody)
    expect(Math.min(fitting, not)).toBeGreaterThan(150)
  })

  it("on bodies of all sorts", () => {
    const { not } = agree(
      fc
        .oneof({ weight: 9, arbitrary: roughBody }, { weight: 1, arbitrary: fc.jsonValue() })
        .map((value): unknown => JSON.parse(JSON.stringify(value)))
    )
    expect(not).toBeGreaterThan(50)
  })

  it("on what is no object, and on objects without a prototype", () => {
    for (const value of [null, 7, "model", true, [], [{ model: "x" }], {}]) {
      expect([parse(value).success, schema.safeParse(value).success]).toEqual([fits(value), fits(value)])
    }
    agree(almostBody.map((value): unknown => Object.assign(Object.create(null), value)))
  })

  it("on texts as long as they may be, and longer, whichever characters they are of", () => {
    for (const character of ["x", "ä", "\u{1F4BB}"]) {
      for (const length of [8_192, 8_193, 16_384, 16_385, 32_769]) {
        const value = { id: "a", model: character.repeat(length) }
        expect([parse(value).success, schema.safeParse(value).success]).toEqual([fits(value), fits(value)])
        expect(fits(value)).toBe(body === "Device" || length <= 16_384)
      }
    }
  })

  it("on names that an object has from its prototype", () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"]) {
      const value: unknown = JSON.parse(`{"model":"x","${name}":{"model":7}}`)
      expect([name, parse(value).success, schema.safeParse(value).success]).toEqual([name, fits(value), fits(value)])
    }
  })

  it("on a body that a property, a type or an annotation stands alone in", () => {
    for (const name of [...propertyNames, "@odata.type", "@odata.etag"]) {
      for (const value of ["", "capable", deviceODataType, null, true, 0, -1, -2, 100, 101, [], {}]) {
        const alone = { [name]: value }
        expect([alone, parse(alone).success, schema.safeParse(alone).success]).toEqual([
          alone,
          fits(alone),
          fits(alone)
        ])
      }
    }
  })
})

it("the two rules without a counterpart in JSON Schema are checked by the parser", () => {
  const validate = validatorOf("DeviceUpdate")
  for (const body of [{ model: "a\0b" }, { model: "\ud800" }, {}, { id: "a" }]) {
    expect([validate(body), parseDeviceUpdate(body).success]).toEqual([true, false])
  }
})
