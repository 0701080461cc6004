import { once } from "node:events"
import { Agent, request } from "node:http"
import { connect } from "node:net"
import { setTimeout } from "node:timers/promises"
import { isDeepStrictEqual } from "node:util"
import { type Page, enumOf, graphErrorStatus, properties, unknownFutureValue, wholeDevice } from "@workanywhere/domain"
import { type Batch, type Bytes, type Request, type Step, type Write, devicesOfCaller, written } from "./hostile.ts"
import { devices } from "./victim.ts"

/** What is besieged, and by whom. */
export interface Besieged {
  /** Root of the service. */
  readonly url: string
  /** A token that may read and write; "" where nobody asks for one. */
  readonly token: string
  /** Tells callers of one play from those of another: each has devices of its own. */
  readonly name: string
}

/** What came of it so far. */
export interface Siege {
  /** How often each status was answered, of each item of a batch as well; 0 is a connection that ended before. */
  readonly statuses: Readonly<Record<string, number>>
  /** Requests that were sent, of which a batch is one. */
  readonly sent: number
  /** Creations, updates and deletions that were acknowledged; and those whose outcome had to be read. */
  readonly acknowledged: number
  readonly unknown: number
}

type Device = Readonly<Record<string, unknown>>

interface Answer {
  readonly status: number
  readonly text: string
  readonly contentType: string
}

interface Sent {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

const json = { "content-type": "application/json" }
const mostSentences = 50

/** What may be told of whoever is not at fault: come again later, and that a query takes too long. */
const passing: ReadonlySet<number> = new Set([503, 504, 507])

/** Ids hold what is awkward in an address, in a filter and in SQL. */
const awkward = [
  "a",
  "it's",
  "ä€",
  "a b",
  "50%",
  "a(b)",
  "\u{1F600}",
  "a+b",
  "a&b=c",
  "a#b",
  "a?b",
  "'",
  '"',
  "..",
  "a\\b",
  "a;b"
]

const idOf = ({ name }: Besieged, caller: number, device: number): string =>
  `${name} ${caller} ${device} ${awkward[device % awkward.length]}`

const keyOf = (id: string): string => encodeURIComponent(id).replaceAll("'", "%27")

/** As JSON has it, which knows no -0 and nothing undefined, and without what only describes it. */
const asRead = (device: object): Device =>
  Object.fromEntries(
    Object.entries(JSON.parse(JSON.stringify(device)) as object).filter(([name]) => !name.includes("@odata."))
  )

const enums: ReadonlySet<string> = new Set(
  properties.filter(({ kind }) => enumOf(kind) !== undefined).map(({ name }) => name)
)

/** What an update leaves: an enum that is said to be something later stays as it is, as the description of the route says. */
const updated = (before: Device, body: object): Device => {
  const changes = Object.entries(body).filter(([name, value]) => !(enums.has(name) && value === unknownFutureValue))
  return asRead({ ...before, ...Object.fromEntries(changes) })
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What is wrong with the body of a refusal, if anything is. */
const faultOf = (status: number, body: unknown): string | undefined => {
  const { error } = (typeof body === "object" && body !== null ? body : {}) as {
    readonly error?: { readonly code?: unknown; readonly message?: unknown }
  }
  if (typeof error?.message !== "string" || error.message === "") return "is no error of Graph's"
  const expected: unknown = Reflect.get(graphErrorStatus, String(error.code))
  return expected === status ? undefined : `has the code ${String(error.code)}`
}

/** The answers in what came over a connection, as far as they are whole. */
const answersIn = (text: string): ReadonlyArray<Answer> => {
  const answers: Array<Answer> = []
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\r\n\r\n", at)
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text.slice(at, at + 12))?.[1])
    if (end === -1 || Number.isNaN(status)) return answers
    const lines = text.slice(at, end).toLowerCase()
    const length = Number(/\r\ncontent-length: (\d+)/.exec(lines)?.[1] ?? 0)
    const contentType = /\r\ncontent-type: ([^\r]*)/.exec(lines)?.[1] ?? ""
    at = end + 4 + length
    if (at > text.length) return answers
    answers.push({ status, contentType, text: text.slice(end + 4, at) })
  }
  return answers
}

/** After whose answer the service ends the connection. */
const lastRequest = Buffer.from("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

/** Callers that do one thing after the other, so many of them at once, and what must be there because of it. */
export const besiege = (target: Besieged, callers: number) => {
  const agent = new Agent({ keepAlive: true })
  const held = new Map<string, Device>()
  const statuses: Record<string, number> = {}
  const tally = { sent: 0, acknowledged: 0, unknown: 0 }

  let recent: Array<string> = []

  const breach = (sentence: string): void => {
    if (recent.length < mostSentences) recent.push(sentence)
  }

  const note = (status: number): void => {
    statuses[status] = (statuses[status] ?? 0) + 1
  }

  const authorization = target.token === "" ? {} : { authorization: `Bearer ${target.token}` }

  const send = ({ method, path, headers, body }: Sent): Promise<Answer> =>
    new Promise((resolve) => {
      tally.sent += 1
      const failed = (): void => resolve({ status: 0, text: "", contentType: "" })
      const exchange = request(
        `${target.url}${path}`,
        { agent, method, headers: { ...authorization, ...headers } },
        (response) => {
          const chunks: Array<Buffer> = []
          response
            .on("data", (chunk: Buffer) => chunks.push(chunk))
            .once("error", failed)
            .once("end", () => {
              const contentType = response.headers["content-type"] ?? ""
              resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString(), contentType })
            })
        }
      )
      exchange.once("error", failed).end(body)
    })

  /** Of whatever was answered: a refusal says why, and nobody is told that the service has a fault. */
  const judge = (what: string, status: number, body: unknown): void => {
    note(status)
    if (status >= 500 && !passing.has(status)) return breach(`${what} was answered with ${status}`)
    const fault = status >= 400 && body !== "not told" ? faultOf(status, body) : undefined
    if (fault !== undefined) breach(`the ${status} to ${what} ${fault}`)
  }

  const read = async (id: string): Promise<Device | undefined> => {
    const path = `/beta${devices}/${keyOf(id)}`
    for (let attempt = 1; attempt <= 100; attempt++) {
      const { status, text } = await send({ method: "GET", path, headers: { prefer: "include-unknown-enum-members" } })
      if (status !== 0) judge(`GET ${path}`, status, parsed(text))
      if (status === 404) return undefined
      if (status === 200) return asRead(JSON.parse(text) as object)
      await setTimeout(attempt)
    }
    breach(`${id} could not be read`)
    return undefined
  }

  const hold = (id: string, device: Device | undefined): void => {
    if (device === undefined) held.delete(id)
    else held.set(id, device)
  }

  const compare = (what: string, id: string, found: Device | undefined): void => {
    const expected = held.get(id)
    if (isDeepStrictEqual(found, expected)) return
    if (found === undefined || expected === undefined) {
      return breach(
        `${what}, ${id} is ${found === undefined ? "not there, but should be" : "there, but should not be"}`
      )
    }
    const differing = Object.keys({ ...found, ...expected }).filter((name) => found[name] !== expected[name])
    const told = differing.map(
      (name) => `${name} ${JSON.stringify(found[name])}, not ${JSON.stringify(expected[name])}`
    )
    breach(`${what}, ${id} has ${told.join("; ").slice(0, 1_000)}`)
  }

  /** A write by itself, and what the device is when it is made. */
  const meant = (id: string, { deletes, body, headers }: Write) => {
    const before = held.get(id)
    const path = `${devices}/${keyOf(id)}`
    if (before === undefined) {
      const device = { id, ...body }
      const after = asRead({ ...wholeDevice({ id }), ...body })
      return { method: "POST", path: devices, headers: { ...headers, ...json }, body: device, after }
    }
    if (deletes) return { method: "DELETE", path, headers, after: undefined }
    return { method: "PATCH", path, headers: { ...headers, ...json }, body, after: updated(before, body) }
  }

  type Meant = ReturnType<typeof meant>

  const settle = async (id: string, { after, method }: Meant, status: number, body: unknown): Promise<void> => {
    if (status >= 200 && status < 300) {
      tally.acknowledged += 1
      hold(id, after)
      // Without an answer that shows it, it is seen when it is read.
      if (status !== 204) compare(`after its ${method}`, id, asRead(body as object))
    } else if (status === 0 || passing.has(status)) {
      tally.unknown += 1
      const found = await read(id)
      if (isDeepStrictEqual(found, after)) hold(id, after)
      else compare("after a write without an answer", id, found)
    }
  }

  const play = {
    write: async (caller: number, step: Write): Promise<void> => {
      const id = idOf(target, caller, step.device)
      const write = meant(id, step)
      const { method, path, headers } = write
      const body = write.body === undefined ? {} : { body: JSON.stringify(write.body) }
      const { status, text } = await send({ method, path: `/beta${path}`, headers, ...body })
      judge(`${method} ${path}`, status, parsed(text))
      await settle(id, write, status, parsed(text))
    },

    batch: async (caller: number, { writes, others, isChain }: Batch): Promise<void> => {
      const own = writes.map((step) => {
        const id = idOf(target, caller, step.device)
        return { id, write: meant(id, step) }
      })
      const items = own.map(({ write: { method, path, headers, body } }, at) => ({
        id: `own ${at}`,
        method,
        url: path,
        headers,
        ...(body === undefined ? {} : { body }),
        ...(isChain && at > 0 ? { dependsOn: [`own ${at - 1}`] } : {})
      }))
      const body = JSON.stringify({ requests: [...items, ...others] })
      const { status, text } = await send({ method: "POST", path: "/beta/$batch", headers: json, body })
      const told = parsed(text)
      judge("a batch", status, told)
      const { responses = [] } = (status === 200 ? told : {}) as {
        readonly responses?: ReadonlyArray<{ readonly id: string; readonly status: number; readonly body?: unknown }>
      }
      for (const answer of responses) judge("an item of a batch", answer.status, answer.body ?? "not told")
      // Refused as a whole, nothing of it was done.
      if (status >= 400 && !passing.has(status)) return
      const byId = new Map(responses.map((answer) => [answer.id, answer]))
      for (const [at, { id, write }] of own.entries()) {
        const answer = byId.get(`own ${at}`)
        if (status === 200 && answer === undefined) breach("a batch did not answer to an item")
        await settle(id, write, answer?.status ?? 0, answer?.body)
      }
    },

    read: async (caller: number, { device }: { readonly device: number }): Promise<void> => {
      const id = idOf(target, caller, device)
      compare("when it is read", id, await read(id))
    },

    request: async (_: number, { method, path, headers, body, over }: Request): Promise<void> => {
      const what = `${method} ${path.slice(0, 200)}`
      const { status, text, contentType } = await send({
        method,
        path,
        headers,
        ...(body === undefined ? {} : { body: written(body) })
      })
      // Node itself answers heads that are too large or wrong, with nothing but the status.
      const isTold = contentType.includes("json") && method !== "HEAD"
      judge(
        what,
        status,
        isTold || (method !== "HEAD" && ![0, 400, 408, 417, 431].includes(status)) ? parsed(text) : "not told"
      )
      // A caller who goes on to send what is not read any more may have no answer.
      if (over === undefined || status === 0 || status === 429 || passing.has(status)) return
      if (status !== over.status || !text.includes(String(over.limit))) {
        breach(`${what}, over the limit of ${over.limit}, was answered with ${status}: ${text.slice(0, 300)}`)
      }
    },

    bytes: async (_: number, { bytes, manner }: Bytes): Promise<void> => {
      tally.sent += 1
      const { port, hostname } = new URL(target.url)
      const socket = connect(Number(port), hostname)
      const chunks: Array<Buffer> = []
      const closed = once(
        socket.on("data", (chunk: Buffer) => chunks.push(chunk)),
        "close"
      )
      // That its connection is ended is what such a caller has to expect.
      closed.catch(() => {})
      const sent = Buffer.from(written(bytes).replaceAll("{token}", target.token), "latin1")
      if (manner === "leaves") socket.write(sent, () => socket.destroy())
      else if (manner === "ends") socket.end(sent)
      else socket.write(Buffer.concat([sent, lastRequest]))
      await closed.catch(() => {})
      const answers = answersIn(Buffer.concat(chunks).toString("latin1"))
      for (const { status, text, contentType } of answers) {
        judge(
          `bytes such as ${JSON.stringify(bytes).slice(0, 200)}`,
          status,
          contentType.includes("json") ? parsed(text) : "not told"
        )
      }
      if (answers.length === 0) note(0)
    }
  }

  const take = (caller: number, step: Step): Promise<void> => {
    switch (step.is) {
      case "write":
        return play.write(caller, step)
      case "batch":
        return play.batch(caller, step)
      case "read":
        return play.read(caller, step)
      case "request":
        return play.request(caller, step)
      case "bytes":
        return play.bytes(caller, step)
    }
  }

  return {
    /** Lets each caller do one thing after the other, and all of them these steps; gives the promises that this broke. */
    play: async (steps: ReadonlyArray<Step>): Promise<ReadonlyArray<string>> => {
      recent = []
      const one = async (caller: number): Promise<void> => {
        for (let at = caller; at < steps.length; at += callers) await take(caller, steps[at]!)
      }
      await Promise.all(Array.from({ length: callers }, (_, caller) => one(caller)))
      return recent
    },
    /** Looks at everything that was written, by each device's key and in the list of all; gives the promises that are broken. */
    finish: async (): Promise<ReadonlyArray<string>> => {
      recent = []
      for (let caller = 0; caller < callers; caller++) {
        for (let device = 0; device < devicesOfCaller; device++) await play.read(caller, { device })
      }
      const listed = new Map<string, Device>()
      for (let next: string | undefined = `/beta${devices}?$top=999`; next !== undefined;) {
        const { status, text } = await send({
          method: "GET",
          path: next,
          headers: { prefer: "include-unknown-enum-members" }
        })
        judge("the list of all devices", status, parsed(text))
        if (status !== 200) return [...recent, `the list of all devices was answered with ${status}`]
        const page = JSON.parse(text) as Page<{ readonly id: string }>
        for (const device of page.value) {
          if (listed.has(device.id)) breach(`the list has ${device.id} twice`)
          listed.set(device.id, asRead(device))
        }
        next = page["@odata.nextLink"]?.slice(target.url.length)
      }
      for (const id of new Set([...held.keys(), ...listed.keys()])) {
        if (id.startsWith(`${target.name} `)) compare("in the list", id, listed.get(id))
      }
      return recent
    },
    /** What must be there, by its id. */
    held: (): ReadonlyMap<string, Device> => held,
    outcome: (): Siege => ({ ...tally, statuses: { ...statuses } }),
    close: () => agent.destroy()
  }
}
