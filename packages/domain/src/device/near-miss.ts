/** Letters and digits only, in lower case: `Auto_Pilot-Registered` and `autopilotregistered` fold to the same text. */
const fold = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "")

/** Edits (insert, delete, replace, swap neighbours) between two texts: optimal string alignment. */
const distance = (a: string, b: string): number => {
  let beforeLast: Array<number> = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let edits = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) edits = Math.min(edits, beforeLast[column - 2]! + 1)
      current.push(edits)
    }
    beforeLast = last
    last = current
  }
  return last[b.length]!
}

/**
 * The name that was probably meant, for "did you mean …?"; `undefined` when nothing is near. Case and punctuation do
 * not count; otherwise about one edit in four letters is allowed.
 */
export const nearMiss = <Name extends string>(text: string, names: ReadonlyArray<Name>): Name | undefined => {
  // What is far longer than any property is no slip of the pen, and must not cost time.
  if (text.length > 256) return undefined
  const wanted = fold(text)
  if (wanted.length === 0 || wanted.length > 64) return undefined
  let nearest: Name | undefined
  let fewest = Math.ceil(wanted.length / 4) + 1
  for (const name of names) {
    const folded = fold(name)
    // Each letter more or less is an edit: most names need no closer look.
    if (Math.abs(folded.length - wanted.length) >= fewest) continue
    const edits = distance(wanted, folded)
    if (edits < fewest) {
      nearest = name
      fewest = edits
    }
  }
  return nearest
}
