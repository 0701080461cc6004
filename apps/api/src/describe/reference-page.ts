import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

/** What the reference page is made of besides itself: below `/docs`. */
export const referencePageFiles = ["swagger-ui-bundle.js", "swagger-ui.css", "start.js", "LICENSE"] as const

/** Name of a file of the reference page. */
export type ReferencePageFile = (typeof referencePageFiles)[number]

/** The files that come from Swagger UI. */
export const swaggerUiFiles = ["swagger-ui-bundle.js", "swagger-ui.css", "LICENSE"] as const

/** `base` is what stands before all paths where a proxy has put the service below one; elsewhere it is empty. */
const page = (base: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>workanywhere: HTTP reference</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="${base}/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="reference"><p>The reference needs a script of this service; <a href="${base}/openapi.json">the document itself</a> does not.</p></div>
    <script src="${base}/docs/swagger-ui-bundle.js"></script>
    <script src="${base}/docs/start.js"></script>
  </body>
</html>
`

// Without `validatorUrl`, the document is sent to nobody.
const start = (base: string): string => `SwaggerUIBundle({
  url: "${base}/openapi.json",
  dom_id: "#reference",
  validatorUrl: null,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false
})
`

const types: Readonly<Record<ReferencePageFile, string>> = {
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "swagger-ui.css": "text/css; charset=utf-8",
  "start.js": "text/javascript; charset=utf-8",
  LICENSE: "text/plain; charset=utf-8"
}

/** Where a file of Swagger UI is in its package, of which only the source and the build know. */
export const swaggerUiFile = (file: (typeof swaggerUiFiles)[number]): URL =>
  new URL(file, import.meta.resolve("swagger-ui-dist/package.json"))

const addressOf = (file: (typeof swaggerUiFiles)[number]): URL =>
  // The build copies the files beside this one: its package reports installations, and no user is to install it.
  import.meta.url.endsWith(".ts") ? swaggerUiFile(file) : new URL(`./reference-page/${file}`, import.meta.url)

/**
 * Nothing of the page may come from another origin, or lead its data to one. Swagger UI draws its icons from `data:`
 * addresses.
 */
const securityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

const headers = (contentType: string): Readonly<Record<string, string>> => ({
  "content-type": contentType,
  "content-security-policy": securityPolicy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache"
})

/** The page on which people read what the service serves, and try it. */
export const referencePage = (base: string): Response =>
  new Response(page(base), { headers: headers("text/html; charset=utf-8") })

/** A file of the reference page. */
export const referencePageFile = async (file: ReferencePageFile, base: string): Promise<Response> => {
  const content = file === "start.js" ? start(base) : await readFile(fileURLToPath(addressOf(file)))
  return new Response(content, { headers: headers(types[file]) })
}
