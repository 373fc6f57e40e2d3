/** The standard output holds data only: everything else goes to the standard error output. */

export type Format = "text" | "json"

export interface Streams {
  readonly stdout: Pick<NodeJS.WriteStream, "write" | "isTTY">
  readonly stderr: Pick<NodeJS.WriteStream, "write" | "isTTY">
  readonly env: Readonly<Record<string, string | undefined>>
}

type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan"

const codes: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39]
}

/** Whether a stream gets colours: `NO_COLOR` and `FORCE_COLOR` decide, and otherwise whether it is a terminal. */
export const hasColors = (stream: { readonly isTTY?: boolean | undefined }, env: Streams["env"]): boolean => {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "" && env.FORCE_COLOR !== "0") return true
  return stream.isTTY === true && env.TERM !== "dumb"
}

/** Control characters of a topic, a body or an error must not steer the terminal. */
export const oneLine = (text: string, limit = Number.POSITIVE_INFINITY): string => {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim()
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line
}

export type Painter = (style: Style, text: string) => string

const painter = (isColored: boolean): Painter => (style, text) =>
  isColored ? `\u001b[${codes[style][0]}m${text}\u001b[${codes[style][1]}m` : text

export const paintState = (state: string, paint: Painter): string =>
  paint(state === "succeeded" ? "green" : state === "dead_lettered" ? "red" : "yellow", state)

export class Output {
  /** Colours the standard output, if it is a terminal. */
  readonly paint: Painter
  /** Colours the standard error output. */
  readonly paintNote: Painter

  constructor(readonly format: Format, private readonly streams: Streams) {
    this.paint = painter(format === "text" && hasColors(streams.stdout, streams.env))
    this.paintNote = painter(format === "text" && hasColors(streams.stderr, streams.env))
  }

  get isJson(): boolean {
    return this.format === "json"
  }

  /** A result: as one line of JSON, or as text. */
  data(value: unknown, text: () => string): void {
    this.line(this.isJson ? JSON.stringify(value) : text())
  }

  /** A line of data as it is. */
  line(text: string): void {
    this.streams.stdout.write(`${text}\n`)
  }

  /** Bytes that are no text, as they are. */
  bytes(bytes: Uint8Array): void {
    this.streams.stdout.write(bytes)
  }

  /** Something worth knowing that is no data. Scripts, which ask for JSON, do not get it. */
  note(text: string): void {
    if (!this.isJson) this.streams.stderr.write(`${this.paintNote("dim", text)}\n`)
  }

  /** Something to look after. */
  warn(text: string): void {
    if (this.isJson) this.streams.stderr.write(`${JSON.stringify({ warning: text })}\n`)
    else this.streams.stderr.write(`${this.paintNote("yellow", text)}\n`)
  }

  /** Why the command fails: always one line. */
  error(message: string, code: number, details: Readonly<Record<string, unknown>>): void {
    const text = oneLine(message)
    this.streams.stderr.write(
      this.isJson
        ? `${JSON.stringify({ error: { message: text, exitCode: code, ...details } })}\n`
        : `${this.paintNote("red", "hookrail:")} ${text}\n`
    )
  }

  /** Rows as a table, or one line of JSON for each. */
  rows<Row extends object>(
    rows: ReadonlyArray<Row>,
    columns: Readonly<Record<string, (row: Row) => string | undefined>>,
    none: string
  ): void {
    if (this.isJson) {
      for (const row of rows) this.line(JSON.stringify(row))
      return
    }
    if (rows.length === 0) return this.note(none)
    for (const line of table(rows, columns, this.paint)) this.line(line)
  }
}

const table = <Row>(
  rows: ReadonlyArray<Row>,
  columns: Readonly<Record<string, (row: Row) => string | undefined>>,
  paint: Painter
): ReadonlyArray<string> => {
  const heads = Object.keys(columns)
  const cells = rows.map((row) => Object.values(columns).map((cell) => oneLine(cell(row) ?? "-", 120)))
  const widths = heads.map((head, n) => Math.max(head.length, ...cells.map((row) => row[n]!.length)))
  const padded = (row: ReadonlyArray<string>) => row.map((text, n) => text.padEnd(widths[n]!)).join("  ").trimEnd()
  return [paint("dim", padded(heads)), ...cells.map(padded)]
}
