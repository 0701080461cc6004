import { bundle, programWith, schemaNames } from "./bundle.ts"

const programs = {
  "schemas, enums, score rules": programWith(schemaNames),
  readScore: programWith("readScore"),
  readiness: programWith("readiness"),
  "./csv readDeviceCsv": programWith("readDeviceCsv", "@workanywhere/domain/csv"),
  "./figures fleetFigures": programWith("fleetFigures", "@workanywhere/domain/figures")
}

console.log("bundle sizes, minified / gzipped, without zod")
for (const [name, program] of Object.entries(programs)) {
  const { kilobytes, gzippedKilobytes } = await bundle(program)
  console.log(`${name.padEnd(28)} ${kilobytes.toFixed(1)} / ${gzippedKilobytes.toFixed(1)} KB`)
}
