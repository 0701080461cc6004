import * as Data from "effect/Data"

/** The command line asked for something that cannot be; nothing was sent. One line each for all that is wrong. */
export class UsageError extends Data.TaggedError("UsageError")<{
  readonly message: string
  readonly problems?: ReadonlyArray<string>
}> {}

/** A setting from the environment is missing or wrong; nothing was sent. */
export class ConfigurationError extends Data.TaggedError("ConfigurationError")<{ readonly message: string }> {}

/** Standard output went away, as when `head` has seen enough: no failure of ours, and nothing left to say. */
export class OutputClosed extends Data.TaggedError("OutputClosed")<{}> {}
