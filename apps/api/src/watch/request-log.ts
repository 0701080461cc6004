import type { Log, Observer } from "../http/observation.ts"

/** Logs each request when its answer is there: ids, route and time, and no body, header or query. */
export const requestLog =
  (log: Log): Observer =>
  (c) =>
  ({ route, seconds }) => {
    const span = c.get("span")
    const facts = {
      method: c.req.method,
      path: c.req.path,
      route,
      status: c.res.status,
      durationMs: Math.round(seconds * 1_000_000) / 1000,
      requestId: c.get("requestId"),
      clientRequestId: c.get("clientRequestId"),
      tenant: c.get("tenant")
    }
    log.info(span === undefined ? facts : { ...facts, traceId: span.traceId, spanId: span.spanId }, "request")
  }
