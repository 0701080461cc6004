/**
 * Microsoft's clouds by names of ours: Graph's root, and where its users sign in ("Microsoft Graph national cloud
 * deployments"). Tokens of one are of no use in another. `global` includes GCC; `usGovL4` is GCC High, `usGovL5` the
 * Department of Defense, `china` is run by 21Vianet. Sources disagree on China's sign-in host; this is the one of the
 * newer page, "National clouds" of Microsoft Entra. Of Microsoft's other clouds (Bleu, Delos) no root is published:
 * name it as `baseUrl`.
 */
export const clouds = {
  global: { graph: "https://graph.microsoft.com", signIn: "https://login.microsoftonline.com" },
  usGovL4: { graph: "https://graph.microsoft.us", signIn: "https://login.microsoftonline.us" },
  usGovL5: { graph: "https://dod-graph.microsoft.us", signIn: "https://login.microsoftonline.us" },
  china: { graph: "https://microsoftgraph.chinacloudapi.cn", signIn: "https://login.partner.microsoftonline.cn" }
} as const

/** One of {@link clouds}. */
export type Cloud = keyof typeof clouds

/** Whether this is the name of a cloud. */
export const isCloud = (name: string): name is Cloud => Object.hasOwn(clouds, name)
