import {
  AzureCliCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
  DeviceCodeCredential,
  EnvironmentCredential,
  OnBehalfOfCredential,
  ManagedIdentityCredential,
  type TokenCredential,
  type TokenCredentialOptions,
  WorkloadIdentityCredential
} from "@azure/identity"
import { printable } from "@workanywhere/domain"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type Cloud, clouds } from "./facts/clouds.ts"
import { type TokenSource, TokenUnavailable } from "./send/credentials.ts"

/** How to sign in. What is left out is what `@azure/identity` takes by default, often from its environment variables. */
export type SignIn =
  /** A person confirms a code in a browser; `onPrompt` gets the sentence that tells them so. */
  | {
      readonly with: "deviceCode"
      readonly tenantId?: string
      readonly clientId?: string
      readonly onPrompt: (message: string) => void
    }
  | {
      readonly with: "clientSecret"
      readonly tenantId: string
      readonly clientId: string
      readonly clientSecret: Redacted.Redacted
    }
  /** `certificatePath` is a PEM file with the certificate and its private key. */
  | {
      readonly with: "certificate"
      readonly tenantId: string
      readonly clientId: string
      readonly certificatePath: string
    }
  | {
      readonly with: "workloadIdentity"
      readonly tenantId?: string
      readonly clientId?: string
      readonly tokenFilePath?: string
    }
  /** As an API for the user who called it: `assertion` is the access token that the call came with, made for that API. */
  | {
      readonly with: "onBehalfOf"
      readonly tenantId: string
      readonly clientId: string
      readonly assertion: Redacted.Redacted
      readonly clientSecret: Redacted.Redacted
    }
  | {
      readonly with: "onBehalfOf"
      readonly tenantId: string
      readonly clientId: string
      readonly assertion: Redacted.Redacted
      readonly certificatePath: string
    }
  | { readonly with: "managedIdentity"; readonly clientId?: string }
  | { readonly with: "azureCli"; readonly tenantId?: string }
  | { readonly with: "environment" }

/** For whom tokens are, and how they are fetched. */
export interface IdentityOptions {
  /** The cloud whose users sign in and whose Graph the tokens are for; `global` by default. */
  readonly cloud?: Cloud
  /** What to ask for instead of the cloud's Graph, such as the audience of a service of your own. */
  readonly scope?: string
  /** Passed on to `@azure/identity`: proxy, retries and the like. */
  readonly credentialOptions?: TokenCredentialOptions
}

/** The claims that Entra wants a user to prove before it makes the token, as MSAL's error has them. */
const claimsIn = (cause: unknown): string | undefined => {
  const claims: unknown = cause instanceof Error && "claims" in cause ? cause.claims : undefined
  if (typeof claims !== "string" || claims === "") return undefined
  try {
    return JSON.stringify(JSON.parse(claims))
  } catch {
    return undefined
  }
}

/** `@azure/identity` says why in its own words where that is safe; what Entra answered is shown by its code only. */
const unavailable = (error: unknown): TokenUnavailable => {
  if (!(error instanceof Error)) return new TokenUnavailable({ message: "the sign-in failed" })
  if (error.name === "CredentialUnavailableError") {
    const [line = ""] = error.message.split("\n")
    return new TokenUnavailable({ message: printable(line.slice(0, 300).toWellFormed()) })
  }
  const code = /\bAADSTS\d+/.exec(error.message)?.[0]
  const claims = claimsIn(error.cause)
  return new TokenUnavailable({
    message: `the sign-in failed (${[error.name, ...(code === undefined ? [] : [code])].join(", ")})`,
    ...(code === undefined ? {} : { code }),
    ...(claims === undefined ? {} : { claims })
  })
}

/** Tokens from any credential of `@azure/identity`, or any object that has its `getToken`. */
export const tokenFromCredential = (
  credential: TokenCredential,
  { cloud = "global", scope = `${clouds[cloud].graph}/.default` }: IdentityOptions = {}
): TokenSource =>
  Effect.fnUntraced(function* ({ claims }) {
    const token = yield* Effect.tryPromise({
      // Continuous access evaluation: Entra may refuse a token before it expires, with claims that the next one needs.
      try: (abortSignal) =>
        credential.getToken(scope, { abortSignal, enableCae: true, ...(claims === undefined ? {} : { claims }) }),
      catch: unavailable
    })
    if (token === null) return yield* new TokenUnavailable({ message: "the credential has no token" })
    return {
      token: Redacted.make(token.token),
      expiresAtMillis: token.expiresOnTimestamp,
      ...(token.refreshAfterTimestamp === undefined ? {} : { renewAtMillis: token.refreshAfterTimestamp })
    }
  })

const credentialFor = (how: SignIn, options: TokenCredentialOptions): TokenCredential => {
  switch (how.with) {
    case "deviceCode": {
      const { onPrompt, with: _, ...app } = how
      return new DeviceCodeCredential({ ...options, ...app, userPromptCallback: ({ message }) => onPrompt(message) })
    }
    case "clientSecret":
      return new ClientSecretCredential(how.tenantId, how.clientId, Redacted.value(how.clientSecret), options)
    case "certificate":
      return new ClientCertificateCredential(how.tenantId, how.clientId, how.certificatePath, options)
    case "workloadIdentity": {
      const { with: _, ...app } = how
      return new WorkloadIdentityCredential({ ...options, ...app })
    }
    case "onBehalfOf": {
      const { assertion, with: _, ...app } = how
      const userAssertionToken = Redacted.value(assertion)
      return "clientSecret" in app
        ? new OnBehalfOfCredential({
            ...options,
            ...app,
            userAssertionToken,
            clientSecret: Redacted.value(app.clientSecret)
          })
        : new OnBehalfOfCredential({ ...options, ...app, userAssertionToken })
    }
    case "managedIdentity":
      return new ManagedIdentityCredential({
        ...options,
        ...(how.clientId === undefined ? {} : { clientId: how.clientId })
      })
    case "azureCli":
      return new AzureCliCredential(how.tenantId === undefined ? {} : { tenantId: how.tenantId })
    case "environment":
      return new EnvironmentCredential(options)
  }
}

/**
 * Tokens from Microsoft's own library:
 *
 *     GraphClient.layer({ cloud: "global", token: signIn({ with: "azureCli" }) })
 *
 * Wrong details are found when the first token is asked for. Tokens are for one cloud: name the client's.
 */
export const signIn = (how: SignIn, options: IdentityOptions = {}): TokenSource => {
  let source: TokenSource | undefined
  const authorityHost = clouds[options.cloud ?? "global"].signIn
  const made = Effect.try({
    try: () =>
      (source ??= tokenFromCredential(credentialFor(how, { authorityHost, ...options.credentialOptions }), options)),
    catch: unavailable
  })
  return (need) => Effect.flatMap(made, (tokens) => tokens(need))
}
