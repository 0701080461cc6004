import { X509Certificate, createPrivateKey } from "node:crypto"
import { readFile } from "node:fs/promises"
import type { Authentication } from "../http/auth.ts"
import type { Backend } from "../http/backend.ts"
import { silent } from "../http/observation.ts"
import { type Settings, StartError } from "../settings/settings.ts"
import { type Audit, openAudit } from "./audit.ts"
import { gatewayBackend } from "./routes.ts"
import { type Proof, type UpstreamOptions, openUpstream } from "./upstream.ts"
import { writesTo } from "./writes.ts"

/** What stands behind the routes of a gateway. */
export interface Gateway {
  readonly backend: Backend
  /** Ends what is under way upstream, and closes the log of writes. */
  readonly close: () => Promise<void>
}

/** What a gateway works with besides its settings. */
export interface GatewayOptions extends Partial<
  Pick<UpstreamOptions, "credentialOptions" | "deadline" | "log" | "tracer">
> {
  /** How its callers prove who they are. */
  readonly authentication?: Authentication | undefined
}

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

/** Opens the way to the Graph of the settings. */
export const openGateway = async (
  settings: UpstreamOptions["settings"],
  { authentication, log = silent, ...options }: GatewayOptions = {}
): Promise<Gateway> => {
  const proof = await proofOf(settings)
  const audit = await auditAt(settings)
  const onBehalfOf = settings.upstreamAuth === "on-behalf-of" ? authentication : undefined
  const upstream = openUpstream({ ...options, settings, proof, log, onBehalfOf })
  return {
    backend: gatewayBackend(upstream, writesTo(upstream, audit, log), settings.upstreamRoutes),
    close: async () => {
      await upstream.close()
      await audit?.close()
    }
  }
}
