import type { TokenCredentialOptions } from "@azure/identity"
import type { GraphVersion } from "@workanywhere/domain"
import {
  type Answered,
  type GraphClientOptions,
  type TokenSource,
  CurrentFlow,
  GraphClient,
  GraphError,
  publishedBudget,
  timesAsFast
} from "@workanywhere/graph-client"
import type { IdentityOptions, SignIn } from "@workanywhere/graph-client/identity"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as ScopedCache from "effect/ScopedCache"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type { HttpClient } from "effect/http/HttpClient"
import type { Context as RequestContext } from "hono"
import { ApiError } from "../http/api-error.ts"
import type { Dispatch } from "../http/batch.ts"
import { type Env, sharedTenant } from "../http/env.ts"
import type { Log } from "../http/observation.ts"
import type { Settings } from "../settings/settings.ts"
import type { WriteOutcome } from "./audit.ts"
import { type Bundle, makeBundle } from "./bundle.ts"
import { type OnBehalfOf, UpstreamFailure, failureOf, retryAfter } from "./failure.ts"
import { probeOf, readinessBy } from "./readiness.ts"
import type { Passed } from "./request.ts"

/** The Graph that requests are passed on to. */
export interface Upstream {
  /** Its root. */
  readonly origin: string
  /** Sends a request for a caller; fails with an `ApiError` that says what the upstream said. */
  readonly send: (c: RequestContext<Env>, request: Passed) => Promise<Answered>
  /** Has the items of a batch sent in batches: what they ask at the same time goes together. */
  readonly bundled: (c: RequestContext<Env>, dispatch: Dispatch) => Dispatch
  /** Fails while it does not answer. */
  readonly ready: () => Promise<void>
  readonly close: () => Promise<void>
}

/** What it takes to sign in; the secrets are values by now. */
export type Proof = { readonly clientSecret: string } | { readonly certificatePath: string }

/** What an upstream is made from. */
export interface UpstreamOptions {
  readonly settings: Settings & { readonly upstream: string }
  readonly proof: Proof | undefined
  readonly log: Log
  readonly onBehalfOf: OnBehalfOf
  /** Who is told of the spans of requests to the upstream, which are below those of the requests to this service. */
  readonly tracer?: Tracer.Tracer | undefined
  /** Passed on to `@azure/identity`. */
  readonly credentialOptions?: TokenCredentialOptions | undefined
  /** Ends a request with all its waits. */
  readonly deadline?: Duration.Input | undefined
}

/** A write takes two requests, and after a minute without a byte the server ends the connection. */
const standardDeadline = Duration.seconds(25)
const attempts = 4

/** Callers on whose behalf tokens are kept; the one that was there the longest makes room. */
const mostCallers = 1_000

/** Of one caller, batch items counted one by one. */
const mostWaiting = 200
/** Of all callers together. */
const mostUnderWay = 5_000

/** For whom a client asks: equal when its fields are. */
class ClientKey extends Data.Class<{
  readonly version: GraphVersion
  readonly tenant: string
  readonly assertion: Redacted.Redacted | undefined
}> {}

class Clients extends Context.Service<Clients, ScopedCache.ScopedCache<ClientKey, GraphClient["Service"]>>()(
  "@workanywhere/api/Clients"
) {}

const budgetOf = (budget: Settings["upstreamBudget"]): Pick<GraphClientOptions, "budget"> => {
  if (budget === "auto") return {}
  return { budget: budget === "off" ? "unlimited" : timesAsFast(publishedBudget, budget.timesAsFast) }
}

/** Imported when needed: it would be a good part of the time that a start takes. */
const signInWith = (how: SignIn, identity: IdentityOptions): TokenSource => {
  const source = Effect.runSync(
    Effect.cached(
      Effect.promise(async () => (await import("@workanywhere/graph-client/identity")).signIn(how, identity))
    )
  )
  return (need) => Effect.flatMap(source, (token) => token(need))
}

const tokensFor = ({ credentialOptions, proof, settings }: UpstreamOptions) => {
  const { authority, upstream, upstreamClientId: clientId = "" } = settings
  const identity = {
    scope: `${upstream}/.default`,
    credentialOptions: { authorityHost: authority, ...credentialOptions }
  }
  return ({ assertion, tenant: tenantId }: Pick<ClientKey, "tenant" | "assertion">): TokenSource | undefined => {
    if (proof === undefined) return undefined
    const app = { tenantId, clientId }
    const own = "clientSecret" in proof ? { clientSecret: Redacted.make(proof.clientSecret) } : proof
    if (assertion !== undefined) return signInWith({ with: "onBehalfOf", ...app, assertion, ...own }, identity)
    return "clientSecret" in own
      ? signInWith({ with: "clientSecret", ...app, ...own }, identity)
      : signInWith({ with: "certificate", ...app, ...own }, identity)
  }
}

const clientLayer = (options: UpstreamOptions) => {
  const { deadline = standardDeadline, log, settings } = options
  const tokenFor = tokensFor(options)
  return ({ assertion, tenant, version }: ClientKey) => {
    const token = tokenFor({ assertion, tenant })
    return GraphClient.layer({
      baseUrl: `${settings.upstream}/${version}`,
      tenant,
      app: settings.upstreamClientId ?? "gateway",
      attempts,
      deadline,
      longestWait: Duration.seconds(settings.upstreamLongestWaitSeconds),
      ...budgetOf(settings.upstreamBudget),
      ...(token === undefined ? {} : { token }),
      onRepeat: ({ error, waitMillis }) =>
        Effect.sync(() => {
          const { clientRequestId, method, status, template } = error
          log.info({ method, template, status, waitMillis, clientRequestId }, "the upstream is asked again")
        })
    })
  }
}

const cancelled = (outcome: WriteOutcome): UpstreamFailure =>
  new UpstreamFailure(
    { outcome, upstream: {} },
    "serviceNotAvailable",
    "The caller went away before there was an answer.",
    // As nginx calls it; nobody is there to read it but the log.
    { saidBefore: { status: 499, code: "clientClosedRequest" } }
  )

const overloaded = (): ApiError =>
  new ApiError("TooManyRequests", "Too many requests wait for the upstream already.", {
    headers: { "retry-after": "5" }
  })

const flowOf = (c: RequestContext<Env>): { readonly name: string; readonly mostWaiting: number } => ({
  name: JSON.stringify([c.get("app"), c.get("user") ?? ""]),
  mostWaiting
})

/** Passes requests on to another Graph, through the one runtime there is. */
export const openUpstream = (options: UpstreamOptions): Upstream => {
  const { deadline = standardDeadline, log, onBehalfOf, settings, tracer } = options
  const { upstream: origin, upstreamAuth, upstreamLongestWaitSeconds: longestWaitSeconds, upstreamTenant } = settings
  const told = { onBehalfOf, longestWaitSeconds }
  const layerOf = clientLayer(options)

  const clients = Layer.effect(
    Clients,
    ScopedCache.make({
      capacity: mostCallers,
      lookup: (key: ClientKey) => Effect.orDie(Effect.map(Layer.build(layerOf(key)), Context.get(GraphClient))),
      requireServicesAt: "construction"
    })
  )
  const runtime = ManagedRuntime.make(Layer.provideMerge(clients, FetchHttpClient.layer))

  const tenantOf = (c: RequestContext<Env>): string => {
    const tenant = c.get("tenant")
    return tenant === sharedTenant ? (upstreamTenant ?? sharedTenant) : tenant
  }

  const keyOf = (c: RequestContext<Env>, version: GraphVersion): ClientKey => {
    if (upstreamAuth !== "on-behalf-of") return new ClientKey({ version, tenant: tenantOf(c), assertion: undefined })
    if (c.get("user") === undefined) {
      throw new ApiError(
        "Forbidden",
        "This gateway asks its upstream on behalf of users, and the access token is an app's own: sign in as a user."
      )
    }
    // Admission has proven it, and that it was made for this service.
    const assertion = Redacted.make(c.req.header("authorization")?.split(" ")[1] ?? "")
    return new ClientKey({ version, tenant: tenantOf(c), assertion })
  }

  const tracedBelow = <A, E, R>(span: Tracer.Span | undefined, effect: Effect.Effect<A, E, R>) =>
    tracer === undefined || span === undefined
      ? effect
      : effect.pipe(Effect.withParentSpan(span), Effect.provideService(Tracer.Tracer, tracer))

  const using = <A>(
    c: RequestContext<Env>,
    key: ClientKey,
    use: (client: GraphClient["Service"]) => Effect.Effect<A, GraphError>
  ) =>
    Clients.use((cache) => ScopedCache.get(cache, key)).pipe(
      Effect.flatMap(use),
      Effect.provideService(CurrentFlow, flowOf(c)),
      (effect) => tracedBelow(c.get("span"), effect)
    )

  let underWay = 0
  const run = async <A>(effect: Effect.Effect<A, GraphError, Clients | HttpClient>, signal: AbortSignal) => {
    if (signal.aborted) throw cancelled("failed")
    if (underWay >= mostUnderWay) throw overloaded()
    underWay += 1
    try {
      return await runtime.runPromiseExit(effect, { signal })
    } finally {
      underWay -= 1
    }
  }

  /** The answer, or what the caller is told in its place. */
  const valueOf = <A>(exit: Exit.Exit<A, GraphError>): A => {
    if (Exit.isSuccess(exit)) return exit.value
    if (Cause.hasInterruptsOnly(exit.cause)) throw cancelled("unknown")
    const error = Cause.squash(exit.cause)
    throw error instanceof GraphError ? failureOf(error, told) : error
  }

  const alone = async (c: RequestContext<Env>, key: ClientKey, passed: Passed): Promise<Answered> => {
    const { version: _, ...request } = passed
    const clientRequestId = c.get("clientRequestId")
    const effect = using(c, key, (client) => client.request({ ...request, clientRequestId }))
    return valueOf(await run(effect, c.req.raw.signal))
  }

  const bundleFor = (batch: RequestContext<Env>): Bundle =>
    makeBundle(
      async (requests) => {
        const [first] = requests
        if (first === undefined) return []
        const items = requests.map(({ body, headers = {}, method, url }) => ({
          method,
          url,
          headers,
          ...(body === undefined ? {} : { body })
        }))
        // The items of a batch are of one caller, and below one version.
        const effect = using(batch, keyOf(batch, first.version), (client) => client.batch(items, { readBack: true }))
        return valueOf(await run(effect, batch.req.raw.signal))
      },
      (error) => failureOf(error, told)
    )

  /** What the items of batches are sent with. */
  const bundles = new WeakMap<Request, Bundle>()

  const sent = async (c: RequestContext<Env>, request: Passed): Promise<Answered> => {
    const key = keyOf(c, request.version)
    return bundles.get(c.req.raw)?.send(request) ?? alone(c, key, request)
  }

  const tenants = settings.tenants.length === 0 ? [upstreamTenant ?? sharedTenant] : settings.tenants

  /** For how long the upstream wants nothing of a tenant. */
  const closedMillis = async (tenant: string): Promise<number> => {
    const key = new ClientKey({ version: "v1.0", tenant, assertion: undefined })
    const client = await runtime.runPromise(Clients.use((cache) => ScopedCache.get(cache, key)))
    const pacing = await runtime.runPromise(Stream.runHead(client.pacing("read")))
    return Option.match(pacing, { onNone: () => 0, onSome: ({ closedForMillis }) => closedForMillis })
  }

  /** For how long nobody's request can go through; 0 while somebody's could, if it waits as long as it may. */
  const closedForAllMillis = async (): Promise<number> => {
    const mostMillis = Duration.toMillis(Duration.fromInputUnsafe(deadline))
    let shortest = Infinity
    for (const tenant of tenants) {
      shortest = Math.min(shortest, await closedMillis(tenant))
      if (shortest < mostMillis) return 0
    }
    return shortest
  }

  const isReady = readinessBy(
    () => {
      const [tenant = sharedTenant] = tenants
      const isOwn = upstreamAuth === "client-credentials"
      return runtime.runPromiseExit(
        probeOf(origin, tenant, isOwn ? tokensFor(options)({ tenant, assertion: undefined }) : undefined)
      )
    },
    ({ cause }) => log.error({ err: Cause.squash(cause) }, "the upstream does not answer")
  )

  return {
    origin,
    send: async (c, request) => {
      try {
        return await sent(c, request)
      } catch (error) {
        if (error instanceof UpstreamFailure && error.status >= 500) {
          const { code, message: problem, status, upstream: said } = error
          const { requestId: upstreamRequestId, status: upstreamStatus } = said
          log.error(
            { requestId: c.get("requestId"), status, code, problem, upstreamStatus, upstreamRequestId },
            "the upstream did not do what it was asked"
          )
        }
        throw error
      }
    },
    bundled: (c, dispatch) => {
      const bundle = bundleFor(c)
      return (request, bindings) => {
        bundles.set(request, bundle)
        return bundle.during(async () => dispatch(request, bindings))
      }
    },
    ready: async () => {
      const seconds = Math.ceil((await closedForAllMillis()) / 1_000)
      if (seconds > 0) {
        const message = `The upstream asked to wait: nothing is sent to it for another ${seconds} seconds.`
        throw new ApiError("serviceNotAvailable", message, { headers: retryAfter(seconds) })
      }
      if (await isReady()) return
      throw new ApiError(
        "serviceNotAvailable",
        "The upstream does not answer, or does not take the gateway's credentials."
      )
    },
    close: () => runtime.dispose()
  }
}
