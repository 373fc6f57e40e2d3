/**
 * Short names for fields that nobody outside of the bundle knows. A minifier keeps the names of properties, because it cannot
 * tell who else uses them. Methods keep theirs, which stacks show.
 */
import { type NodePath, type PluginObj, types as t } from "@babel/core"

/**
 * Fields of classes in this workspace that are not private, but used in it only. `extended/names.test.ts` checks that: by their
 * types, all that has one of these names is a member of such a class.
 */
export const ownNames: ReadonlyArray<string> = [
  "baseUrlFrom",
  "caller",
  "contexts",
  "deadline",
  "due",
  "entered",
  "era",
  "forwards",
  "isPending",
  "keyFor",
  "pace",
  "payloadStart",
  "previous",
  "proxyOf",
  "queue",
  "scheduled",
  "sentAt",
  "slot",
  "successor",
  "timedIn",
  "truncated",
  "turn",
  "unused",
  "via",
  "wake",
  "whenEmpty"
]

/**
 * Members of Effect's fibers and contexts. No export of Effect has one of these names, and the two methods call nobody whose stack
 * could show them.
 */
export const effectNames: ReadonlyArray<string> = [
  "_asyncContext",
  "_deferredInterrupt",
  "_exit",
  "_interruptedCause",
  "_observers",
  "_running",
  "_stack",
  "_yielded",
  "currentOpCount",
  "getCont",
  "mapUnsafe",
  "yieldWith"
]

/** One letter, or two. */
const shortOf = (index: number, first: string): string =>
  index < 26
    ? String.fromCharCode(first.charCodeAt(0) + index)
    : shortOf(Math.floor(index / 26) - 1, first) + shortOf(index % 26, first)

/** In capitals, so that they differ from those of private members. */
const shared: ReadonlyMap<string, string> = new Map(
  [...effectNames, ...ownNames].map((name, index) => [name, shortOf(index, "A")])
)

const ofEffect = new RegExp(`(?<![\\w$])(?:${effectNames.join("|")})(?![\\w$])`, "g")

/** Gives the members of Effect their short names. */
export const shortenEffect = (code: string): string => code.replace(ofEffect, (name) => shared.get(name)!)

const isPrivate = (node: object): boolean => (node as { readonly accessibility?: unknown }).accessibility === "private"

type Name = t.Identifier | t.ObjectProperty

const rename = (place: Name, short: string): void => {
  if (!t.isObjectProperty(place)) place.name = short
  else {
    place.key = t.identifier(short)
    place.shorthand = false
  }
}

/** The private fields of a class, by name: where they are declared and used. */
type Members = Map<string, Array<Name>>

/**
 * A property that is a parameter of the constructor becomes an assignment. That is what TypeScript makes of it, which also
 * declares it as a field, so that it is set twice.
 */
const unfold = (node: t.Class, members: Members): void => {
  for (const member of node.body.body) {
    if (!t.isClassMethod(member, { kind: "constructor" })) continue
    const { body } = member.body
    const assignments = member.params.map((parameter, index) => {
      if (!t.isTSParameterProperty(parameter)) return undefined
      const given = parameter.parameter
      member.params[index] = given
      const { name } = (t.isAssignmentPattern(given) ? given.left : given) as t.Identifier
      if (isPrivate(parameter)) members.set(name, [])
      return t.expressionStatement(
        t.assignmentExpression("=", t.memberExpression(t.thisExpression(), t.identifier(name)), t.identifier(name))
      )
    }).filter((assignment) => assignment !== undefined)
    const after = body.findIndex((statement) =>
      t.isExpressionStatement(statement) && t.isCallExpression(statement.expression) &&
      t.isSuper(statement.expression.callee)
    )
    body.splice(after + 1, 0, ...assignments)
  }
}

/** Whether `this` of a path is the object of the class, and not that of a function or class inside. */
const isOwn = (path: NodePath, owner: NodePath<t.Class>): boolean => {
  const member = path.findParent((parent) =>
    parent.isClass() || parent.isObjectMethod() || (parent.isFunction() && !parent.isArrowFunctionExpression()) ||
    parent.isClassProperty()
  )
  return member?.parentPath?.parentPath === owner
}

/** Superclasses without private members: those of a derived class may have the names that those of other classes have. */
const open = new Set(["Callback", "PooledClient"])

/** The classes of a build: what they are derived from, and how their short names begin, if they have any. */
type Classes = Map<string, { readonly above: string; readonly prefix: string | undefined }>

const renaming = (classes: Classes): PluginObj => ({
  visitor: {
    /** A constant of a module is written where it is used. */
    Program: (path) => {
      for (const { declarations, kind } of path.node.body.filter((node) => t.isVariableDeclaration(node))) {
        for (const { id, init } of declarations) {
          if (kind !== "const" || !t.isIdentifier(id) || !(t.isNumericLiteral(init) || t.isStringLiteral(init))) {
            continue
          }
          const { path: declared, referencePaths } = path.scope.getBinding(id.name)!
          // Exported by its name.
          if (referencePaths.some((reference) => reference.parentPath!.isExportSpecifier())) continue
          if (t.isStringLiteral(init) && referencePaths.length > 1) continue
          for (const reference of referencePaths) {
            if (t.isObjectProperty(reference.parent)) reference.parent.shorthand = false
            reference.replaceWith(t.cloneNode(init))
          }
          declared.remove()
        }
      }
    },
    Class: (path) => {
      const members: Members = new Map()
      unfold(path.node, members)
      for (const member of path.node.body.body) {
        if (
          t.isClassProperty(member) && isPrivate(member) && !member.computed && !member.static && !member.declare &&
          t.isIdentifier(member.key)
        ) {
          members.set(member.key.name, [...members.get(member.key.name) ?? [], member.key])
        }
      }
      const use = (name: string, at: Name, from: NodePath, isThis: boolean): void => {
        // The object may be another of the same class, or anything else with such a property.
        if (isThis && isOwn(from, path)) members.get(name)?.push(at)
        else members.delete(name)
      }
      path.traverse({
        "MemberExpression|OptionalMemberExpression": (found: NodePath) => {
          const { computed, object, property } = found.node as t.MemberExpression
          if (computed && t.isThisExpression(object)) members.clear()
          if (!computed && t.isIdentifier(property)) use(property.name, property, found, t.isThisExpression(object))
        },
        ObjectPattern: (found) => {
          const { parent } = found
          const isThis = t.isVariableDeclarator(parent) && t.isThisExpression(parent.init)
          for (const property of found.node.properties) {
            if (isThis && !t.isObjectProperty(property)) members.clear()
            else if (t.isObjectProperty(property) && t.isIdentifier(property.key)) {
              use(property.key.name, property, found, isThis)
            }
          }
        },
        SpreadElement: ({ node }) => {
          if (t.isThisExpression(node.argument)) members.clear()
        }
      })
      const { id, superClass } = path.node
      const above = t.isIdentifier(superClass) ? superClass.name : ""
      const prefix = superClass && !open.has(above) ? "$" : ""
      if (id) classes.set(id.name, { above, prefix: members.size > 0 ? prefix : undefined })
      let index = 0
      for (const [name, places] of members) {
        if (shared.has(name)) continue
        const short = prefix + shortOf(index++, "a")
        for (const place of places) rename(place, short)
      }
    },
    "MemberExpression|OptionalMemberExpression": ({ node }: NodePath) => {
      const { computed, property } = node as t.MemberExpression
      if (!computed && t.isIdentifier(property) && shared.has(property.name)) {
        rename(property, shared.get(property.name)!)
      }
    },
    "ObjectProperty|ObjectMethod|ClassProperty|ClassMethod": ({ node }: NodePath) => {
      const { computed, key } = node as t.ObjectProperty
      if (computed || !t.isIdentifier(key) || !shared.has(key.name)) return
      rename(t.isObjectProperty(node) ? node : key, shared.get(key.name)!)
    }
  }
})

/** In a class, the short names must differ from those in the classes that it is derived from. */
const check = (classes: Classes): void => {
  for (const [name, { above, prefix }] of classes) {
    for (let next = above; prefix !== undefined && next !== ""; next = classes.get(next)?.above ?? "") {
      if (classes.get(next)?.prefix === prefix) {
        throw new Error(`${name} and ${next} have the same short names: see packages/promise/names.ts`)
      }
    }
  }
}

/** For one build. */
export const shortNames = () => {
  const classes: Classes = new Map()
  return { plugin: renaming(classes), check: () => check(classes) }
}
