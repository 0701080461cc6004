import { STATUS_CODES } from "node:http"
import {
  type WholeDevice,
  deviceODataType,
  enumOf,
  graphErrorStatus,
  jsonSchemaOf,
  properties,
  typeNamePattern,
  writableMembers
} from "@workanywhere/domain"
import { longestKey } from "../graph/address.ts"
import { type Declared, type EdmType, reportTypes } from "../graph/csdl.ts"
import { enumTypeName } from "../graph/device-property.ts"
import { targetNames } from "../graph/target.ts"
import { batchSchema } from "../http/batch-envelope.ts"
import type { Finding, Judgement, CallerVerdict } from "../rehearsal/caller-verdict.ts"
import type { shownCall } from "../rehearsal/calls.ts"
import { fleetSchema } from "../rehearsal/control-routes.ts"
import { faultScriptSchema } from "../rehearsal/fault-script.ts"

/** A JSON Schema of draft 2020-12, which is OpenAPI 3.1's as well. */
export type Schema = Readonly<Record<string, unknown>>

/** A reference to one of {@link schemas}. */
export const schemaRef = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` })

const text: Schema = { type: "string" }
const flag: Schema = { type: "boolean" }
const whole: Schema = { type: "integer" }
const count: Schema = { type: "integer", minimum: 0 }
const instant: Schema = { type: "string", format: "date-time" }

const object = (fields: Readonly<Record<string, Schema>>, required: ReadonlyArray<string> = []): Schema => ({
  type: "object",
  properties: fields,
  ...(required.length === 0 ? {} : { required })
})

const listOf = (items: Schema): Schema => ({ type: "array", items })

const described = (schema: Schema, description: string): Schema => ({ ...schema, description })

/** The dialect is OpenAPI's own, whose schemas these are as well. */
const withoutDialect = ({ $schema: _dialect, ...schema }: Schema): Schema => schema

/** Annotations that any object of OData may have. */
const context: Schema = {
  type: "string",
  format: "uri",
  description: "Where the answer is described; not at odata.metadata=none."
}

const readEnum = (kind: (typeof properties)[number]["kind"]): Readonly<Record<string, Schema>> => {
  const of = enumOf(kind)
  const name = enumTypeName(kind)?.replace("microsoft.graph.", "")
  if (of === undefined || name === undefined) return {}
  return {
    [name]: {
      type: "string",
      enum: writableMembers(of),
      description: "As it may be written. An answer may hold a member that was added later: read it as any other text."
    }
  }
}

const device = (): Schema => {
  const { additionalProperties: _open, ...read } = withoutDialect(jsonSchemaOf("Device"))
  const fields = read["properties"] as Readonly<Record<string, Schema>>
  const members = properties.flatMap(({ name, kind, meaning }) => {
    const of = enumOf(kind)
    if (of === undefined) return []
    const known = writableMembers(of).join(", ")
    return [[name, { ...fields[name], description: `${meaning} One of ${known}, or a later member.` }]]
  })
  return {
    ...read,
    description: "A device as it is shown: all properties, or those that $select names.",
    properties: {
      "@odata.etag": described(text, "With WFA_ETAG=on."),
      ...fields,
      ...Object.fromEntries(members)
    },
    patternProperties: { "@odata\\.": {} }
  }
}

const entityOf = (name: string, type: string): Schema => ({
  allOf: [
    object({
      "@odata.context": context,
      "@odata.type": { type: "string", const: type, description: "Not at odata.metadata=none." }
    }),
    schemaRef(name)
  ]
})

const pageOf = (name: string): Schema =>
  object(
    {
      "@odata.context": context,
      "@odata.count": {
        type: ["integer", "string"],
        description: "The number of all matches, with $count=true; as text when Accept says IEEE754Compatible=true."
      },
      "@odata.nextLink": {
        type: "string",
        format: "uri",
        description: "Where the next page is; the list is complete when there is none. To be followed as it is."
      },
      value: listOf(schemaRef(name))
    },
    ["value"]
  )

const typeOf = (type: EdmType): Schema => {
  switch (type) {
    case "Edm.Boolean":
      return flag
    case "Edm.Double":
      return { type: "number" }
    case "Edm.Int32":
      return { ...whole, format: "int32" }
    case "Edm.String":
      return text
    default:
      return schemaRef(type.replace("graph.", ""))
  }
}

const declaredSchema = (declared: Declared): Schema => {
  if (typeof declared === "string") return typeOf(declared)
  const schema = typeOf(declared[0])
  return "$ref" in schema ? { anyOf: [schema, { type: "null" }] } : { ...schema, type: [schema["type"], "null"] }
}

const reports = (): Readonly<Record<string, Schema>> =>
  Object.fromEntries(
    Object.entries(reportTypes).map(([name, declarations]) => [
      name,
      object(Object.fromEntries(Object.entries(declarations).map(([field, type]) => [field, declaredSchema(type)])))
    ])
  )

const metricType = "#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereMetric"

const key: Schema = { type: "string", minLength: 1, maxLength: longestKey }

const metricTypeName: Schema = { type: "string", pattern: typeNamePattern(metricType).source }

const metricBody: Schema = {
  ...object({ "@odata.type": metricTypeName, id: key }),
  patternProperties: { "@": {}, "^@type$": metricTypeName },
  additionalProperties: false
}

/** What the schemas depend on. */
interface SchemaChoice {
  readonly hasControls: boolean
  readonly isGateway?: boolean
}

/** The statuses of errors, each with the codes that stand with it. */
const codesByStatus: ReadonlyMap<number, ReadonlyArray<string>> = new Map(
  [...Map.groupBy(Object.entries(graphErrorStatus), ([, status]) => status)].map(([status, entries]) => [
    status,
    entries.map(([code]) => code)
  ])
)

/** What `innerError` says of the Graph behind a gateway. */
const upstreamFacts = Object.fromEntries(
  ["request-id", "client-request-id", "activity-id", "date", "diagnostic", "status"].map((fact) => [
    `upstream-${fact}`,
    text
  ])
)

const errorOf = (code: Schema, facts: Readonly<Record<string, Schema>> = {}): Schema =>
  object(
    {
      error: object(
        {
          code,
          message: described(text, "For people. Intune puts JSON into it as text in some cases."),
          details: listOf(object({ code: text, message: text, target: text }, ["code", "message"])),
          innerError: object(
            {
              date: described(text, "UTC in seconds, without a zone."),
              "request-id": described(text, "What to quote when the service is at fault."),
              "client-request-id": text,
              message: text,
              code: text,
              status: text,
              ...facts
            },
            ["date", "request-id", "client-request-id"]
          )
        },
        ["code", "message", "innerError"]
      )
    },
    ["error"]
  )

/** The same for a service of a kind: only a gateway has somebody behind it. */
export const errorsOf = ({
  isGateway = false
}: SchemaChoice): ReadonlyArray<readonly [number, ReadonlyArray<string>]> =>
  [...codesByStatus].filter(([status]) => isGateway || status !== graphErrorStatus.badGateway)

const upstreamError = errorOf(text, { ...upstreamFacts, outcome: described(text, "`unknown`: of a write.") })

const errors = (choice: SchemaChoice): Readonly<Record<string, Schema>> => ({
  ...Object.fromEntries(
    errorsOf(choice).map(([status, codes]) => [
      `Error${status}`,
      {
        description: STATUS_CODES[status],
        // Behind a gateway is a Graph that has codes of its own.
        ...(choice.isGateway === true ? upstreamError : errorOf({ type: "string", enum: codes }))
      }
    ])
  ),
  ...(choice.isGateway === true ? { UpstreamError: upstreamError } : {})
})

type Fields<Of> = { readonly [Name in keyof Of]-?: Schema }

const call: Fields<ReturnType<typeof shownCall>> = {
  number: whole,
  caller: object({ tenant: text, app: text }, ["tenant", "app"]),
  method: text,
  path: text,
  route: { type: "string", enum: targetNames },
  metricId: text,
  deviceId: text,
  batchItem: text,
  batchRequestId: text,
  batchSize: count,
  status: whole,
  requestId: text,
  hasClientRequestId: flag,
  hasSelect: flag,
  top: count,
  retryAfterSeconds: { type: "number" },
  isOverBudget: flag,
  fault: text,
  sent: instant,
  durationMillis: { type: "number" },
  followsNextLink: flag,
  hasNextLink: flag
}

const finding: Fields<Finding> = { call: whole, caller: text, message: text }
const judgement: Fields<Judgement> = {
  id: text,
  title: text,
  passed: flag,
  count,
  findings: listOf(object(finding, Object.keys(finding)))
}
const verdict: Fields<CallerVerdict> = {
  passed: flag,
  calls: count,
  forgotten: count,
  judgements: listOf(object(judgement, Object.keys(judgement)))
}

const local = (): Readonly<Record<string, Schema>> => ({
  Fleet: withoutDialect({ ...fleetSchema() }),
  FaultScript: withoutDialect({ ...faultScriptSchema() }),
  Call: object(call, ["number", "caller", "method", "path", "route", "status", "requestId", "sent", "durationMillis"]),
  Verdict: object(verdict, Object.keys(verdict))
})

const headersOfItem: Schema = { type: "object", additionalProperties: { type: "string" } }

/** Every schema that the document names. */
export const schemas = (choice: SchemaChoice): Readonly<Record<string, Schema>> => ({
  Device: device(),
  DeviceEntity: entityOf("Device", deviceODataType),
  DevicePage: pageOf("Device"),
  DeviceUpdate: withoutDialect(jsonSchemaOf("DeviceUpdate")),
  NewDevice: withoutDialect(jsonSchemaOf("NewDevice")),
  Annotations: object({ "@odata.context": context, "@odata.type": text }),
  Metric: object({ id: text }),
  MetricEntity: entityOf("Metric", metricType),
  MetricPage: pageOf("Metric"),
  MetricBody: metricBody,
  ...readEnum("upgradeEligibility"),
  ...readEnum("healthState"),
  ...reports(),
  ModelPerformancePage: pageOf("userExperienceAnalyticsWorkFromAnywhereModelPerformance"),
  Batch: withoutDialect(batchSchema()),
  BatchAnswer: object(
    {
      responses: listOf(
        object({ id: text, status: whole, headers: headersOfItem, body: {} }, ["id", "status", "headers"])
      )
    },
    ["responses"]
  ),
  ServiceDocument: object(
    {
      "@odata.context": context,
      value: listOf(object({ name: text, kind: text, url: text }, ["name", "kind", "url"]))
    },
    ["@odata.context", "value"]
  ),
  DeviceManagement: object({ "@odata.context": context, id: described(text, "The tenant.") }, ["@odata.context", "id"]),
  Probe: object({ status: { type: "string", enum: ["up", "ready"] } }, ["status"]),
  ...errors(choice),
  ...(choice.hasControls ? local() : {})
})

/**
 * The request on Microsoft's page for the update, as it stands there ("Update userExperienceAnalyticsWorkFromAnywhereDevice"):
 * a quotation, which has no property before the page has it.
 */
export const documentedRequest = {
  "@odata.type": deviceODataType,
  deviceId: "Device Id value",
  deviceName: "Device Name value",
  serialNumber: "Serial Number value",
  manufacturer: "Manufacturer value",
  model: "Model value",
  ownership: "Ownership value",
  managedBy: "Managed By value",
  autoPilotRegistered: true,
  autoPilotProfileAssigned: true,
  azureAdRegistered: true,
  azureAdDeviceId: "Azure Ad Device Id value",
  azureAdJoinType: "Azure Ad Join Type value",
  osDescription: "Os Description value",
  osVersion: "Os Version value",
  tenantAttached: true,
  compliancePolicySetToIntune: true,
  otherWorkloadsSetToIntune: true,
  isCloudManagedGatewayEnabled: true,
  upgradeEligibility: "unknown",
  ramCheckFailed: true,
  storageCheckFailed: true,
  processorCoreCountCheckFailed: true,
  processorSpeedCheckFailed: true,
  tpmCheckFailed: true,
  secureBootCheckFailed: true,
  processorFamilyCheckFailed: true,
  processor64BitCheckFailed: true,
  osCheckFailed: true,
  workFromAnywhereScore: 7,
  windowsScore: 4,
  cloudManagementScore: 6.666_666_666_666_667,
  cloudIdentityScore: 6,
  cloudProvisioningScore: 7.333_333_333_333_333,
  healthStatus: "insufficientData"
} as const

/** The key in the answer on that page. */
export const documentedId = "83d5adfc-adfc-83d5-fcad-d583fcadd583"

/** The answer on that page, with the context that an answer has. */
export const documentedAnswer = (root: string): Readonly<Record<string, unknown>> & Pick<WholeDevice, "id"> => {
  const { "@odata.type": type, ...device } = documentedRequest
  return {
    "@odata.context": `${root}/beta/$metadata#deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics('allDevices')/metricDevices/$entity`,
    "@odata.type": type,
    id: documentedId,
    ...device
  }
}
