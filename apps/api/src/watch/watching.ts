import type { Exposition, Log, Observer } from "../http/observation.ts"
import type { Settings } from "../settings/settings.ts"
import type { DeviceStore } from "../store/device-store.ts"
import { createRequestFigures } from "./request-figures.ts"
import type { Tracing } from "./tracing.ts"

/** What watches requests, as the settings want it. */
export interface Watching {
  readonly observers: ReadonlyArray<Observer>
  readonly exposition: Exposition | undefined
  /** For spans of others; `undefined` while nothing is traced. */
  readonly tracer: Tracing["tracer"] | undefined
  /** A store whose work is seen in the traces, when there are any. */
  readonly traced: (store: DeviceStore) => DeviceStore
  /** To be called when the last request is answered. */
  readonly close: () => Promise<void>
}

/** Starts what counts and what traces requests. The libraries for it are imported when they are needed, if ever. */
export const startWatching = async (
  { exposition: visibility, traces }: Pick<Settings, "exposition" | "traces">,
  log: Log
): Promise<Watching> => {
  const figures = visibility === "off" ? undefined : createRequestFigures()
  const tracing = traces === undefined ? undefined : await (await import("./tracing.ts")).startTracing(traces, log)

  let text: Promise<() => Promise<string>> | undefined
  const exposition =
    figures === undefined || visibility === "off"
      ? undefined
      : {
          visibleTo: visibility,
          text: async () => {
            text ??= import("./prometheus.ts").then(({ createExposition }) => createExposition(figures))
            return (await text)()
          }
        }
  return {
    observers: [
      ...(figures === undefined ? [] : [figures.observer]),
      ...(tracing === undefined ? [] : [tracing.observer])
    ],
    exposition,
    tracer: tracing?.tracer,
    traced: tracing?.traced ?? ((store) => store),
    close: async () => {
      figures?.close()
      await tracing?.close()
    }
  }
}
