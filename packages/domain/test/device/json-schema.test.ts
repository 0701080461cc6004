import { Ajv2020 } from "ajv/dist/2020.js"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import {
  type Body,
  type Parsed,
  jsonSchemaOf,
  parseDevice,
  parseDeviceUpdate,
  parseNewDevice,
  properties,
  propertyNames
} from "../../src/index.ts"
import { roughBody } from "../arbitrary.ts"

const parserOf: Record<Body, (body: unknown) => Parsed<unknown>> = {
  Device: parseDevice,
  DeviceUpdate: parseDeviceUpdate,
  NewDevice: parseNewDevice
}
const names = Object.keys(parserOf) as ReadonlyArray<Body>

/** `type` beside `anyOf` in a nullable score is plain JSON Schema, but not what Ajv's strict mode calls tidy. */
const validatorOf = (body: Body) =>
  new Ajv2020({ strict: true, strictTypes: false, allowMatchingProperties: true }).compile(jsonSchemaOf(body))

/** The two rules that JSON Schema cannot say, as the documentation of `jsonSchemaOf` names them. */
const exceptions = (parsed: Parsed<unknown>): boolean =>
  !parsed.success && parsed.issues.every(({ code }) => code === "malformedText" || code === "emptyUpdate")

it.each(names)("the JSON Schema of %s is one that a validator accepts, with a title for every property", (body) => {
  const schema = jsonSchemaOf(body)
  expect(validatorOf(body)).toBeTypeOf("function")
  expect(schema).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema", title: body })
  for (const { name, label, meaning } of properties) {
    expect(schema.properties?.[name]).toMatchObject({ title: label, description: meaning })
  }
  expect(Object.keys(schema.properties ?? {}).filter((name) => name !== "@odata.type")).toEqual(propertyNames)
})

it.each(names)("the JSON Schema of %s and its parser come to the same verdict", (body) => {
  const validate = validatorOf(body)
  let refused = 0
  fc.assert(
    fc.property(fc.oneof({ weight: 9, arbitrary: roughBody }, { weight: 1, arbitrary: fc.jsonValue() }), (value) => {
      const json: unknown = JSON.parse(JSON.stringify(value))
      const parsed = parserOf[body](json)
      if (!parsed.success) refused++
      expect(validate(json)).toBe(parsed.success || exceptions(parsed))
    }),
    { numRuns: 2000 }
  )
  expect(refused).toBeGreaterThan(100)
})

it("the two rules without a counterpart in JSON Schema are checked by the parser", () => {
  const validate = validatorOf("DeviceUpdate")
  for (const body of [{ model: "a\0b" }, { model: "\ud800" }, {}, { id: "a" }]) {
    expect([validate(body), parseDeviceUpdate(body).success]).toEqual([true, false])
  }
})
