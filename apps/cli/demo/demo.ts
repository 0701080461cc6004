// The main job, by itself: a local service, the update request of Microsoft's own page sent through the CLI, and the
// answer read back and compared. Exits with 0 only when every property of the request is what the service now holds.
import { defaultSettings, startService } from "@workanywhere/api"
import { Device, DeviceUpdate, properties, propertyNames } from "@workanywhere/domain"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { text } from "node:stream/consumers"

const root = join(import.meta.dirname, "../../..")
const body = "docs/examples/update.json"
const id = "83d5adfc-adfc-83d5-fcad-d583fcadd583"
const say = (line: string) => process.stdout.write(`${line}\n`)

/** Runs `wfa` as a person would, from source, against the service of this demo. */
const wfa = async (target: string, args: ReadonlyArray<string>) => {
  const command = spawn(process.execPath, ["--conditions=@workanywhere/source", "apps/cli/src/main.ts", ...args], {
    cwd: root,
    env: { ...process.env, WFA_TARGET: target },
    stdio: ["ignore", "pipe", "inherit"]
  })
  const [stdout] = await Promise.all([text(command.stdout), once(command, "exit")])
  if (command.exitCode !== 0) throw new Error(`wfa ${args.join(" ")} ended with ${command.exitCode}`)
  return stdout
}

const service = await startService({ ...defaultSettings, port: 0, fleet: 1000 })
try {
  const target = `${service.url}/beta`
  say(`A local Graph with 1,000 synthetic devices is listening on ${service.url}\n`)

  say(`The request of Microsoft's page "Update userExperienceAnalyticsWorkFromAnywhereDevice":`)
  say(`$ wfa device update ${id} --file ${body}\n`)
  say(await wfa(target, ["device", "update", id, "--file", body, "--output", "table"]))

  const sent = DeviceUpdate.parse(JSON.parse(readFileSync(join(root, body), "utf8")))
  const held = Device.parse(JSON.parse(await wfa(target, ["device", "get", id, "--output", "json"])))
  const different = propertyNames.filter((name) => sent[name] !== undefined && sent[name] !== held[name])
  if (different.length > 0) throw new Error(`read back, these differ: ${different.join(", ")}`)
  say(`Read back: all ${properties.length - 1} properties of the request are what the service holds.`)
} finally {
  await service.close()
}
