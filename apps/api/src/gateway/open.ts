import { X509Certificate, createPrivateKey } from "node:crypto"
import { readFile } from "node:fs/promises"
import type { Hono } from "hono"
import { type Surroundings, appOver, silent } from "../app.ts"
import { type Audit, openAudit } from "./audit.ts"
import type { Settings } from "../settings/config.ts"
import { gatewayBackend } from "./routes.ts"
import { writesTo } from "./writes.ts"
import { type Proof, type UpstreamOptions, openUpstream } from "./upstream.ts"
import type { Env } from "../http/reply.ts"
import { StartError } from "../service.ts"

/** A gateway without a port. */
export interface Gateway {
  readonly app: Hono<Env>
  /** Ends what is under way upstream, and closes the log of writes. */
  readonly close: () => Promise<void>
}

/** What a gateway works with besides its settings. */
export interface GatewayOptions
  extends Surroundings, Pick<UpstreamOptions, "credentialOptions" | "deadline" | "tracer"> {}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const secretIn = async (path: string): Promise<string> => {
  try {
    const secret = (await readFile(path, "utf8")).trim()
    if (secret === "") throw new Error("it is empty")
    return secret
  } catch (error) {
    throw new StartError(`cannot read the client secret ${path}: ${reasonOf(error)}`, { cause: error })
  }
}

/** Looks at the file now: else it would fail with the first request. What it holds is not for a message. */
const certificateAt = async (path: string): Promise<string> => {
  let pem: string
  try {
    pem = await readFile(path, "utf8")
  } catch (error) {
    throw new StartError(`cannot read the certificate ${path}: ${reasonOf(error)}`, { cause: error })
  }
  try {
    if (new X509Certificate(pem).checkPrivateKey(createPrivateKey(pem))) return path
  } catch {
    // What is missing is in the line below.
  }
  throw new StartError(`the certificate ${path} does not fit: expected PEM with a certificate and its private key`)
}

const proofOf = async (settings: Settings): Promise<Proof | undefined> => {
  const { upstreamCertificate, upstreamClientSecret, upstreamClientSecretFile } = settings
  if (upstreamClientSecret !== undefined) return { clientSecret: upstreamClientSecret() }
  if (upstreamClientSecretFile !== undefined) return { clientSecret: await secretIn(upstreamClientSecretFile) }
  if (upstreamCertificate !== undefined) return { certificatePath: await certificateAt(upstreamCertificate) }
  return undefined
}

const auditAt = async ({ audit, upstreamWrites }: Settings): Promise<Audit | undefined> => {
  if (audit === undefined || upstreamWrites === "off") return undefined
  try {
    return await openAudit(audit)
  } catch (error) {
    throw new StartError(`cannot keep the log of writes ${audit}: ${reasonOf(error)}`, { cause: error })
  }
}

/** The service as a gateway to the Graph of its settings. */
export const openGateway = async (
  settings: UpstreamOptions["settings"],
  { credentialOptions, deadline, tracer, ...surroundings }: GatewayOptions = {}
): Promise<Gateway> => {
  const { authentication, log = silent } = surroundings
  const proof = await proofOf(settings)
  const audit = await auditAt(settings)
  const onBehalfOf = settings.upstreamAuth === "on-behalf-of" ? authentication : undefined
  const upstream = openUpstream({ settings, proof, log, onBehalfOf, credentialOptions, deadline, tracer })
  const backend = gatewayBackend(upstream, writesTo(upstream, audit, log), settings.upstreamRoutes)
  return {
    app: appOver(backend, surroundings),
    close: async () => {
      await upstream.close()
      await audit?.close()
    }
  }
}
