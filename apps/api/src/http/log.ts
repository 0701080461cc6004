/** Where the service says what it did; a pino logger is one. Lines hold ids and no bodies, headers or queries. */
export interface Log {
  readonly info: (facts: object, message: string) => void
  readonly error: (facts: object, message: string) => void
}

/** Says nothing. */
export const silent: Log = { info: () => {}, error: () => {} }
