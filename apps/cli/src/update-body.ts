import { type DeviceUpdate, parseDeviceUpdate, property, readJson, repeatedNameIssues } from "@workanywhere/domain"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { UsageError } from "./failure.ts"

/** A Graph service takes no body beyond this (1 MiB), so neither does the file it comes from. */
const longestBody = 1024 * 1024

const deepestBody = 64

const notSent = "the update cannot be sent as it is; nothing was sent"

const standardInput = "-"

const bytesOf = (file: string): Stream.Stream<Uint8Array, PlatformError, FileSystem.FileSystem | Stdio.Stdio> =>
  Stream.unwrap<Uint8Array, PlatformError, never, never, FileSystem.FileSystem | Stdio.Stdio>(
    file === standardInput
      ? Stdio.Stdio.useSync((stdio) => stdio.stdin)
      : FileSystem.FileSystem.useSync((files) => files.stream(file))
  )

const read = Effect.fnUntraced(function* (file: string) {
  const name = file === standardInput ? "standard input" : file
  const chunks: Array<Uint8Array> = []
  let length = 0
  yield* Stream.runForEach(bytesOf(file), (chunk) => {
    chunks.push(chunk)
    length += chunk.length
    return length > longestBody
      ? Effect.fail(new UsageError({ message: `${name} is longer than 1 MiB, which is more than a body may have` }))
      : Effect.void
  }).pipe(
    Effect.catchTag("PlatformError", ({ reason }) =>
      Effect.fail(
        new UsageError({
          message: reason._tag === "NotFound" ? `there is no file ${name}` : `cannot read ${name}: ${reason._tag}`
        })
      )
    )
  )
  const noJson = (why: string) => new UsageError({ message: `${name} is not JSON in UTF-8: ${why}` })
  const text = yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)),
    catch: (cause) => noJson(cause instanceof Error ? cause.message : String(cause))
  })
  const json = readJson(text, { depth: deepestBody })
  switch (json.is) {
    case "json":
      return json.value
    case "repeated":
      return yield* new UsageError({
        message: notSent,
        problems: repeatedNameIssues(json.repeats).map((issue) => issue.message)
      })
    case "notJson":
      return yield* noJson(json.why)
    default:
      return yield* noJson(`it is nested deeper than the ${deepestBody} levels that a body may have`)
  }
})

/** What `--set name=value` means: by the property's kind; what does not fit stays text, for the schema to refuse in words. */
const valueOf = (name: string, text: string): unknown => {
  const kind = property(name)?.kind
  if (text === "null") return null
  if (kind === "boolean" && (text === "true" || text === "false")) return text === "true"
  if (kind === "score" && text.trim() !== "" && Number.isFinite(Number(text))) return Number(text)
  return text
}

const setOf = (set: ReadonlyArray<string>): Effect.Effect<ReadonlyMap<string, unknown>, UsageError> => {
  const values = new Map<string, unknown>()
  const problems: Array<string> = []
  for (const text of set) {
    const at = text.indexOf("=")
    const name = text.slice(0, at)
    if (at < 1) problems.push(`"${text}" is no name=value; write, for example, --set model=X`)
    else if (values.has(name)) problems.push(`${name} is set twice`)
    else values.set(name, valueOf(name, text.slice(at + 1)))
  }
  return problems.length === 0
    ? Effect.succeed(values)
    : Effect.fail(new UsageError({ message: "--set cannot be understood", problems }))
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The body that `--file` and `--set` give together, `--set` winning; checked before anything is sent. */
export const updateBody = Effect.fnUntraced(function* (options: {
  readonly file: string | undefined
  readonly set: ReadonlyArray<string>
}): Effect.fn.Return<DeviceUpdate, UsageError, FileSystem.FileSystem | Stdio.Stdio> {
  if (options.file === undefined && options.set.length === 0) {
    return yield* new UsageError({
      message: "nothing to update; name at least one property with --set name=value, or a body with --file"
    })
  }
  const fromFile = options.file === undefined ? {} : yield* read(options.file)
  const fromSet = yield* setOf(options.set)
  const body = isObject(fromFile) ? Object.fromEntries([...Object.entries(fromFile), ...fromSet]) : fromFile
  const parsed = parseDeviceUpdate(body)
  // A Graph ignores it, which would be no answer to somebody who asks for another one.
  const keyProblems = isObject(body) && Object.hasOwn(body, "id") ? ["id: a device keeps its id; leave it out"] : []
  if (parsed.success && keyProblems.length === 0) return parsed.data
  return yield* new UsageError({
    message: notSent,
    problems: [...keyProblems, ...(parsed.success ? [] : parsed.issues.map((issue) => issue.message))]
  })
})
