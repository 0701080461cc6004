import { describe, expect, test } from "vitest"
import { connectionWords, isTlsFault, neverArrived, systemCodeOf } from "../../src/facts/system-code.ts"

const broken = (code: string) => new TypeError("fetch failed", { cause: Object.assign(new Error("broken"), { code }) })

describe("what broke a connection", () => {
  test("is found at the end of a short chain of causes, and is no other text", () => {
    expect(systemCodeOf(broken("ECONNRESET"))).toBe("ECONNRESET")
    expect(systemCodeOf(broken("ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE"))).toBe("ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE")
    expect(systemCodeOf(broken("a secret"))).toBeUndefined()
    expect(systemCodeOf("ECONNRESET")).toBeUndefined()
  })

  test("is the proxy, when it refuses to connect", () => {
    const refused = Object.assign(new Error("Proxy response (407) !== 200 when HTTP Tunneling"), {
      code: "UND_ERR_ABORTED"
    })
    expect(systemCodeOf(new TypeError("fetch failed", { cause: refused }))).toBe("PROXY_407")
  })

  test.each([
    "SELF_SIGNED_CERT_IN_CHAIN",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "UNABLE_TO_GET_ISSUER_CERT",
    "CERT_UNTRUSTED",
    "CERT_SIGNATURE_FAILURE",
    "INVALID_CA"
  ])("%s is a certificate to be trusted or not, told with NODE_EXTRA_CA_CERTS", (code) => {
    expect([isTlsFault(code), neverArrived(code)]).toEqual([true, true])
    expect(connectionWords("graph.example", code)).toMatch(
      /^the certificate of graph\.example is not trusted \(\w+\): .*NODE_EXTRA_CA_CERTS$/
    )
  })

  test.each([
    ["CERT_HAS_EXPIRED", /has expired/],
    ["CERT_NOT_YET_VALID", /is the clock right/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", /is for another name/],
    ["ERR_SSL_WRONG_VERSION_NUMBER", /does it speak https/],
    ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", /does it speak https/],
    ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", /does it speak https/],
    ["PROXY_407", /^the proxy does not connect to graph\.example \(status 407\): .*user name and password/],
    ["PROXY_403", /^the proxy does not connect to graph\.example \(status 403\)$/]
  ] as const)("%s is told in its own words", (code, words) => {
    expect(neverArrived(code)).toBe(true)
    expect(connectionWords("graph.example", code)).toMatch(words)
  })

  test.each([
    "ECONNRESET",
    "EPIPE",
    "ETIMEDOUT",
    "UND_ERR_SOCKET",
    "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    undefined
  ])("%s may have come after the request arrived, and may pass", (code) => {
    expect([isTlsFault(code), neverArrived(code)]).toEqual([false, false])
    expect(connectionWords("graph.example", code)).toMatch(/^the connection to graph\.example failed/)
  })
})
