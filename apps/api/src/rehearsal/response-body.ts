/** An answer with another body: what its JSON becomes by `change`, or as it was when it has none. */
export const changedBody = async (answer: Response, change: (body: unknown) => unknown): Promise<Response> => {
  if (answer.headers.get("content-type")?.startsWith("application/json") !== true) return answer
  const text = await answer.text()
  const headers = new Headers(answer.headers)
  headers.delete("content-length")
  return new Response(text === "" ? text : JSON.stringify(change(JSON.parse(text))), { status: answer.status, headers })
}
