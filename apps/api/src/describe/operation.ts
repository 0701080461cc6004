import { largestBodyBytes } from "../http/body.ts"
import type { Schema } from "./schemas.ts"

/** What the service that is described is set to. */
export interface Described {
  /** Whether callers have to prove who they are. */
  readonly isAuthenticated: boolean
  /** Whether callers on this machine may look into the service. */
  readonly hasControls: boolean
  readonly hasEtags: boolean
  readonly hasExposition: boolean
  /** Whether it passes requests on to another Graph, whose errors then come through it. */
  readonly isGateway?: boolean
  /** What goes before the addresses of servers; nothing, when they are those of the document itself. */
  readonly root?: string
}

/** One answer of an operation that succeeded. */
export interface Answer {
  readonly description: string
  readonly content?: Readonly<Record<string, Schema>>
  /** Names of headers that are this answer's own. */
  readonly headers?: ReadonlyArray<string>
}

/** What can be asked for at one path with one method. */
export interface Operation {
  readonly operationId: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly parameters?: ReadonlyArray<Schema>
  readonly body?: { readonly content: Readonly<Record<string, Schema>>; readonly mostBytes: number }
  readonly answers: Readonly<Record<string, Answer>>
  /** Of which a caller needs one, where callers have to prove who they are. */
  readonly permissions?: ReadonlyArray<string>
  /** Statuses of errors that are this operation's own. */
  readonly errors?: ReadonlyArray<number>
}

/** The methods of each path. */
export type Operations = Readonly<
  Record<string, { readonly [Method in "delete" | "get" | "patch" | "post" | "put"]?: Operation }>
>

/** JSON as the content of a body. */
export const json = (schema: Schema, examples?: Readonly<Record<string, unknown>>) => ({
  "application/json": { schema, ...(examples === undefined ? {} : { examples }) }
})

/** A part of the path. */
export const inPath = (name: string, description: string, schema: Schema, example?: string): Schema => ({
  name,
  in: "path",
  required: true,
  description,
  schema,
  ...(example === undefined ? {} : { example })
})

/** A body that has to be sent. */
export const body = (content: Readonly<Record<string, Schema>>, mostBytes = largestBodyBytes) => ({
  content,
  mostBytes
})
