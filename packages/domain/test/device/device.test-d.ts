import type {
  OperatingSystemUpgradeEligibility,
  UserExperienceAnalyticsHealthState,
  UserExperienceAnalyticsWorkFromAnywhereDevice
} from "@microsoft/microsoft-graph-types-beta"
import { expectTypeOf, it } from "vitest"
import type {
  Device,
  DeviceUpdate,
  HealthState,
  PropertyName,
  UpgradeEligibility,
  WholeDevice
} from "../../src/index.ts"

type Microsofts = UserExperienceAnalyticsWorkFromAnywhereDevice

/** Properties that we have before Microsoft's package does; none today. They leave this list when it has them. */
type Ahead = never

it("our device and Microsoft's are mutually assignable", () => {
  expectTypeOf<Microsofts>().toExtend<Device>()
  expectTypeOf<Device>().toExtend<Microsofts>()
})

it("our device and Microsoft's are mutually assignable when every property is there", () => {
  expectTypeOf<Required<Microsofts>>().toExtend<Omit<WholeDevice, Ahead>>()
  expectTypeOf<WholeDevice>().toExtend<Required<Microsofts>>()
})

it("the property table names exactly the properties of Microsoft's type, and those that are ahead of it", () => {
  expectTypeOf<keyof Microsofts>().toEqualTypeOf<Exclude<PropertyName, Ahead>>()
  expectTypeOf<Ahead>().toExtend<Exclude<PropertyName, keyof Microsofts>>()
})

it("our enums have exactly the members of Microsoft's", () => {
  expectTypeOf<UpgradeEligibility>().toEqualTypeOf<OperatingSystemUpgradeEligibility>()
  expectTypeOf<HealthState>().toEqualTypeOf<UserExperienceAnalyticsHealthState>()
})

it("a device that was read may be sent back as an update", () => {
  expectTypeOf<Microsofts>().toExtend<DeviceUpdate>()
})
