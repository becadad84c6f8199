// What a message says of itself is printed; it must not steer the terminal that it is read in.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** The text without what could steer a terminal; line breaks and tabs stay. */
export function printable(text: string): string {
  return text.replaceAll(control, '�')
}

/** Columns of equal width, headed; "none" when there is no row. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return 'none'
  const lines = [heads, ...rows].map((row) =>
    row.map((cell) => printable(cell).replaceAll(/[\n\t]/g, ' ')),
  )
  const widths = heads.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  )
  return lines
    .map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}

/** `1.5 s`, `3 min`, `2 h`, `4 d`: about how long ago it was. */
export function ago(moment: string, now: Date): string {
  const seconds = Math.max(0, (now.getTime() - Date.parse(moment)) / 1_000)
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`
  return `${Math.round(seconds / 86_400)} d`
}
