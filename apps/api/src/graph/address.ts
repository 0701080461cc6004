import { routes } from "@workanywhere/domain"

/** Path of the metrics below a root. */
export const metricsPath = routes.metrics.path.slice(1)

/** What an address begins with: `http://127.0.0.1:4010`. */
export const originOf = (url: string): string => url.slice(0, url.indexOf("/", url.indexOf("//") + 2))

/** The longest key that a caller may give to what it creates, so that its address stays one. */
export const longestKey = 256

/** Whether a key that a caller made up can be part of an address. */
export const isAddressable = (key: string): boolean => key !== "" && key.length <= longestKey

/** In characters; also what a link in an answer must fit into. */
export const longestUrl = 8_192
