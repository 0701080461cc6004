/**
 * What broke the connection, such as ECONNREFUSED: Node keeps it at the end of a short chain of causes. A proxy that does
 * not connect has no code there but a status, which becomes one.
 */
export const systemCodeOf = (error: unknown, depth = 0): string | undefined => {
  if (!(error instanceof Error) || depth > 5) return undefined
  const [, status] = /^Proxy response \((\d{3})\)/.exec(error.message) ?? []
  if (status !== undefined) return `PROXY_${status}`
  const code = "code" in error ? String(error.code) : ""
  return systemCodeOf(error.cause, depth + 1) ?? (/^[A-Z][A-Z\d_]{2,59}$/.test(code) ? code : undefined)
}

/** What OpenSSL says of a certificate that it does not take, as Node names it. */
const certificateFault =
  /^((DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_\w+|ERR_TLS_CERT_\w+|CERT_\w+|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|(CRL|ERROR_IN_C\w+)_\w+)$/

/** What ends a handshake, before anything is sent. */
const handshakeFault =
  /^ERR_SSL_(?!.*(BAD_RECORD|SHUTDOWN)).*(WRONG_VERSION|PACKET_LENGTH|HANDSHAKE|PROTOCOL|CIPHER|UNKNOWN_CA|ALERT|HTTP_REQUEST)/

/** Whether the two cannot come to a protected connection, which they will not a second later either. */
export const isTlsFault = (code = ""): boolean => certificateFault.test(code) || handshakeFault.test(code)

/** Whether the connection cannot be had a second later either. */
export const isLasting = (code = ""): boolean => isTlsFault(code) || code.startsWith("PROXY_4")

/** What Node says when it could not connect, so that nothing can have arrived; a browser does not tell. */
const neverConnected = /^(PROXY_\d+|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/

/** Whether a request cannot have left the machine that wanted to send it. */
export const neverArrived = (code = ""): boolean => neverConnected.test(code) || isTlsFault(code)

/** What a person can do about a connection that failed so. */
export const connectionWords = (host: string, code: string | undefined): string => {
  const inBrackets = code === undefined ? "" : ` (${code})`
  const [, proxyStatus] = /^PROXY_(\d+)$/.exec(code ?? "") ?? []
  if (proxyStatus !== undefined) {
    const advice = proxyStatus === "407" ? ": it wants a user name and password in the address of the proxy" : ""
    return `the proxy does not connect to ${host} (status ${proxyStatus})${advice}`
  }
  if (code === "CERT_HAS_EXPIRED") return `the certificate of ${host} has expired${inBrackets}`
  if (code === "CERT_NOT_YET_VALID")
    return `the certificate of ${host} is not valid yet${inBrackets}: is the clock right?`
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `the certificate of ${host} is for another name${inBrackets}`
  if (certificateFault.test(code ?? "")) {
    return `the certificate of ${host} is not trusted${inBrackets}: if it should be, name a file with the certificate of its issuer in NODE_EXTRA_CA_CERTS`
  }
  if (isTlsFault(code))
    return `${host} and this machine found no way to a protected connection${inBrackets}: does it speak https?`
  return `the connection to ${host} failed${inBrackets}`
}
