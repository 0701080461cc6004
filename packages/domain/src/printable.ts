/**
 * A text that is safe to show: control characters, format characters (such as those that turn the writing direction)
 * and line separators stand as escapes, so that a device's text can neither steer a terminal nor forge a line of a log.
 *
 * @example
 * printable("a\u001b[2Jb") // "a\\u{1b}[2Jb"
 */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
