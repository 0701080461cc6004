/** A cloud of Microsoft's: who signs in there, and what that service calls itself in the tokens it makes. */
interface Cloud {
  /** The issuer of tokens whose `ver` is 1.0, for a tenant. */
  readonly issuer1: (tenant: string) => string
  /** The issuer of tokens whose `ver` is 2.0, for a tenant. */
  readonly issuer2: (tenant: string) => string
}

const global: Cloud = {
  issuer1: (tenant) => `https://sts.windows.net/${tenant}/`,
  issuer2: (tenant) => `https://login.microsoftonline.com/${tenant}/v2.0`
}

const usGovernment: Cloud = {
  issuer1: global.issuer1,
  issuer2: (tenant) => `https://login.microsoftonline.us/${tenant}/v2.0`
}

const china: Cloud = {
  issuer1: (tenant) => `https://sts.chinacloudapi.cn/${tenant}/`,
  issuer2: (tenant) => `https://login.partner.microsoftonline.cn/${tenant}/v2.0`
}

/**
 * The clouds by their sign-in authority. For China, "Microsoft Graph national cloud deployments" and Microsoft Entra's
 * "National clouds" name different ones.
 */
export const clouds = {
  "https://login.microsoftonline.com": global,
  "https://login.microsoftonline.us": usGovernment,
  "https://login.partner.microsoftonline.cn": china,
  "https://login.chinacloudapi.cn": china
} as const satisfies Readonly<Record<string, Cloud>>

/** Where people and apps of a cloud sign in. */
export type Authority = keyof typeof clouds

/** All authorities, the global one first. */
export const authorities = Object.keys(clouds) as [Authority, ...Array<Authority>]

/** The tenant of all personal accounts, which Graph does not serve this resource to. */
export const personalTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

const graphRoots: Readonly<Record<string, ReadonlyArray<Authority>>> = {
  "https://graph.microsoft.com": ["https://login.microsoftonline.com"],
  "https://graph.microsoft.us": ["https://login.microsoftonline.us"],
  "https://dod-graph.microsoft.us": ["https://login.microsoftonline.us"],
  "https://microsoftgraph.chinacloudapi.cn": [
    "https://login.partner.microsoftonline.cn",
    "https://login.chinacloudapi.cn"
  ]
}

/** Where tokens for a Graph are made; `undefined` for one whose cloud is not known. */
export const authoritiesFor = (graph: string): ReadonlyArray<Authority> | undefined =>
  graphRoots[URL.parse(graph)?.origin ?? ""]

const graphAudiences: ReadonlySet<string> = new Set([
  "00000003-0000-0000-c000-000000000000",
  ...Object.keys(graphRoots)
])

/**
 * Whether tokens for this audience are for Microsoft Graph itself: nobody else may take those ("Access tokens in the
 * Microsoft identity platform").
 */
export const isGraphAudience = (audience: string): boolean =>
  graphAudiences.has(audience.toLowerCase().replace(/\/$/, ""))
