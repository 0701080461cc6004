import { X509Certificate, createPrivateKey, randomUUID } from "node:crypto"
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { type Settings, StartError } from "../settings/settings.ts"

/** What a server needs to speak TLS. */
export interface Identity {
  readonly cert: string
  readonly key: string
  /** Path of the certificate that was made here, which nobody trusts before they are told to. */
  readonly made?: string
}

const names = { dns: "localhost", ip: ["127.0.0.1", "::1"] }

const day = 86_400_000

/** Apple's systems take none that is valid for longer than 398 days. */
const lifetimeDays = 397

/** One that ends sooner is made anew at a start. */
const leastDays = 30

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"

/** A certificate of no authority, that can sign no other. */
const made = async (now: Date): Promise<string> => {
  // Imported when needed: a start that finds one, or needs none, has no use for it.
  const { generate } = await import("selfsigned")
  const { cert, private: key } = await generate([{ name: "commonName", value: "workanywhere local service" }], {
    keyType: "ec",
    algorithm: "sha256",
    notBeforeDate: new Date(now.getTime() - day),
    notAfterDate: new Date(now.getTime() + (lifetimeDays - 1) * day),
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [{ type: 2, value: names.dns }, ...names.ip.map((ip) => ({ type: 7 as const, ip }))]
      }
    ]
  })
  return `${key.trim()}\n${cert.trim()}\n`
}

const partsOf = (pem: string): { readonly cert: string; readonly key: string } => {
  const at = pem.indexOf("-----BEGIN CERTIFICATE")
  return { key: pem.slice(0, at), cert: pem.slice(at) }
}

/** Whether what was kept will do for a while longer. */
const isUsable = (pem: string, now: Date): boolean => {
  try {
    const { cert, key } = partsOf(pem)
    const certificate = new X509Certificate(cert)
    return (
      certificate.checkPrivateKey(createPrivateKey(key)) &&
      names.ip.every((ip) => certificate.checkIP(ip) !== undefined) &&
      certificate.validFromDate <= now &&
      certificate.validToDate.getTime() - now.getTime() > leastDays * day
    )
  } catch {
    return false
  }
}

/** Writes a file as a whole or not at all, for nobody but its owner. */
const keep = async (path: string, content: string, place: (from: string, to: string) => Promise<void>) => {
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, content, { mode: 0o600, flag: "wx" })
  try {
    await place(draft, path)
  } finally {
    await rm(draft, { force: true })
  }
}

const kept = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, "utf8")
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/**
 * The certificate for loopback names that is kept in a folder, made where there is none that will do. Several services may
 * start at once: key and certificate are in one file, and the first to put it there wins.
 */
export const loopbackIdentity = async (folder: string, now = new Date()): Promise<Identity> => {
  const both = join(folder, "localhost-key.pem")
  const certificate = join(folder, "localhost.pem")
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    let pem = await kept(both)
    if (pem === undefined || !isUsable(pem, now)) {
      const isFirst = pem === undefined
      await keep(both, await made(now), isFirst ? link : rename).catch((error: unknown) => {
        if (!(isFirst && error instanceof Error && "code" in error && error.code === "EEXIST")) throw error
      })
      pem = await readFile(both, "utf8")
    }
    const { cert, key } = partsOf(pem)
    // What others are told to trust has no key in it.
    if ((await kept(certificate)) !== cert) await keep(certificate, cert, rename)
    return { cert, key, made: certificate }
  } catch (error) {
    throw new StartError(`cannot keep a certificate in ${folder}: ${reasonOf(error)}`, { cause: error })
  }
}

const readPem = async (path: string, what: string): Promise<string> => {
  try {
    return await readFile(path, "utf8")
  } catch (error) {
    throw new StartError(`cannot read the ${what} ${path}: ${reasonOf(error)}`, { cause: error })
  }
}

/** The certificate and the key of two files. What they hold is not for a message. */
const givenIdentity = async (certificate: string, key: string): Promise<Identity> => {
  const identity = { cert: await readPem(certificate, "certificate"), key: await readPem(key, "private key") }
  try {
    if (new X509Certificate(identity.cert).checkPrivateKey(createPrivateKey(identity.key))) return identity
  } catch {
    // What is missing is in the line below.
  }
  throw new StartError(
    `the certificate ${certificate} and the private key ${key} do not fit: expected PEM, without a passphrase`
  )
}

/** What the service identifies itself with; nothing while it speaks plain HTTP. `folder` is the user's own for data. */
export const identityFor = async (
  { store, tls }: Pick<Settings, "store" | "tls">,
  folder: string
): Promise<Identity | undefined> => {
  if (tls === "off") return undefined
  if (tls !== "auto") return givenIdentity(tls.certificate, tls.key)
  return loopbackIdentity(join(store.startsWith("sqlite:") ? dirname(store.slice("sqlite:".length)) : folder, "tls"))
}

/** How the programs that people use are told to trust a certificate. */
export const trustLines = (certificate: string, url: string): ReadonlyArray<string> => [
  `the certificate is ${certificate}; to make programs trust it:`,
  `  Node        NODE_EXTRA_CA_CERTS="${certificate}" node …`,
  `  curl        curl --cacert "${certificate}" ${url}/beta`,
  process.platform === "win32"
    ? `  PowerShell  Import-Certificate -FilePath "${certificate}" -CertStoreLocation Cert:\\CurrentUser\\Root`
    : `  PowerShell  SSL_CERT_FILE="${certificate}" pwsh`
]
