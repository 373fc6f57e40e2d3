/**
 * Makes mutants of a TypeScript source: small changes, each of which some test should notice. All of them are put into one
 * text, where `__mutant__(id)` says which one is alive, so that a module is transformed once for all of its mutants.
 */
import ts from "typescript"

export interface Mutant {
  readonly id: number
  readonly line: number
  readonly column: number
  /** The whole source line, trimmed: what the allow-list finds a mutant by. */
  readonly code: string
  /** What was changed, as `from → to`. */
  readonly change: string
  /** It lies outside of all functions, so it acts when the module is loaded. */
  readonly isStatic: boolean
}

export interface Instrumented {
  readonly code: string
  readonly mutants: ReadonlyArray<Mutant>
}

const operators: { readonly [operator: string]: ReadonlyArray<string> } = {
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "===": ["!=="],
  "!==": ["==="],
  "==": ["!="],
  "!=": ["=="],
  "&&": ["||"],
  "||": ["&&"],
  "??": ["&&"],
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "**": ["*"],
  "/": ["*"],
  "%": ["*"],
  "&": ["|"],
  "|": ["&"],
  "^": ["&"],
  "<<": [">>"],
  ">>": ["<<"],
  ">>>": ["<<"],
  "+=": ["-="],
  "-=": ["+="],
  "*=": ["/="],
  "|=": ["&="],
  "&=": ["|="],
  "??=": ["="],
  "||=": ["="],
  "&&=": ["="]
}

/** Methods with a counterpart. */
const counterparts: { readonly [method: string]: string } = {
  min: "max",
  max: "min",
  ceil: "floor",
  floor: "ceil",
  some: "every",
  every: "some",
  startsWith: "endsWith",
  endsWith: "startsWith"
}

/** Methods whose result has the type of their object, which stands in for it. */
const omissible = new Set(["trim", "slice", "subarray", "toLowerCase", "replace", "replaceAll", "padStart"])

/** Texts for people: tests should not repeat them. */
const isProse = (text: string): boolean => /\s/.test(text.trim())

/** Only where the text does not end up in another program, or in a message. */
const regexes = (text: string): ReadonlyArray<string> => {
  const end = text.lastIndexOf("/")
  const [body, flags] = [text.slice(1, end), text.slice(end)]
  const changed = [
    body.replace(/^\^/, ""),
    body.replace(/(?<!\\)\$$/, ""),
    ...[...body.matchAll(/(?<!\\)(?:\\\\)*\[\^?/g)].map(({ 0: open, index }) =>
      body.slice(0, index) + (open.endsWith("^") ? open.slice(0, -1) : `${open}^`) + body.slice(index + open.length)
    ),
    ...[...body.matchAll(/\\[dDsSwW]/g)].map(({ 0: name, index }) => {
      const letter = name.charAt(1)
      const other = letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()
      return `${body.slice(0, index)}\\${other}${body.slice(index + 2)}`
    }),
    ...[...body.matchAll(/(?<=[\])\w])[+*?](?![?+])/g)].map(({ index }) => body.slice(0, index) + body.slice(index + 1))
  ]
  return changed.filter((other) => other !== body && other !== "" && isRegex(other)).map((other) => `/${other}${flags}`)
}

const isRegex = (body: string): boolean => {
  try {
    return new RegExp(body, "u") instanceof RegExp
  } catch {
    return false
  }
}

const isTypeOnly = (node: ts.Node): boolean =>
  ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) ||
  ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isTypeParameterDeclaration(node) ||
  (ts.canHaveModifiers(node) &&
    ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword) === true)

/** Whether a text stands for a name that is not a value: of a property, or of a module. */
const isName = (node: ts.StringLiteralLike): boolean => {
  const { parent } = node
  return (ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent) || ts.isMethodDeclaration(parent)) &&
      parent.name === node ||
    ts.isCallExpression(parent) && parent.expression.kind === ts.SyntaxKind.ImportKeyword
}

/** Whether an optional chain goes on beyond this node, so that parentheses around it would break the chain. */
const isInnerLink = (node: ts.Node): boolean => {
  const { parent } = node
  return ts.isOptionalChain(node) && ts.isOptionalChain(parent) && parent.expression === node
}

const isAssignment = ({ kind }: ts.BinaryOperatorToken): boolean =>
  kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment

const isAssigned = (node: ts.Node): boolean => {
  const { parent } = node
  return ts.isBinaryExpression(parent) && parent.left === node && isAssignment(parent.operatorToken) ||
    ts.isDeleteExpression(parent) ||
    ts.isPrefixUnaryExpression(parent) && parent.operator !== ts.SyntaxKind.MinusToken &&
      parent.operator !== ts.SyntaxKind.ExclamationToken ||
    ts.isPostfixUnaryExpression(parent)
}

const isConditionOf = (node: ts.Expression): boolean => {
  const { parent } = node
  return (ts.isIfStatement(parent) || ts.isWhileStatement(parent) || ts.isDoStatement(parent)) &&
      parent.expression === node ||
    ts.isConditionalExpression(parent) && parent.condition === node
}

/** A statement that can be left out: without it the module still compiles, types apart. */
const isRemovable = (node: ts.Node): node is ts.Statement => {
  if (ts.isExpressionStatement(node)) {
    return !(ts.isCallExpression(node.expression) && node.expression.expression.kind === ts.SyntaxKind.SuperKeyword)
  }
  return ts.isReturnStatement(node) || ts.isThrowStatement(node) || ts.isBreakStatement(node) ||
    ts.isContinueStatement(node)
}

/** Whether a function ends after this statement, with nothing else to do. */
const isLast = (node: ts.Statement): boolean => {
  const { parent } = node
  if (ts.isIfStatement(parent) || ts.isTryStatement(parent)) return isLast(parent)
  if (!ts.isBlock(parent) || parent.statements.at(-1) !== node) return false
  const owner = parent.parent
  if (ts.isCatchClause(owner)) return isLast(owner.parent)
  return ts.isFunctionLike(owner) || (ts.isIfStatement(owner) || ts.isTryStatement(owner)) && isLast(owner)
}

const isUndefined = (node: ts.Expression | undefined): boolean =>
  node === undefined || ts.isIdentifier(node) && node.text === "undefined"

/** Whether leaving it out is no change, the same one as the condition `false` above it, or not worth a try. */
const isIdle = (node: ts.Statement): boolean => {
  const { parent } = node
  if (ts.isIfStatement(parent)) return parent.elseStatement === undefined
  if (ts.isBlock(parent) && parent.statements.length === 1 && ts.isIfStatement(parent.parent)) {
    return parent.parent.elseStatement === undefined
  }
  if (ts.isBreakStatement(node) && ts.isCaseOrDefaultClause(parent)) return parent.parent.clauses.at(-1) === parent
  if (!ts.isReturnStatement(node)) return false
  // Of the returns only the early ones: without its result, nothing of a function works.
  return isLast(node) && isUndefined(node.expression) ||
    ts.isBlock(parent) && ts.isFunctionLike(parent.parent) && parent.statements.at(-1) === node
}

/** Two texts on one line each, without most of what both begin or end with, if they are long. */
const describeChange = (from: string, to: string): string => {
  const [a, b] = [from.replace(/\s+/g, " ").replace(/;$/, ""), to.replace(/\s+/g, " ")]
  if (b === "") return `${a.length > 60 ? `${a.slice(0, 57)}...` : a} removed`
  if (a.length + b.length <= 100) return `${a} → ${b}`
  let start = 0
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++
  let end = 0
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++
  const part = (text: string): string => {
    const [first, last] = [Math.max(0, start - 8), Math.min(text.length, text.length - end + 8)]
    const middle = text.slice(first, last)
    return `${first > 0 ? "..." : ""}${middle.length > 60 ? `${middle.slice(0, 57)}...` : middle}${
      last < text.length ? "..." : ""
    }`
  }
  return `${part(a)} → ${part(b)}`
}

/** Puts all mutants of a module into its text. Their ids count from `firstId`. */
export const instrument = (path: string, text: string, firstId: number): Instrumented => {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true)
  const lines = text.split("\n")
  const mutants: Array<Mutant> = []
  let depth = 0

  const add = (at: number, from: string, to: string): number => {
    const { character, line } = source.getLineAndCharacterOfPosition(at)
    const id = firstId + mutants.length
    mutants.push({
      id,
      line: line + 1,
      column: character + 1,
      code: lines[line]!.trim(),
      change: describeChange(from, to),
      isStatic: depth === 0
    })
    return id
  }

  /** The text of a node with the mutants inside of it, from its first token on. */
  const inner = (node: ts.Node): string => {
    let out = ""
    let position = node.getStart(source)
    ts.forEachChild(node, (child) => {
      const start = child.getStart(source)
      if (start < position) return
      out += text.slice(position, start) + visit(child)
      position = child.getEnd()
    })
    return out + text.slice(position, node.getEnd())
  }

  const cut = (from: number, to: number, start: number, end: number, by: string): string =>
    text.slice(from, start) + by + text.slice(end, to)

  /** What an expression may be changed to: what is shown of it, and the whole of it. */
  const variants = (
    node: ts.Expression
  ): ReadonlyArray<readonly [at: number, from: string, to: string, all: string]> => {
    const [start, end] = [node.getStart(source), node.getEnd()]
    const own = text.slice(start, end)
    const whole = (to: string) => [start, own, to, to] as const
    const found: Array<readonly [number, string, string, string]> = []
    if (isConditionOf(node)) {
      found.push(whole("false"))
      if (!ts.isWhileStatement(node.parent) && !ts.isDoStatement(node.parent)) found.push(whole("true"))
    }
    if (ts.isBinaryExpression(node)) {
      const token = node.operatorToken
      const [from, to] = [token.getStart(source), token.getEnd()]
      const operator = text.slice(from, to)
      const joins = operator === "+" && [node.left, node.right].some((side) => ts.isStringLiteralLike(side))
      const [left, right] = [text.slice(start, node.left.getEnd()), text.slice(node.right.getStart(source), end)]
      for (const other of joins ? [] : operators[operator] ?? []) {
        // The other operator may bind more strongly or less: parentheses keep the operands together.
        found.push([
          from,
          operator,
          other,
          isAssignment(token) ? `${left} ${other} ${right}` : `(${left}) ${other} (${right})`
        ])
      }
    } else if (ts.isPrefixUnaryExpression(node)) {
      if (node.operator === ts.SyntaxKind.PlusPlusToken) found.push(whole(own.replace("++", "--")))
      else if (node.operator === ts.SyntaxKind.MinusMinusToken) found.push(whole(own.replace("--", "++")))
      else if (node.operator !== ts.SyntaxKind.PlusToken) found.push(whole(own.slice(1)))
    } else if (ts.isPostfixUnaryExpression(node)) {
      found.push(whole(own.slice(0, -2) + (own.endsWith("++") ? "--" : "++")))
    } else if (node.kind === ts.SyntaxKind.TrueKeyword) found.push(whole("false"))
    else if (node.kind === ts.SyntaxKind.FalseKeyword) found.push(whole("true"))
    else if (ts.isNumericLiteral(node)) found.push(whole(`${Number(own.replaceAll("_", "")) + 1}`))
    else if (ts.isStringLiteralLike(node)) {
      if (!isName(node) && !isProse(node.text)) found.push(whole(node.text === "" ? "\"mutant\"" : "\"\""))
    } else if (ts.isTemplateExpression(node)) {
      const literals = [node.head.text, ...node.templateSpans.map((span) => span.literal.text)]
      if (!literals.some((literal) => isProse(literal) || literal.includes(" "))) found.push(whole("\"\""))
    } else if (ts.isRegularExpressionLiteral(node)) found.push(...regexes(own).map(whole))
    else if (ts.isArrayLiteralExpression(node)) {
      if (node.elements.length > 0) found.push(whole("[]"))
    } else if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { expression, name } = node.expression
      const other = Object.hasOwn(counterparts, name.text) ? counterparts[name.text] : undefined
      if (other !== undefined) {
        found.push([
          name.getStart(source),
          name.text,
          other,
          cut(start, end, name.getStart(source), name.getEnd(), other)
        ])
      }
      if (omissible.has(name.text) && !ts.isOptionalChain(node)) {
        found.push([name.getStart(source), `.${name.text}()`, "", text.slice(start, expression.getEnd())])
      }
    }
    if (ts.isOptionalChain(node)) {
      for (let link: ts.Node = node; ts.isOptionalChain(link); link = link.expression) {
        const token = ts.isNonNullChain(link) ? undefined : link.questionDotToken
        if (token === undefined) continue
        const by = ts.isPropertyAccessExpression(link) ? "." : ""
        found.push([
          token.getStart(source),
          "?.",
          by,
          cut(start, end, token.getStart(source), token.getEnd(), by)
        ])
      }
    }
    return found
  }

  const visitExpression = (node: ts.Expression): string => {
    const canWrap = !isInnerLink(node) && !isAssigned(node)
    const changed = canWrap ? variants(node).map(([at, from, to, all]) => [add(at, from, to), all] as const) : []
    const original = inner(node)
    return changed.length === 0
      ? original
      : `(${changed.map(([id, all]) => `__mutant__(${id}) ? (${all}) : `).join("")}(${original}))`
  }

  const visit = (node: ts.Node): string => {
    if (isTypeOnly(node)) return text.slice(node.getStart(source), node.getEnd())
    if (ts.isFunctionLike(node)) {
      depth++
      try {
        return inner(node)
      } finally {
        depth--
      }
    }
    if (isRemovable(node)) {
      if (isIdle(node)) return inner(node)
      const own = text.slice(node.getStart(source), node.getEnd())
      const id = add(node.getStart(source), own, "")
      return `{ if (!__mutant__(${id})) { ${inner(node)} } }`
    }
    if (ts.isExpression(node) && (!ts.isIdentifier(node) || isConditionOf(node))) return visitExpression(node)
    return inner(node)
  }

  return { code: inner(source) + text.slice(source.getEnd()), mutants }
}
