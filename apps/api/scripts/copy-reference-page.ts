// The last step of `pnpm build`: puts the files of Swagger UI, and its licence, into what is published.
import { copyFile, mkdir } from "node:fs/promises"
import { join } from "node:path"
import { swaggerUiFile, swaggerUiFiles } from "../src/describe/reference-page.ts"

const folder = join(import.meta.dirname, "../dist/describe/reference-page")
await mkdir(folder, { recursive: true })
for (const file of swaggerUiFiles) {
  await copyFile(swaggerUiFile(file), join(folder, file))
}
