import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const root = join(import.meta.dirname, "../..")

/** A temporary copy of the tree as git sees it, with what is installed at the root. Whoever asks for it removes it. */
export const copyOfTree = (): string => {
  const copy = mkdtempSync(join(tmpdir(), "workanywhere-tree-"))
  const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "--deduplicate"], {
    cwd: root,
    encoding: "utf8"
  })
    .trim()
    .split("\n")
  for (const file of tracked) cpSync(join(root, file), join(copy, file), { force: true })
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
  return copy
}
