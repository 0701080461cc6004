import { X509Certificate } from "node:crypto"
import { once } from "node:events"
import { chmod, readFile, readdir, stat, writeFile } from "node:fs/promises"
import { request } from "node:https"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { connect } from "node:tls"
import { describe, expect, it } from "vitest"
import { identityFor, loopbackIdentity, trustLines } from "../../src/http/certificate.ts"
import { httpServer, listen, serverLimits, startService } from "../../src/service.ts"
import { defaultSettings } from "../../src/settings/config.ts"
import { StartError } from "../../src/settings/settings.ts"
import { devicesPath, openedApp, temporaryFolder } from "../opened.ts"

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

const at = (text: string) => new Date(text)

/** What a service answers over TLS to who trusts a certificate. */
const got = async (url: string, ca: string) => {
  const asked = request(url, { ca })
  asked.end()
  const [response] = await once(asked, "response")
  return { status: response.statusCode as number, body: JSON.parse(await text(response)) as Record<string, unknown> }
}

const started = async (settings: Partial<typeof defaultSettings>) => {
  const service = await startService({ ...defaultSettings, port: 0, ...settings })
  return { ...service, [Symbol.asyncDispose]: service.close }
}

describe("a certificate for loopback names", () => {
  it("is made once and kept for nobody but its owner, the key apart from what others are to trust", async () => {
    await using folder = await temporaryFolder()
    const tls = join(folder.path, "tls")
    const first = await loopbackIdentity(tls)
    expect(await loopbackIdentity(tls)).toEqual(first)
    expect(first.made).toBe(join(tls, "localhost.pem"))
    expect((await readdir(tls)).toSorted()).toEqual(["localhost-key.pem", "localhost.pem"])
    expect(await modeOf(tls)).toBe("700")
    for (const file of ["localhost-key.pem", "localhost.pem"]) expect(await modeOf(join(tls, file))).toBe("600")
    expect(await readFile(join(tls, "localhost.pem"), "utf8")).toBe(first.cert)
    expect(first.cert).not.toContain("PRIVATE")

    const certificate = new X509Certificate(first.cert)
    expect(certificate.ca).toBe(false)
    expect(certificate.checkHost("localhost")).toBe("localhost")
    for (const address of ["127.0.0.1", "::1"]) expect(certificate.checkIP(address)).toBe(address)
    expect(certificate.checkHost("graph.microsoft.com")).toBeUndefined()
  })

  it("is made anew a month before it ends, or when it is damaged or has another key", async () => {
    await using folder = await temporaryFolder()
    const { cert } = await loopbackIdentity(folder.path, at("2026-01-01T00:00:00Z"))
    expect((await loopbackIdentity(folder.path, at("2026-12-01T00:00:00Z"))).cert).toBe(cert)
    const next = await loopbackIdentity(folder.path, at("2027-01-15T00:00:00Z"))
    expect(next.cert).not.toBe(cert)
    expect(await readFile(join(folder.path, "localhost.pem"), "utf8")).toBe(next.cert)
    const both = join(folder.path, "localhost-key.pem")
    const now = at("2027-01-16T00:00:00Z")
    for (const damaged of ["", "x", (await readFile(both, "utf8")).replace(next.cert, cert)]) {
      await writeFile(both, damaged)
      const made = await loopbackIdentity(folder.path, now)
      expect([next.cert, cert]).not.toContain(made.cert)
      expect(new X509Certificate(made.cert).validToDate > now).toBe(true)
    }
  })

  it("is the same for services that start at the same time", async () => {
    await using folder = await temporaryFolder()
    const made = await Promise.all(Array.from({ length: 5 }, () => loopbackIdentity(join(folder.path, "tls"))))
    expect(new Set(made.map(({ cert }) => cert)).size).toBe(1)
    expect(await readdir(join(folder.path, "tls"))).toHaveLength(2)
  })

  it("stands beside the store, or in the user's folder where the store is no file", async () => {
    await using folder = await temporaryFolder()
    const store = `sqlite:${join(folder.path, "devices.sqlite")}` as const
    expect(await identityFor({ store, tls: "auto" }, "/nowhere")).toMatchObject({
      made: join(folder.path, "tls", "localhost.pem")
    })
    expect(await identityFor({ store: "memory", tls: "auto" }, join(folder.path, "data"))).toMatchObject({
      made: join(folder.path, "data", "tls", "localhost.pem")
    })
    expect(await identityFor({ store, tls: "off" }, folder.path)).toBeUndefined()
  })

  it("that cannot be kept is a reason not to start, in one sentence", async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, "file")
    await writeFile(file, "")
    await expect(loopbackIdentity(join(file, "tls"))).rejects.toThrow(/^cannot keep a certificate in .*file.tls: /)
    await expect(loopbackIdentity(join(file, "tls"))).rejects.toThrow(StartError)
  })
})

describe("a service that speaks TLS itself", () => {
  it("answers who trusts its certificate, with https in its links, and says how to trust it", async () => {
    await using folder = await temporaryFolder()
    await using service = await started({
      tls: "auto",
      store: `sqlite:${join(folder.path, "devices.sqlite")}`,
      fleet: 3
    })
    expect(service.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    const certificate = join(folder.path, "tls", "localhost.pem")
    const ca = await readFile(certificate, "utf8")
    const { status, body } = await got(`${service.url}${devicesPath}?$top=1`, ca)
    expect(status).toBe(200)
    expect(body["@odata.nextLink"]).toContain(`${service.url}${devicesPath}`)
    expect(body["@odata.context"]).toContain(`${service.url}/beta/$metadata#`)
    expect(service.notices.slice(1)).toEqual(trustLines(certificate, service.url))
    const told = service.notices.join("\n")
    for (const words of [
      `NODE_EXTRA_CA_CERTS="${certificate}"`,
      `curl --cacert "${certificate}" ${service.url}`,
      "PowerShell"
    ]) {
      expect(told).toContain(words)
    }
    await expect(fetch(service.url)).rejects.toThrow("fetch failed")
  })

  it("takes a certificate and a key of two files, and does not start with others", async () => {
    await using folder = await temporaryFolder()
    const [certificate, key] = [join(folder.path, "c.pem"), join(folder.path, "k.pem")]
    const { cert, key: secret } = await loopbackIdentity(join(folder.path, "one"))
    await writeFile(certificate, cert)
    await writeFile(key, secret)
    const tls = { certificate, key }
    {
      await using service = await started({ tls })
      expect((await got(`${service.url}/healthz`, cert)).status).toBe(200)
      expect(service.notices).toEqual([])
    }
    const missing = started({ tls: { certificate, key: join(folder.path, "none.pem") } })
    await expect(missing).rejects.toThrow(/^cannot read the private key .*none\.pem: ENOENT/)
    await writeFile(key, (await loopbackIdentity(join(folder.path, "two"))).key)
    await expect(started({ tls })).rejects.toThrow(/do not fit: expected PEM, without a passphrase$/)
    await chmod(key, 0o600)
    await writeFile(key, "secret")
    const refusal = await started({ tls }).catch(String)
    expect(refusal).toContain("do not fit")
    expect(refusal).not.toContain("secret")
  })

  it("ends connections beyond those that are served, and those whose callers do not read", async () => {
    await using folder = await temporaryFolder()
    await using opened = await openedApp("memory", [])
    opened.app.get("/beta/much", (c) => c.body("x".repeat(16 * 1_048_576)))
    const identity = await loopbackIdentity(folder.path)
    const limits = { ...serverLimits, connections: 2, unreadMillis: 0, unreadMillisOfMebibyte: 10 }
    const server = httpServer(opened.app, limits, identity)
    const url = await listen(server, { host: "127.0.0.1", port: 0 })
    const options = { port: Number(new URL(url).port), host: "127.0.0.1", ca: identity.cert }
    const socket = connect(options)
    await once(socket, "secureConnect")
    const other = connect(options)
    await once(other, "secureConnect")
    const third = connect(options)
    expect((await once(third, "error"))[0]).toMatchObject({ code: "ECONNRESET" })
    other.destroy()

    const left = once(server, "request").then(([incoming]) => once(incoming.socket, "close"))
    socket.write("GET /beta/much HTTP/1.1\r\nHost: localhost\r\n\r\n")
    socket.pause()
    await left
    expect(server.listening).toBe(true)
    socket.destroy()
    server.close()
    await once(server, "close")
  })
})
