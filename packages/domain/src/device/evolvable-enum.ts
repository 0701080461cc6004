/**
 * Member that stands for "one that was added after this list was written". Clients receive it, and on an update it
 * means "leave the property as it is". Source: microsoft/api-guidelines, "Evolvable enums".
 */
export const unknownFutureValue = "unknownFutureValue"

/**
 * Microsoft's verdict on whether a device can run the latest Windows, `operatingSystemUpgradeEligibility`, with the
 * numbers of Graph's metadata. Mind the order: the zero value is `upgraded`, and Graph sorts by number.
 */
export const upgradeEligibility = {
  upgraded: 0,
  unknown: 1,
  notCapable: 2,
  capable: 3,
  unknownFutureValue: 4
} as const

/** A member of {@link upgradeEligibility}. */
export type UpgradeEligibility = keyof typeof upgradeEligibility

/**
 * How a device's scores stand, `userExperienceAnalyticsHealthState`, with the numbers of Graph's metadata.
 * Microsoft publishes no threshold between the members.
 */
export const healthState = {
  unknown: 0,
  insufficientData: 1,
  needsAttention: 2,
  meetingGoals: 3,
  unknownFutureValue: 4
} as const

/** A member of {@link healthState}. */
export type HealthState = keyof typeof healthState

/** One of this package's enums: {@link upgradeEligibility} or {@link healthState}. */
export type EvolvableEnum = typeof upgradeEligibility | typeof healthState

/** The members that a caller may write: all but the sentinel. */
export const writableMembers = <E extends EvolvableEnum>(
  of: E
): ReadonlyArray<Exclude<keyof E, "unknownFutureValue">> =>
  Object.keys(of).filter((member) => member !== unknownFutureValue) as Array<Exclude<keyof E, "unknownFutureValue">>

/**
 * The member that this package knows for a text read from Graph, or the sentinel for one that Graph added later.
 * Reading keeps the original text on the device; switch on the result of this function to be exhaustive.
 */
export const knownMember = <E extends EvolvableEnum>(of: E, text: string): keyof E =>
  Object.hasOwn(of, text) ? (text as keyof E) : unknownFutureValue

/** Graph's number for a member, as CSV exports print it; `undefined` for a member this package does not know. */
export const memberNumber = (of: EvolvableEnum, member: string): number | undefined =>
  Object.hasOwn(of, member) ? of[member as keyof typeof of] : undefined

/** The member with this number, as CSV exports print it; `undefined` when no member has it. */
export const memberWithNumber = <E extends EvolvableEnum>(of: E, number: number): keyof E | undefined => {
  for (const member of Object.keys(of)) if (of[member as keyof E] === number) return member as keyof E
  return undefined
}

/** The member with this name in any case, as people and spreadsheets write it; `undefined` when none has it. */
export const memberNamed = <E extends EvolvableEnum>(of: E, name: string): keyof E | undefined =>
  (Object.keys(of) as Array<keyof E & string>).find((member) => member.toLowerCase() === name.toLowerCase())
