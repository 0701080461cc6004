import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import type { openApiDocument } from "../src/describe/openapi.ts"

type Tree = Readonly<Record<string, unknown>>

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value)

/** What is at a JSON pointer. */
const at = (document: Tree, pointer: string): unknown =>
  pointer
    .replace(/^#\//, "")
    .split("/")
    .map((step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((place, step) => (isTree(place) ? place[step] : undefined), document)

const escaped = (step: string): string => encodeURIComponent(step.replaceAll("~", "~0").replaceAll("/", "~1"))

/** Every `$ref` in a document. */
export const refsIn = (value: unknown): ReadonlyArray<string> => {
  if (Array.isArray(value)) return value.flatMap(refsIn)
  if (!isTree(value)) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    name === "$ref" && typeof inner === "string" ? [inner] : refsIn(inner)
  )
}

/** Makes the schemas refuse what they do not name. Parts of an `allOf` stay open; the whole around them is closed. */
const closed = (value: unknown, isPart = false): unknown => {
  if (Array.isArray(value)) return value.map((inner) => closed(inner, isPart))
  if (!isTree(value)) return value
  const inside = Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, name === "examples" ? inner : closed(inner, name === "allOf")])
  )
  if (isPart) return inside
  if ("$ref" in value) return { allOf: [inside], unevaluatedProperties: false }
  const isObject = "allOf" in value || (value["type"] === "object" && "properties" in value)
  return isObject && !("additionalProperties" in value) ? { ...inside, unevaluatedProperties: false } : inside
}

/** The parts that are referred to from an `allOf` have to stay open, so only places that use schemas are closed. */
const closedDocument = (document: Tree): Tree => {
  const { components, paths } = document as { readonly components: Tree; readonly paths: unknown }
  const schemas = components["schemas"] as Tree
  const kept = Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => {
      const inside = Object.fromEntries(
        Object.entries(schema as Tree).map(([key, inner]) => [key, closed(inner, key === "allOf")])
      )
      return [name, inside]
    })
  )
  return { paths, components: { ...components, schemas: kept } }
}

/** An operation of a document. */
export interface OperationPlace {
  readonly operationId: string
  readonly path: string
  readonly method: string
  readonly pointer: string
}

/** The operations of a document. */
export const operationsOf = (document: ReturnType<typeof openApiDocument>): ReadonlyArray<OperationPlace> =>
  Object.entries(document["paths"] as Tree).flatMap(([path, methods]) =>
    Object.entries(methods as Tree)
      .filter(([method]) => method !== "servers")
      .map(([method, operation]) => ({
        operationId: String((operation as Tree)["operationId"]),
        path,
        method: method.toUpperCase(),
        pointer: `#/paths/${escaped(path)}/${method}`
      }))
  )

/** Whether paths of a template are below Graph's versions. */
export const isGraphs = (document: ReturnType<typeof openApiDocument>, path: string): boolean =>
  !("servers" in ((document["paths"] as Tree)[path] as Tree))

const templateRegExp = (path: string): RegExp =>
  new RegExp(
    `^${path
      .replaceAll("$", "\\$")
      .replaceAll(".", "\\.")
      .replaceAll(/\{\w+\}/g, "[^/]+")}$`
  )

// An address for the document itself, which its references are relative to; it is never asked for.
const home = "http://localhost/openapi.json"

/** Compares answers of a service with its document. */
export const comparison = (document: ReturnType<typeof openApiDocument>) => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  ajv.addSchema({ $id: home, ...closedDocument(document) })
  const validators = new Map<string, ValidateFunction>()
  const validate = (pointer: string): ValidateFunction => {
    const known = validators.get(pointer)
    if (known !== undefined) return known
    const made = ajv.compile({ allOf: [{ $ref: `${home}${pointer}` }], unevaluatedProperties: false })
    validators.set(pointer, made)
    return made
  }
  const seen = new Set<string>()
  const statuses = new Set<number>()
  const operations = operationsOf(document)

  const operationFor = (method: string, url: string): OperationPlace | undefined => {
    const path = decodeURI(new URL(url, "http://localhost").pathname)
    const below = path.replace(/^\/(?:beta|v1\.0)(?=\/|$)/, "") || "/"
    return operations.find(
      (operation) =>
        operation.method === method &&
        templateRegExp(operation.path).test(isGraphs(document, operation.path) ? below : path)
    )
  }

  /** What is wrong with a value, by the schema at a pointer. */
  const faultsOf = (pointer: string, value: unknown): ReadonlyArray<string> => {
    const check = validate(pointer)
    return check(value) ? [] : (check.errors ?? []).map((error) => `${error.instancePath} ${error.message}`)
  }

  /** What the document does not say of an answer, or says otherwise. */
  const differences = async (method: string, url: string, response: Response): Promise<ReadonlyArray<string>> => {
    const operation = operationFor(method, url)
    if (operation === undefined) return [`${method} ${url} is no operation`]
    const { operationId, pointer } = operation
    const declared = at(document, `${pointer}/responses/${response.status}`) as Tree | undefined
    if (declared === undefined) return [`${operationId} may not answer ${response.status}: ${await response.text()}`]
    seen.add(`${operationId} ${response.status}`)
    statuses.add(response.status)
    const shared = declared["$ref"]
    const place = typeof shared === "string" ? shared : `${pointer}/responses/${response.status}`
    const answer = at(document, place) as { readonly headers?: Tree; readonly content?: Tree }
    const missing = Object.entries(answer.headers ?? {}).flatMap(([name, ref]) => {
      const header = at(document, String((ref as Tree)["$ref"])) as Tree
      return header["required"] === true && !response.headers.has(name) ? [`${operationId}: no header ${name}`] : []
    })
    const known = new Set(Object.keys(answer.headers ?? {}).map((name) => name.toLowerCase()))
    const ours = [
      "location",
      "odata-entityid",
      "preference-applied",
      "etag",
      "allow",
      "retry-after",
      "www-authenticate"
    ]
    const stray = ours.filter((name) => response.headers.has(name) && !known.has(name))
    const text = await response.text()
    if (answer.content === undefined) return [...missing, ...stray, ...(text === "" ? [] : [`a body: ${text}`])]
    const [type = ""] = (response.headers.get("content-type") ?? "").split(";")
    if (!(type in answer.content)) return [`${operationId}: ${type} is not declared`]
    const value: unknown =
      type === "application/json" || (type === "text/plain" && /^\d+$/.test(text)) ? JSON.parse(text) : text
    const faults = faultsOf(`${place}/content/${escaped(type)}/schema`, value)
    return [...missing, ...stray, ...faults.map((fault) => `${operationId} ${response.status}: ${fault}`)]
  }

  return { operations, seen, statuses, faultsOf, differences }
}
