import {
  type MethodOf,
  type RouteName,
  type RouteOperation,
  isOnlyLocal,
  propertyNames,
  routeNames,
  routes
} from "@workanywhere/domain"
import { reportProperties } from "../graph/csdl.ts"
import { filterFunctions } from "../graph/device-filter.ts"
import { longestOrder } from "../graph/device-order.ts"
import { longestFilter } from "../graph/filter-syntax.ts"
import { largestPageSize, longestSelect, standardPageSize } from "../graph/query.ts"
import { modelType, readinessType, summaryType } from "../graph/report.ts"
import { everyPermission } from "../http/admission.ts"
import { mostItems } from "../http/batch-envelope.ts"
import { largestBatchBytes } from "../http/batch.ts"
import { profiles, readOnlyPolicies } from "../settings/behaviour.ts"
import { type Answer, type Described, type Operation, type Operations, body, inPath, json } from "./operation.ts"
import { type Schema, documentedAnswer, documentedId, documentedRequest, schemaRef } from "./schemas.ts"

const parameterRef = (name: string): Schema => ({ $ref: `#/components/parameters/${name}` })

const query = (name: string, description: string, schema: Schema, more: Schema = {}): Schema => ({
  name: `$${name}`,
  in: "query",
  description,
  schema,
  ...more
})

const header = (name: string, description: string, schema: Schema): Schema => ({
  name,
  in: "header",
  description,
  schema
})

const key: Schema = { type: "string", minLength: 1 }

/** Parameters that several operations have. */
export const parameters = ({ hasControls }: Described): Readonly<Record<string, Schema>> => ({
  metricId: inPath(
    "metricId",
    "Key of a metric. `allDevices` and `devicePerformance` exist from the start and show the same devices.",
    key,
    "allDevices"
  ),
  deviceId: inPath("deviceId", "Key of a device, as it is spelled.", key, documentedId),
  top: query("top", `The size of a page; ${standardPageSize} when not given, and never more than ${largestPageSize}.`, {
    type: "integer",
    minimum: 0
  }),
  skiptoken: query("skiptoken", "From `@odata.nextLink` only, and for the same query, metric and tenant.", {
    type: "string"
  }),
  clientRequestId: header("client-request-id", "An id of the caller's own, which the answer repeats.", {
    type: "string",
    pattern: "^[\\w.-]{1,64}$"
  }),
  format: query("format", "What the body is, as `Accept` says it, and in place of that.", {
    type: "string",
    examples: ["json", "application/json;odata.metadata=none"]
  }),
  prefer: header(
    "Prefer",
    "`odata.maxpagesize=<n>`, `include-unknown-enum-members`, `return=minimal` or `return=representation`, comma separated, each where it has a meaning; others are ignored. `Preference-Applied` says which were followed.",
    { type: "string" }
  ),
  ifMatch: header(
    "If-Match",
    "An etag, or `*` for any device that exists. While devices have no etags, nothing but `*` can match.",
    { type: "string" }
  ),
  ifNoneMatch: header("If-None-Match", "An etag that the device is expected not to have.", { type: "string" }),
  ...(hasControls
    ? {
        profile: header("x-wfa-profile", "Which behaviour of Graph this request is shown.", {
          type: "string",
          enum: [...profiles]
        }),
        readOnly: header("x-wfa-read-only", "What becomes of this update of read-only properties.", {
          type: "string",
          enum: [...readOnlyPolicies]
        })
      }
    : {})
})

const select = (names: ReadonlyArray<string>): Schema =>
  query(
    "select",
    `Which properties are shown; \`*\` for all. At most ${longestSelect} characters.`,
    { type: "array", items: { type: "string", enum: ["*", ...names] } },
    { style: "form", explode: false }
  )

/** What a list takes besides a filter. */
const listQuery = (names: ReadonlyArray<string>, order: string): ReadonlyArray<Schema> => [
  select(names),
  query(
    "orderby",
    "Properties, each with `asc` or `desc`; an enum goes by Graph's number, null is first when ascending, and the id decides between equals.",
    { type: "string", maxLength: longestOrder, examples: [order] }
  ),
  query("skip", "How many are left out.", { type: "integer", minimum: 0 }),
  query("count", "Whether the page tells the number of all matches.", { type: "boolean" }),
  parameterRef("top"),
  parameterRef("skiptoken"),
  parameterRef("prefer")
]

const deviceOrder = "windowsScore desc,deviceName"
const modelOrder = "modelDeviceCount desc"

const deviceExample = "upgradeEligibility eq 'notCapable'"
const modelExample = "modelDeviceCount ge 10"

const filter = (example: string): Schema =>
  query("filter", `\`eq ne gt ge lt le in\`, \`and or not\`, parentheses, \`${filterFunctions.join(" ")}\`, null.`, {
    type: "string",
    maxLength: longestFilter,
    examples: [example]
  })

/** What a count is answered with. */
const theNumber = (...headers: ReadonlyArray<string>): Readonly<Record<string, Answer>> => ({
  "200": {
    description: "The number alone.",
    content: { "text/plain": { schema: { type: "integer", minimum: 0 } } },
    headers
  }
})

const metric = parameterRef("metricId")
const prefer = parameterRef("prefer")
const readOnlyOf = ({ hasControls }: Described) => (hasControls ? [parameterRef("readOnly")] : [])

const deleted: Readonly<Record<string, Answer>> = { "204": { description: "It is gone." } }

const writtenHeaders = ["Preference-Applied", "ETag"]

const afterCreate = (name: string): Readonly<Record<string, Answer>> => ({
  "201": {
    description: "It was created.",
    content: json(schemaRef(name)),
    headers: ["Location", ...writtenHeaders]
  },
  "204": {
    description: "It was created; its body was not wanted.",
    headers: ["Location", "OData-EntityId", ...writtenHeaders]
  }
})

type Description = Omit<Operation, "operationId" | "permissions">

/** What is said of each operation of the table of routes: one that is missing here does not compile. */
type Descriptions = {
  readonly [Name in RouteName]: { readonly [Method in MethodOf<Name>]: Description }
}

const descriptions = (described: Described): Descriptions => {
  const ofMetric = { tag: "Metrics" }
  const ofDevice = { tag: "Devices" }
  const ofReport = { tag: "Reports" }
  const writeErrors = [404, 412, 413, 507]

  return {
    serviceDocument: {
      GET: {
        tag: "Protocol",
        summary: "What there is below the version",
        answers: { "200": { description: "The service document.", content: json(schemaRef("ServiceDocument")) } }
      }
    },
    metadata: {
      GET: {
        tag: "Protocol",
        summary: "The types, as OData describes them",
        answers: {
          "200": { description: "CSDL 4.0.", content: { "application/xml": { schema: { type: "string" } } } }
        }
      }
    },
    batch: {
      POST: {
        tag: "Protocol",
        summary: `Up to ${mostItems} requests in one`,
        description:
          "Each request is admitted, throttled and answered by itself, with a status of its own, in any order: match the answers by id. Of requests that depend on one that failed, the status is 424.",
        body: body(
          json(schemaRef("Batch"), {
            update: {
              summary: "Two updates",
              value: {
                requests: ["1", "2"].map((id) => ({
                  id,
                  method: "PATCH",
                  url: `${routes.metrics.path}/allDevices/metricDevices/pc-${id}`,
                  headers: { "Content-Type": "application/json" },
                  body: { windowsScore: 100 }
                }))
              }
            }
          }),
          largestBatchBytes
        ),
        answers: { "200": { description: "The answers.", content: json(schemaRef("BatchAnswer")) } },
        errors: [413]
      }
    },
    deviceManagement: {
      GET: {
        tag: "Protocol",
        summary: "The singleton that everything is below",
        answers: { "200": { description: "Its key.", content: json(schemaRef("DeviceManagement")) } }
      }
    },
    metrics: {
      GET: {
        ...ofMetric,
        summary: "List metrics",
        parameters: [select(["id"]), parameterRef("top"), parameterRef("skiptoken"), prefer],
        answers: {
          "200": { description: "A page.", content: json(schemaRef("MetricPage")), headers: ["Preference-Applied"] }
        }
      },
      POST: {
        ...ofMetric,
        summary: "Create a metric, which holds devices of its own",
        parameters: [prefer],
        body: body(json(schemaRef("MetricBody"))),
        answers: afterCreate("MetricEntity"),
        errors: [409, 413, 507]
      }
    },
    metricsCount: {
      GET: { ...ofMetric, summary: "Count metrics", answers: theNumber(), errors: [415] }
    },
    metric: {
      GET: {
        ...ofMetric,
        summary: "Get a metric",
        parameters: [metric, select(["id"])],
        answers: { "200": { description: "The metric.", content: json(schemaRef("MetricEntity")) } },
        errors: [404]
      },
      PATCH: {
        ...ofMetric,
        summary: "Update a metric, which has nothing to update",
        parameters: [metric, prefer],
        body: body(json(schemaRef("MetricBody"))),
        answers: {
          "200": {
            description: "The metric.",
            content: json(schemaRef("MetricEntity")),
            headers: ["Preference-Applied"]
          },
          "204": { description: "Its body was not wanted.", headers: ["Preference-Applied"] }
        },
        errors: [404, 413]
      },
      DELETE: {
        ...ofMetric,
        summary: "Delete a metric and its devices",
        description: "Those that exist from the start cannot be deleted: 405.",
        parameters: [metric],
        answers: deleted,
        errors: [404, 405, 507]
      }
    },
    devices: {
      GET: {
        ...ofDevice,
        summary: "List devices",
        parameters: [metric, filter(deviceExample), ...listQuery(propertyNames, deviceOrder)],
        answers: {
          "200": { description: "A page.", content: json(schemaRef("DevicePage")), headers: ["Preference-Applied"] }
        },
        errors: [404, 410]
      },
      POST: {
        ...ofDevice,
        summary: "Create a device",
        parameters: [metric, prefer],
        body: body(json(schemaRef("NewDevice"))),
        answers: afterCreate("DeviceEntity"),
        errors: [404, 409, 413, 507]
      }
    },
    count: {
      GET: {
        ...ofDevice,
        summary: "Count devices",
        parameters: [metric, filter(deviceExample), prefer],
        answers: theNumber("Preference-Applied"),
        errors: [404, 415]
      }
    },
    device: {
      GET: {
        ...ofDevice,
        summary: "Get a device",
        parameters: [
          metric,
          parameterRef("deviceId"),
          select(propertyNames),
          prefer,
          ...(described.hasEtags ? [parameterRef("ifNoneMatch")] : [])
        ],
        answers: {
          "200": { description: "The device.", content: json(schemaRef("DeviceEntity")), headers: writtenHeaders },
          ...(described.hasEtags ? { "304": { description: "It is as the caller has it.", headers: ["ETag"] } } : {})
        },
        errors: [404]
      },
      PATCH: {
        ...ofDevice,
        summary: "Update a device",
        description:
          "What the body leaves out stays as it is, null clears, and `unknownFutureValue` leaves an enum as it is. `id` never changes. It sets absolute values, so it is safe to repeat.",
        parameters: [
          metric,
          parameterRef("deviceId"),
          prefer,
          parameterRef("ifMatch"),
          parameterRef("ifNoneMatch"),
          ...readOnlyOf(described)
        ],
        body: body(
          json(schemaRef("DeviceUpdate"), {
            documented: { summary: "The request on Microsoft's page", value: documentedRequest },
            one: { summary: "One property", value: { windowsScore: 100 } }
          })
        ),
        answers: {
          "200": {
            description: "The whole device as it is now.",
            content: json(schemaRef("DeviceEntity"), {
              documented: {
                summary: "The answer on Microsoft's page, with its context",
                value: documentedAnswer("https://graph.microsoft.com")
              }
            }),
            headers: writtenHeaders
          },
          "204": { description: "It was updated; its body was not wanted.", headers: writtenHeaders }
        },
        errors: writeErrors
      },
      DELETE: {
        ...ofDevice,
        summary: "Delete a device",
        parameters: [metric, parameterRef("deviceId"), parameterRef("ifMatch"), parameterRef("ifNoneMatch")],
        answers: deleted,
        errors: [404, 412, 507]
      }
    },
    readiness: {
      GET: {
        ...ofReport,
        summary: "How ready the hardware of the fleet is",
        parameters: [select(reportProperties[readinessType])],
        answers: {
          "200": {
            description: "The figures.",
            content: json({
              allOf: [schemaRef("Annotations"), schemaRef(readinessType)]
            })
          }
        }
      }
    },
    models: {
      GET: {
        ...ofReport,
        summary: "Scores by manufacturer and model",
        parameters: [filter(modelExample), ...listQuery(reportProperties[modelType], modelOrder)],
        answers: {
          "200": {
            description: "A page.",
            content: json(schemaRef("ModelPerformancePage")),
            headers: ["Preference-Applied"]
          }
        }
      }
    },
    modelsCount: {
      GET: {
        ...ofReport,
        summary: "Count models",
        parameters: [filter(modelExample), prefer],
        answers: theNumber("Preference-Applied"),
        errors: [415]
      }
    },
    model: {
      GET: {
        ...ofReport,
        summary: "Scores of one model",
        parameters: [inPath("modelId", "Key of a model, from the list.", key), select(reportProperties[modelType])],
        answers: {
          "200": {
            description: "The row.",
            content: json({ allOf: [schemaRef("Annotations"), schemaRef(modelType)] })
          }
        },
        errors: [404]
      }
    },
    summary: {
      GET: {
        ...ofReport,
        summary: "Summarize the fleet",
        description: "A function: also with `microsoft.graph.` or `graph.` before its name, and with `()` behind it.",
        parameters: [select(reportProperties[summaryType])],
        answers: {
          "200": {
            description: "The figures.",
            content: json({ allOf: [schemaRef("Annotations"), schemaRef(summaryType)] })
          }
        }
      }
    }
  }
}

/** What Graph has, below each version; the local Graph's own is no part of a gateway. */
export const graphOperations = (described: Described): Operations => {
  const said: Readonly<Record<string, Readonly<Record<string, Description>>>> = descriptions(described)
  const operationsOf = (name: RouteName) =>
    Object.entries<RouteOperation>(routes[name].operations).flatMap(([method, { id, permissions }]) => {
      const description = said[name]?.[method]
      const operation = description && {
        ...description,
        operationId: id,
        permissions: name === "batch" ? everyPermission : permissions.beta
      }
      return operation === undefined ? [] : [[method.toLowerCase(), operation]]
    })
  const isServed = (name: RouteName) => described.isGateway !== true || !isOnlyLocal(name)
  return Object.fromEntries(
    routeNames.filter(isServed).map((name) => [routes[name].path, Object.fromEntries(operationsOf(name))])
  )
}
