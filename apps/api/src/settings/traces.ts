/** Which traces are kept, by OpenTelemetry's names. */
const samplers = [
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
  "always_on",
  "always_off",
  "traceidratio"
] as const
export type Sampler = (typeof samplers)[number]

/** Where traces go, and which. */
export interface TraceSettings {
  /** The whole address of the collector. */
  readonly url: string
  readonly protocol: "http/json" | "http/protobuf"
  /** What the collector wants to be sent, such as a key; a function, so that nothing shows them by accident. */
  readonly headers: () => Readonly<Record<string, string>>
  /** After how many milliseconds a batch is given up. */
  readonly timeoutMillis: number
  readonly serviceName: string
  /** What else is said of this service. */
  readonly attributes: Readonly<Record<string, string>>
  readonly sampler: Sampler
  /** The share of traces that the samplers of that name keep, from 0 to 1. */
  readonly ratio: number
}

type Environment = Readonly<Record<string, string | undefined>>

type Read<A> = { readonly value: A } | { readonly problem: string }

const isProblem = <A>(read: Read<A>): read is { readonly problem: string } => "problem" in read

const valueOf = <A>(read: Read<A>, instead: A): A => (isProblem(read) ? instead : read.value)

/** An empty variable is one that is not set: OpenTelemetry wants it so. */
const textIn = (
  env: Environment,
  ...names: ReadonlyArray<string>
): readonly [name: string, text: string] | undefined => {
  for (const name of names) {
    const text = env[name]?.trim()
    if (text !== undefined && text !== "") return [name, text]
  }
  return undefined
}

const addressIn = (env: Environment): Read<string | undefined> => {
  const found = textIn(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
  if (found === undefined) return { value: undefined }
  const [name, text] = found
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    return { problem: `${name}: expected an http or https URL without a user and password` }
  }
  if (name === "OTEL_EXPORTER_OTLP_ENDPOINT") url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/traces`
  return { value: url.href }
}

const choiceIn = <A extends string>(
  env: Environment,
  names: ReadonlyArray<string>,
  choices: ReadonlyArray<A>,
  standard: A
): Read<A> => {
  const found = textIn(env, ...names)
  if (found === undefined) return { value: standard }
  const choice = choices.find((one) => one === found[1])
  return choice === undefined ? { problem: `${found[0]}: expected one of ${choices.join(", ")}` } : { value: choice }
}

const numberIn = (
  env: Environment,
  names: ReadonlyArray<string>,
  { least, most, standard }: { readonly least: number; readonly most: number; readonly standard: number }
): Read<number> => {
  const found = textIn(env, ...names)
  if (found === undefined) return { value: standard }
  const value = Number(found[1])
  return value >= least && value <= most
    ? { value }
    : { problem: `${found[0]}: expected a number from ${least} to ${most}` }
}

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text.trim())
  } catch {
    return undefined
  }
}

/** Pairs as `name=value,name=value`, percent-encoded. What is wrong is not repeated: values may be secret. */
const pairsIn = (env: Environment, ...names: ReadonlyArray<string>): Read<Readonly<Record<string, string>>> => {
  const found = textIn(env, ...names)
  if (found === undefined) return { value: {} }
  const pairs: Array<readonly [string, string]> = []
  for (const part of found[1].split(",").filter((text) => text.trim() !== "")) {
    const at = part.indexOf("=")
    const name = decoded(part.slice(0, Math.max(at, 0)))
    const value = decoded(part.slice(at + 1))
    if (name === undefined || name === "" || value === undefined) {
      return { problem: `${found[0]}: expected name=value pairs, comma separated and percent-encoded` }
    }
    pairs.push([name, value])
  }
  return { value: Object.fromEntries(pairs) }
}

const headersIn = (env: Environment): Read<Readonly<Record<string, string>>> => {
  const names = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]
  const pairs = pairsIn(env, ...names)
  if (isProblem(pairs)) return pairs
  const isSendable = Object.entries(pairs.value).every(
    ([name, value]) => /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\x20-\x7e]*$/.test(value)
  )
  if (isSendable) return pairs
  return { problem: `${textIn(env, ...names)?.[0]}: expected names and values that headers may have` }
}

/**
 * Where traces go, by OpenTelemetry's standard variables: nowhere, while no endpoint is set. Only the variables that are
 * listed in the README are read.
 */
export const readTraceSettings = (
  env: Environment
): { readonly traces: TraceSettings | undefined; readonly problems: ReadonlyArray<string> } => {
  const isDisabled = env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true"
  if (isDisabled || env["OTEL_TRACES_EXPORTER"]?.trim() === "none") return { traces: undefined, problems: [] }
  const address = addressIn(env)
  if (!isProblem(address) && address.value === undefined) return { traces: undefined, problems: [] }

  const protocol = choiceIn(
    env,
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"],
    ["http/protobuf", "http/json"] as const,
    "http/protobuf"
  )
  const headers = headersIn(env)
  const timeout = numberIn(env, ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"], {
    least: 1,
    most: 600_000,
    standard: 10_000
  })
  const attributes = pairsIn(env, "OTEL_RESOURCE_ATTRIBUTES")
  const sampler = choiceIn(env, ["OTEL_TRACES_SAMPLER"], samplers, "parentbased_always_on")
  const ratio = numberIn(env, ["OTEL_TRACES_SAMPLER_ARG"], { least: 0, most: 1, standard: 1 })

  const { "service.name": named, ...others } = valueOf(attributes, {})
  return {
    problems: [address, protocol, headers, timeout, attributes, sampler, ratio].flatMap((read: Read<unknown>) =>
      isProblem(read) ? [read.problem] : []
    ),
    traces: {
      url: valueOf(address, undefined) ?? "",
      protocol: valueOf(protocol, "http/protobuf"),
      headers: () => valueOf(headers, {}),
      timeoutMillis: valueOf(timeout, 0),
      serviceName: textIn(env, "OTEL_SERVICE_NAME")?.[1] ?? named ?? "wfa-api",
      attributes: others,
      sampler: valueOf(sampler, "always_off"),
      ratio: valueOf(ratio, 0)
    }
  }
}
