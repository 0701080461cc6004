import { describe, expect, it } from "vitest"
import { csvLine, deviceCsvWriter } from "../../src/csv.ts"

describe("a CSV writer", () => {
  const writer = deviceCsvWriter(["id", "deviceName", "tenantAttached", "windowsScore"])

  it("puts the columns that were asked for in the order that was asked for", () => {
    expect(writer.header).toBe("id,deviceName,tenantAttached,windowsScore\r\n")
    expect(writer.row({ windowsScore: 93.75, id: "d1", deviceName: "PC-014", tenantAttached: true })).toBe(
      "d1,PC-014,true,93.75\r\n"
    )
  })

  it("leaves the cell empty for null and for a property that is missing", () => {
    expect(writer.row({ id: "d1", deviceName: null })).toBe("d1,,,\r\n")
  })

  it("quotes what would break a line", () => {
    expect(csvLine(['say "hi"', "a,b", "two\nlines", " edge "])).toBe('"say ""hi""","a,b","two\nlines"," edge "\r\n')
  })

  it.each(["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "'=1"])(
    "keeps a spreadsheet from running %j",
    (text) => {
      expect(csvLine([text, "z"])).toBe(`"'${text}",z\r\n`)
    }
  )

  it.each([
    ["a;=1+1", "a;'=1+1"],
    ["a|@SUM(A1)", "a|'@SUM(A1)"],
    ["a\t+1", "a\t'+1"],
    ["a\n=1", "a\n'=1"],
    ["a;'=1", "a;''=1"],
    ["a;|=1", "a;|'=1"]
  ])("keeps one that splits at other signs from running %j", (text, written) => {
    expect(csvLine([text, "z"])).toBe(`"${written}",z\r\n`)
  })

  it("keeps it from what stands behind a quote, and quotes what is split elsewhere", () => {
    expect(csvLine(['a;"=1"', "b;c", "d|e", "f"])).toBe(`"a;'""=1""","b;c","d|e",f\r\n`)
  })

  it("leaves a number alone that is a number, minus sign or not", () => {
    expect(csvLine([-1, 0.5, "-1"])).toBe(`-1,0.5,"'-1"\r\n`)
  })

  it("tells an empty text from nothing", () => {
    expect(csvLine(["", null, undefined, "it's"])).toBe("\"'\",,,it's\r\n")
  })
})
