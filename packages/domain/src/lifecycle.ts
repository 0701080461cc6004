export { type EditionClass, type WindowsRelease, windowsReleases } from "./windows/releases.ts"
export { type SupportQuestion, type WindowsSupport, windowsSupport } from "./windows/support.ts"
