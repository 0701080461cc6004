export { type DeviceKey, GraphClient, type ListOptions } from "./graph-client.ts"
export { type GraphClientOptions, InvalidOptions, type Repeat } from "./options.ts"
export {
  Forbidden,
  GraphError,
  type GraphErrorReason,
  Incomplete,
  Invalid,
  NotFound,
  Rejected,
  Throttled,
  Unauthorized,
  Unavailable,
  Unreadable
} from "./graph-error.ts"
