// What `pnpm docs:openapi` runs first: writes docs/openapi.json, which the formatter then lays out.
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { standardDocument } from "../src/describe/openapi.ts"

await writeFile(join(import.meta.dirname, "../../../docs/openapi.json"), JSON.stringify(standardDocument()))
