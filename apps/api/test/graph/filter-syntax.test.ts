import { wholeDevice } from "@workanywhere/domain"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { devicesPath, failureOf, openedApp, standing } from "../opened.ts"

async function* devices() {
  yield wholeDevice({
    id: "a",
    model: "O'Brien 50%",
    windowsScore: 6.5,
    tenantAttached: true,
    upgradeEligibility: "capable"
  })
  yield wholeDevice({ id: "b", model: "o'brien 500", windowsScore: -1, upgradeEligibility: "notCapable" })
  yield wholeDevice({ id: "c", deviceName: "ÄRMEL", tenantAttached: false, healthStatus: "meetingGoals" })
}

let opened: Awaited<ReturnType<typeof openedApp>>
beforeAll(async () => {
  opened = await openedApp("memory", [])
  await opened.store.fillEmpty(standing, devices())
})
afterAll(() => opened[Symbol.asyncDispose]())

const matching = async (filter: string) => {
  const response = await opened.app.request(`${devicesPath}?$select=id&$filter=${encodeURIComponent(filter)}`)
  const body = (await response.json()) as { readonly value?: ReadonlyArray<{ readonly id: string }> }
  return body.value?.map(({ id }) => id).join("") ?? JSON.stringify(body)
}

const refusal = async (query: string) => {
  const response = await opened.app.request(`${devicesPath}?${query}`)
  expect(response.status).toBe(400)
  const { code, message } = await failureOf(response)
  expect(code).toBe("BadRequest")
  return message
}

const long = (length: number) => `id eq '${"x".repeat(length - 8)}'`

const deep = (depth: number) => `${"(".repeat(depth)}id eq 'a'${")".repeat(depth)}`

const list = (size: number) => `id in (${Array.from({ length: size }, () => "'a'").join(",")})`

describe("$filter", () => {
  it.for([
    ["model eq 'O''Brien 50%'", "a"],
    ["contains(model,'50%')", "a"],
    ["contains(model,'_')", ""],
    ["contains(tolower(model),'brien') and not contains(model,'%')", "b"],
    ["tolower(deviceName) eq 'ärmel'", "c"],
    ["tolower(model) eq tolower('O''BRIEN 500')", "b"],
    ["startswith(model,'o') or endswith(model,'%') eq true", "ab"],
    ["length(model) eq 11 and windowsScore gt 0 or length(id) gt 1", "a"],
    ["length(deviceName) lt 5.5", "c"],
    ["indexof(model,'rien') eq 3 and indexof(model, '50%') gt -1", "a"],
    ["indexof(deviceName,'X') eq -1", "c"],
    ["trim(concat(concat(' ',id),'  ')) eq 'a'", "a"],
    ["substring(model,2) eq 'brien 500'", "b"],
    ["substring(deviceName, 0, 2) eq 'ÄR' and substring(deviceName,9) eq ''", "c"],
    ["startswith(concat(id,model),'bo') or endswith(concat('x',id),'xc')", "bc"],
    ["concat(id,null) eq 'a'", expect.stringContaining("works on text")],
    ["model ne concat('o','x') and id eq 'a'", "a"],
    ["length('abc') eq length(concat(concat(id,id),id)) and id ne 'b'", "ac"],
    ["concat(concat(deviceName,'-'),model) eq null", "abc"],
    ["toupper(trim(' o''brien 500 ')) eq toupper(model)", "b"],
    ["windowsScore gt -1.5 and windowsScore lt 1", "b"],
    ["windowsScore eq 6.5e0", "a"],
    ["0 lt windowsScore", "a"],
    ["windowsScore eq null", "c"],
    ["windowsScore ne -1", "ac"],
    ["windowsScore in (6.5, null)", "ac"],
    ["not (windowsScore in (6.5, null))", "b"],
    ["tenantAttached", "a"],
    ["not tenantAttached", "c"],
    ["tenantAttached ne true", "bc"],
    ["upgradeEligibility eq 'capable'", "a"],
    ["upgradeEligibility eq microsoft.graph.operatingSystemUpgradeEligibility'capable'", "a"],
    ["upgradeEligibility eq graph.operatingSystemUpgradeEligibility'capable'", "a"],
    ["upgradeEligibility eq #microsoft.graph.operatingSystemUpgradeEligibility'capable'", "a"],
    ["upgradeEligibility in (graph.operatingSystemUpgradeEligibility'unknown', 'notCapable')", "bc"],
    ["upgradeEligibility eq '3'", "a"],
    ["upgradeEligibility ge 'notCapable'", "ab"],
    ["upgradeEligibility in ('unknown', 'notCapable')", "bc"],
    ["upgradeEligibility eq null", ""],
    ["upgradeEligibility ge 'upgraded'", "abc"],
    ["id gt 'a' and (id lt 'c' or healthStatus eq 'meetingGoals')", "bc"],
    ["id eq 'a' or id eq 'b' and id eq 'c'", "a"],
    ["ID eq 'a'", expect.stringContaining("did you mean 'id'?")],
    ["  NOT (((id) EQ 'a')) AND\tFALSE eq tenantAttached ", "c"],
    ["deviceName eq deviceId", "ab"],
    ["not (deviceName lt model)", "abc"]
  ] as const)("%s finds %s", async ([filter, found]) => {
    expect(await matching(filter)).toEqual(found)
  })

  it.for([
    ["", "expected a property"],
    ["deviceNam eq 'x'", "did you mean 'deviceName'?"],
    ["windowsScore gt 'a'", "at character 17: 'windowsScore' is a number and is compared with text"],
    ["model eq 5", "'model' is text and is compared with a number"],
    ["tenantAttached eq 'true'", "'tenantAttached' is true or false and is compared with text"],
    ["model eq windowsScore", "'model' is text and 'windowsScore' is a number"],
    ["upgradeEligibility eq 'capabel'", "did you mean 'capable'?"],
    ["upgradeEligibility eq 3", "compared with members of 'microsoft.graph.operatingSystemUpgradeEligibility'"],
    ["upgradeEligibility eq microsoft.graph.userExperienceAnalyticsHealthState'unknown'", "compared with members of"],
    ["upgradeEligibility eq graph.userExperienceAnalyticsHealthState'unknown'", "compared with members of"],
    ["upgradeEligibility eq my.operatingSystemUpgradeEligibility'capable'", "compared with members of"],
    ["upgradeEligibility eq healthStatus", "is compared with a member"],
    ["model eq microsoft.graph.operatingSystemUpgradeEligibility'capable'", "not a member of a type"],
    ["contains(upgradeEligibility,'a')", "the function 'contains' works on text"],
    ["contains(model,5)", "works on text"],
    ["contains('a',model)", "takes a property and then a text"],
    ["contains(model)", "takes two arguments"],
    ["tolower(model,'a') eq 'a'", "takes one argument"],
    [
      "year(model) eq 5",
      "the function 'year' is not supported; there are contains, startswith, endswith, indexof, tolower"
    ],
    ["length(windowsScore) eq 5", "the function 'length' works on text"],
    ["length(model,id) eq 5", "the function 'length' takes one argument"],
    ["length(model) eq 'a'", "length(…) is a number and is compared with text"],
    ["indexof(model,id) eq 5", "the function 'indexof' takes a property and then a text"],
    ["trim(model)", "a condition is expected"],
    ["substring(model) eq 'a'", "takes two or three arguments"],
    ["substring(model,-1) eq 'a'", "takes a text and whole numbers from 0 on"],
    ["substring(model,1.5) eq 'a'", "takes a text and whole numbers from 0 on"],
    ["substring(model,length(id)) eq 'a'", "takes a text and whole numbers from 0 on"],
    ["concat(model) eq 'a'", "the function 'concat' takes two arguments"],
    ["concat(concat(model,id),concat(concat(model,id),id)) eq 'a'", "the function 'concat' joins at most 4 properties"],
    ["model", "a condition is expected"],
    ["model and tenantAttached", "a condition is expected"],
    ["true", "a condition is expected"],
    ["1 eq 1", "two values are compared"],
    ["(model eq 'a') eq true", "a condition is not compared"],
    ["not model eq 'a'", "put the comparison behind 'not' into parentheses"],
    ["model eq 'a' model", "expected 'and', 'or' or the end"],
    ["model has 'a'", "at character 7: expected 'and', 'or' or the end"],
    ["windowsScore add 1 eq 2", "expected 'and', 'or' or the end"],
    ["model eq 'a", "at character 10"],
    ['model eq "a"', "single quotes"],
    ["model eq 83d5adfc-adfc-83d5-fcad-d583fcadd583", "at character 10"],
    ["(model eq 'a'", "expected ')'"],
    ["model in ()", "expected a value"],
    ["model in ('a'", "expected ')'"],
    ["model in (id)", "expected a value"],
    ["windowsScore eq 1e999", "the number is too large"],
    ["windowsScore eq NaN", "could not find a property named 'NaN'"],
    ["windowsScore eq 5d", "at character 17"],
    ["model eq 'a\0'", "NUL"],
    ["constructor eq 'a'", "could not find a property named 'constructor'"]
  ])("%j is refused: %s", async ([filter = "", problem = ""]) => {
    const message = await refusal(`$filter=${encodeURIComponent(filter)}`)
    expect(message.toLowerCase()).toContain(problem.toLowerCase())
  })

  it("repeats no value in its refusals", async () => {
    expect(await refusal("$filter=windowsScore eq 'secret'")).not.toContain("secret")
    expect(await refusal("$filter=upgradeEligibility eq 'secret'")).not.toContain("secret")
  })

  it("is at most 4,096 characters long, 20 deep, and a list holds at most 100 values", async () => {
    expect(await matching(long(4_096))).toBe("")
    expect(await refusal(`$filter=${long(4_097)}`)).toContain("longer than 4096 characters")
    expect(await matching(deep(20))).toBe("a")
    expect(await refusal(`$filter=${deep(21)}`)).toContain("nested more than 20 deep")
    expect(await refusal(`$filter=${"not ".repeat(21)}tenantAttached`)).toContain("nested more than 20 deep")
    expect(await matching(list(100))).toBe("a")
    expect(await refusal(`$filter=${list(101)}`)).toContain("at most 100 values")
  })

  it("can be as long as allowed with the shortest conditions there are", async () => {
    const conditions = Array.from({ length: 372 }, () => "''ne id").join(" or ")
    expect(await matching(conditions)).toBe("abc")
    expect(await matching(`not (${conditions.slice(0, 11 * 370 - 4)})`)).toBe("")
  })
})

describe("$orderby", () => {
  it.for([
    ["windowsScore", "cba"],
    ["windowsScore desc", "abc"],
    ["upgradeEligibility", "cba"],
    ["tenantAttached,id desc", "bca"],
    ["tenantAttached desc , id", "acb"],
    ["deviceName DESC", "cba"],
    ["id desc,model", "cba"]
  ])("%s gives %s", async ([orderby = "", found]) => {
    const response = await opened.app.request(`${devicesPath}?$select=id&$orderBy=${encodeURIComponent(orderby)}`)
    const { value } = (await response.json()) as { readonly value: ReadonlyArray<{ readonly id: string }> }
    expect(value.map(({ id }) => id).join("")).toBe(found)
  })

  it.for([
    ["", "''"],
    ["model,", "''"],
    ["modell", "did you mean 'model'?"],
    ["model up", "'model' is followed by something other than 'asc' or 'desc'"],
    ["model asc desc", "'model' is followed by"],
    ["model,id,model", "'model' is named twice"],
    ["tolower(model)", "'tolower(model)'"],
    ["model,".repeat(1000), "longer than 4096 characters"]
  ])("%.20s is refused: %s", async ([orderby = "", problem]) => {
    expect(await refusal(`$orderby=${encodeURIComponent(orderby)}`)).toContain(problem)
  })
})
