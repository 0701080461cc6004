import { STATUS_CODES } from "node:http"
import { longestUrl } from "../graph/address.ts"
import { defaultSettings } from "../settings/config.ts"
import { packageVersion } from "../settings/package-version.ts"
import { graphOperations, parameters } from "./graph.ts"
import type { Described, Operation, Operations } from "./operation.ts"
import { type Schema, documentedId, errorsOf, schemaRef, schemas } from "./schemas.ts"
import { controlOperations, serviceOperations } from "./service.ts"

type Fields = Readonly<Record<string, unknown>>

const about = `A local Microsoft Graph for \`userExperienceAnalyticsWorkFromAnywhereDevice\`: Graph's addresses, bodies, headers and errors over a store that keeps what it acknowledged.

Everything of Graph is served alike under \`/beta\` and \`/v1.0\`, which are the servers of this document.

**Keys** are written in either of two ways, which mean the same: \`…/metricDevices/${documentedId}\`, as the paths below have it, or \`…/metricDevices('${documentedId}')\`, where a quote inside is doubled. Names of segments and of query options match in any case, and the \`$\` of an option may be left out; keys and property names are matched as they are spelled.

**HEAD** is served wherever GET is. Any other method on a path of Graph is 405 \`Request_BadRequest\` with \`Allow\`; a path that does not exist is 400 and names the segment. OData options that an operation does not list are refused by name; options that are not OData's are ignored.

**Limits**: ${longestUrl} characters of URL (414), a body of the size that its operation names (413), counted when it is inflated: it may be compressed with gzip, deflate or br (else 415), to a hundredth at most; what HTTP itself cannot read is cut off before it gets here, with 408 or 431 and no body. \`Accept: application/json;odata.metadata=none\`, \`minimal\` or \`full\` says how much a device tells besides its values.

**Errors** have Graph's envelope. The code decides the status; \`request-id\` is what to quote.`

const aboutGateway = `**This one is a gateway.** It keeps nothing and passes requests on to another Graph, paced for everyone who shares a tenant's limits. What it lets through (routes, writes) is a matter of its settings: 403 says that it does not. Failures of that Graph come with their own status, code and message, and \`innerError\` has its request id as \`upstream-request-id\`; 502 is a broken connection or an answer that is not Graph's, 504 no answer in time.`

const tags = [
  { name: "Devices", description: "The devices of a metric." },
  { name: "Metrics", description: "Collections of devices." },
  {
    name: "Reports",
    description: "Figures of the devices that the standing metrics show, counted when they are asked for."
  },
  { name: "Protocol", description: "OData's own." },
  { name: "Service", description: "The service itself." }
]

const rehearsalTag = {
  name: "Rehearsal",
  description: "For callers on the same machine, while nobody has to prove who they are."
}

const headers: Readonly<Record<string, Schema>> = {
  "request-id": {
    description: "Made for this request; stands in the log.",
    required: true,
    schema: { type: "string", format: "uuid" }
  },
  "client-request-id": {
    description: "The caller's own id, or the one above.",
    required: true,
    schema: { type: "string" }
  },
  "OData-Version": { required: true, schema: { type: "string", const: "4.0" } },
  "Cache-Control": { required: true, schema: { type: "string" } },
  Location: { description: "Where it is now.", schema: { type: "string", format: "uri" } },
  "OData-EntityId": { description: "Where it is now.", schema: { type: "string", format: "uri" } },
  "Preference-Applied": { description: "Which of the caller's preferences were followed.", schema: { type: "string" } },
  ETag: { description: "The state of the device, with WFA_ETAG=on.", schema: { type: "string" } },
  Allow: { description: "The methods that are served.", required: true, schema: { type: "string" } },
  "Retry-After": { description: "Seconds to wait, or a date. May be missing.", schema: { type: "string" } },
  "Accept-Encoding": {
    description: "The codings that a body may be compressed with, when it was compressed otherwise.",
    schema: { type: "string" }
  },
  "WWW-Authenticate": {
    description: "Where a token is to be had, and what the one that came lacks.",
    schema: { type: "string" }
  }
}

const headerRef = (name: string): Schema => ({ $ref: `#/components/headers/${name}` })

const headersNamed = (names: ReadonlyArray<string>): Fields =>
  Object.fromEntries(names.map((name) => [name, headerRef(name)]))

/** What every answer has that the service writes as Graph would. */
const graphHeaders = ["request-id", "client-request-id", "OData-Version", "Cache-Control"]

const headersOfError: Readonly<Record<number, ReadonlyArray<string>>> = {
  401: ["WWW-Authenticate"],
  403: ["WWW-Authenticate"],
  405: ["Allow"],
  415: ["Accept-Encoding"],
  429: ["Retry-After"],
  503: ["Retry-After"]
}

const errorName = (status: number): string => `Error${status}`

const errorAnswers = (described: Described): Fields => ({
  ...Object.fromEntries(
    errorsOf(described).map(([status, codes]) => [
      errorName(status),
      {
        description: `${STATUS_CODES[status]}: ${codes.map((code) => `\`${code}\``).join(", ")}.`,
        headers: headersNamed([...graphHeaders, ...(headersOfError[status] ?? [])]),
        content: { "application/json": { schema: schemaRef(errorName(status)) } }
      }
    ])
  ),
  ...(described.isGateway === true
    ? {
        UpstreamError: {
          description: "What the upstream answered, with its status, code and message.",
          headers: headersNamed(graphHeaders),
          content: { "application/json": { schema: schemaRef("UpstreamError") } }
        }
      }
    : {})
})

/** What a part of the service is like, whatever is asked of it. */
interface Part {
  /** Statuses that any of its operations may have. */
  readonly errors: ReadonlyArray<number>
  /** The answer that stands for errors of any other status. */
  readonly otherErrors?: string
  readonly security: (operation: Operation) => Fields
  /** Parameters of each operation. */
  readonly parameters: ReadonlyArray<Schema>
  readonly servers?: ReadonlyArray<Schema>
}

const plainAnswers: ReadonlySet<string> = new Set(["getReferencePage", "getReferencePageFile"])

const operationOf = (part: Part, operation: Operation): Fields => {
  const { operationId, tag, summary, description, body, answers, errors = [] } = operation
  const given = [...(operation.parameters ?? []), ...part.parameters]
  const always = plainAnswers.has(operationId) ? [] : graphHeaders
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...part.security(operation),
    ...(given.length === 0 ? {} : { parameters: given }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, description: `At most ${body.mostBytes} bytes.`, content: body.content } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [
          status,
          {
            description: answer.description,
            ...(answer.content === undefined ? {} : { content: answer.content }),
            headers: headersNamed([...always, ...(answer.headers ?? [])])
          }
        ])
      ),
      ...Object.fromEntries(
        [...new Set([...part.errors, ...errors, ...(body === undefined ? [] : [415])])]
          .toSorted((a, b) => a - b)
          .map((status) => [status, { $ref: `#/components/responses/${errorName(status)}` }])
      ),
      ...(part.otherErrors === undefined ? {} : { default: { $ref: `#/components/responses/${part.otherErrors}` } })
    }
  }
}

const pathsOf = (part: Part, operations: Operations): Fields =>
  Object.fromEntries(
    Object.entries(operations).map(([path, methods]) => [
      path,
      {
        ...(part.servers === undefined ? {} : { servers: part.servers }),
        ...Object.fromEntries(
          Object.entries(methods).map(([method, operation]) => [method, operationOf(part, operation)])
        )
      }
    ])
  )

/** Any of the permissions will do, so each is an alternative. */
const securityOf =
  ({ isAuthenticated }: Described) =>
  ({ permissions = [] }: Operation): Fields => {
    if (!isAuthenticated) return {}
    return {
      security: permissions.length === 0 ? [{ entra: [] }] : permissions.map((permission) => ({ entra: [permission] }))
    }
  }

const scheme = {
  type: "http",
  scheme: "bearer",
  bearerFormat: "JWT",
  description:
    "An access token of Microsoft Entra ID for this service's own registration (not for Microsoft Graph). Each operation names the permissions of which it wants one: as scopes of a user's token, or as roles of an app's."
}

/** The service as OpenAPI 3.1 describes it, made from what its routes are made from. */
export const openApiDocument = (described: Described): Fields => {
  const { isAuthenticated, hasControls, isGateway = false, root = "" } = described
  const admitted = isAuthenticated ? [401, 403] : []
  // What it may do is decided by whoever runs it, and whether it can sign in, by others.
  const passedOn = isGateway ? [401, 403, 502] : []
  const ofService: ReadonlyArray<Schema> = [{ url: `${root}/`, description: "The service itself" }]
  const clientRequestId = { $ref: "#/components/parameters/clientRequestId" }
  const graph: Part = {
    errors: [400, ...admitted, ...passedOn, 414, 429, 500, 503, 504],
    ...(isGateway ? { otherErrors: "UpstreamError" } : {}),
    security: securityOf(described),
    parameters: [
      clientRequestId,
      { $ref: "#/components/parameters/format" },
      ...(hasControls ? [{ $ref: "#/components/parameters/profile" }] : [])
    ]
  }
  const open: Part = {
    errors: [400, 414, 500],
    security: () => (isAuthenticated ? { security: [] } : {}),
    parameters: [],
    servers: ofService
  }
  const local: Part = { ...open, errors: [400, 403, 414, 500, 503] }

  return {
    openapi: "3.1.1",
    info: {
      title: "workanywhere",
      version: packageVersion(),
      summary: "Work-from-anywhere devices, as Microsoft Graph serves them",
      description: isGateway ? `${about}\n\n${aboutGateway}` : about,
      license: { name: "MIT", identifier: "MIT" }
    },
    servers: [
      { url: `${root}/beta`, description: "Graph's beta" },
      { url: `${root}/v1.0`, description: "Graph's v1.0" }
    ],
    tags: hasControls ? [...tags, rehearsalTag] : tags,
    paths: {
      ...pathsOf(graph, graphOperations(described)),
      ...pathsOf(open, serviceOperations(described)),
      ...(hasControls ? pathsOf(local, controlOperations) : {})
    },
    components: {
      schemas: schemas(described),
      parameters: parameters(described),
      headers,
      responses: errorAnswers(described),
      ...(isAuthenticated ? { securitySchemes: { entra: scheme } } : {})
    }
  }
}

/** The document of a service with the standard settings, under the address that it then has. */
export const standardDocument = (): Fields =>
  openApiDocument({
    isAuthenticated: false,
    hasControls: true,
    hasEtags: false,
    hasExposition: true,
    root: `http://${defaultSettings.host}:${defaultSettings.port}`
  })
