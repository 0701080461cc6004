/** The service cannot start as it was told to; the message says in one line what to change. */
export class StartError extends Error {
  override readonly name = "StartError"
}
