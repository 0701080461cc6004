import { type Described, type Operations, body, inPath, json } from "./operation.ts"
import { referencePageFiles } from "./reference-page.ts"
import { schemaRef } from "./schemas.ts"

const ofLocal = { tag: "Rehearsal" }
const script = json(schemaRef("FaultScript"))

/** What callers on the same machine may do with a service that asks nobody who they are. */
export const controlOperations: Operations = {
  "/_local/reset": {
    post: {
      ...ofLocal,
      operationId: "resetService",
      summary: "Bring back the first devices and faults, and forget all calls",
      description: "Puts the fleet of WFA_FLEET in the place of **all** devices.",
      answers: { "204": { description: "It is as at the start." } }
    }
  },
  "/_local/seed": {
    post: {
      ...ofLocal,
      operationId: "seedFleet",
      summary: "Put a synthetic fleet in the place of all devices",
      body: body(json(schemaRef("Fleet"))),
      answers: {
        "200": {
          description: "The fleet that there is now.",
          content: json({ type: "object", properties: { fleet: schemaRef("Fleet") }, required: ["fleet"] })
        }
      },
      errors: [413, 507]
    }
  },
  "/_local/faults": {
    get: {
      ...ofLocal,
      operationId: "getFaults",
      summary: "The fault script that is played",
      answers: { "200": { description: "The script, with everything filled in.", content: script } }
    },
    put: {
      ...ofLocal,
      operationId: "setFaults",
      summary: "Play a fault script from its beginning",
      body: body(script),
      answers: { "200": { description: "The script, with everything filled in.", content: script } },
      errors: [413]
    }
  },
  "/_local/faults/schema": {
    get: {
      ...ofLocal,
      operationId: "getFaultSchema",
      summary: "JSON Schema of a fault script",
      answers: { "200": { description: "The schema.", content: json({ type: "object", additionalProperties: true }) } }
    }
  },
  "/_local/calls": {
    get: {
      ...ofLocal,
      operationId: "listCalls",
      summary: "What callers did, the oldest first",
      answers: {
        "200": {
          description: "The last calls, without bodies, queries and tokens.",
          content: json({
            type: "object",
            properties: {
              forgotten: { type: "integer", minimum: 0, description: "How many are too long ago to be shown." },
              calls: { type: "array", items: schemaRef("Call") }
            },
            required: ["forgotten", "calls"]
          })
        }
      }
    }
  },
  "/_local/verdict": {
    get: {
      ...ofLocal,
      operationId: "getVerdict",
      summary: "Judge the callers",
      parameters: [
        {
          name: "format",
          in: "query",
          description: "`junit` for XML, as `Accept: application/xml` asks for.",
          schema: { type: "string", enum: ["junit"] }
        }
      ],
      answers: {
        "200": {
          description: "What is to be said of them.",
          content: { ...json(schemaRef("Verdict")), "application/xml": { schema: { type: "string" } } }
        }
      }
    }
  }
}

const ofService = { tag: "Service" }
const probe = json(schemaRef("Probe"))

/** By what one finds out about the service itself. */
export const serviceOperations = ({ hasExposition }: Described): Operations => ({
  "/healthz": {
    get: {
      ...ofService,
      operationId: "getHealth",
      summary: "Whether the process is up",
      answers: { "200": { description: "It is.", content: probe } }
    }
  },
  "/readyz": {
    get: {
      ...ofService,
      operationId: "getReadiness",
      summary: "Whether the store answers",
      answers: { "200": { description: "It does.", content: probe } },
      errors: [503]
    }
  },
  ...(hasExposition
    ? {
        "/metrics": {
          get: {
            ...ofService,
            operationId: "getMetrics",
            summary: "Figures for Prometheus",
            description: "Labels are routes, methods and statuses; never paths, ids or tenants.",
            answers: {
              "200": { description: "Prometheus' text.", content: { "text/plain": { schema: { type: "string" } } } }
            },
            errors: [403]
          }
        }
      }
    : {}),
  "/openapi.json": {
    get: {
      ...ofService,
      operationId: "getOpenApiDocument",
      summary: "This document",
      answers: { "200": { description: "OpenAPI 3.1.", content: json({ type: "object", additionalProperties: true }) } }
    }
  },
  "/docs": {
    get: {
      ...ofService,
      operationId: "getReferencePage",
      summary: "This document for people",
      answers: {
        "200": { description: "A page.", content: { "text/html": { schema: { type: "string" } } } }
      }
    }
  },
  "/docs/{file}": {
    get: {
      ...ofService,
      operationId: "getReferencePageFile",
      summary: "What the page is made of",
      parameters: [inPath("file", "Name of a file.", { type: "string", enum: [...referencePageFiles] })],
      answers: {
        "200": {
          description: "The file.",
          content: Object.fromEntries(
            ["text/javascript", "text/css", "text/plain"].map((type) => [type, { schema: { type: "string" } }])
          )
        }
      }
    }
  }
})
