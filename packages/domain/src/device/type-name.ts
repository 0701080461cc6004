/**
 * The texts by which `@odata.type` names a type of Graph's, as a regular expression: with `microsoft.graph.` or `graph.`, the
 * alias that `$metadata` declares, with `#` or without, or as a URI whose fragment it is (OData JSON Format, 4.6.3). The type is
 * given with its namespace, `#` or not.
 */
export const typeNamePattern = (type: string): RegExp => {
  const name = type.slice(type.lastIndexOf(".") + 1)
  return new RegExp(String.raw`^(?:(?:https?://[^\s#]+/)?\$metadata#|#)?(?:microsoft\.)?graph\.${name}$`)
}

/** Whether a text is one by which `@odata.type` names a type. */
export const namesType = (text: unknown, type: string): boolean =>
  typeof text === "string" && typeNamePattern(type).test(text)
