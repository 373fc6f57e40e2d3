/**
 * Short names for the private members of classes. A minifier keeps the names of properties, because it cannot know who else
 * uses them; TypeScript does know it of private ones.
 */
import { type NodePath, type PluginObj, types as t } from "@babel/core"

const isPrivate = (node: object): boolean => (node as { readonly accessibility?: unknown }).accessibility === "private"

/** One letter, or two. */
const shortOf = (index: number): string =>
  index < 26 ? String.fromCharCode(97 + index) : shortOf(Math.floor(index / 26) - 1) + shortOf(index % 26)

type Name = t.Identifier | t.ObjectProperty

/** The private members of a class, by name: where they are declared and used. */
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
      const property = t.identifier(name)
      if (isPrivate(parameter)) members.set(name, [])
      return t.expressionStatement(
        t.assignmentExpression("=", t.memberExpression(t.thisExpression(), property), t.identifier(name))
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

/** The classes of a build that have a superclass, by name. */
type Derived = Map<string, { readonly superName: string; readonly hasNames: boolean }>

const renaming = (derived: Derived): PluginObj => ({
  visitor: {
    Program: (path) => {
      if (process.env["INL"] === "0") return
      path.traverse({ VariableDeclarator(d) {
        const { id, init } = d.node
        const parent = d.parent as t.VariableDeclaration
        if (!t.isIdentifier(id) || parent.kind !== "const" || !t.isProgram(d.parentPath.parent)) return
        const isNum = t.isNumericLiteral(init)
        if (!isNum && !(process.env["INLS"] && t.isStringLiteral(init))) return
        const binding = path.scope.getBinding(id.name)!
        for (const ref of binding.referencePaths) { if (ref.parentPath?.isObjectProperty({ shorthand: true })) (ref.parent as t.ObjectProperty).shorthand = false; ref.replaceWith(t.cloneNode(init!)) }
        d.remove()
      } })
    },
    VariableDeclaration: (path) => {
      if (process.env["LET"] !== "0" && path.node.kind === "const" && !t.isProgram(path.parent) && !t.isExportNamedDeclaration(path.parent)) path.node.kind = "let"
    },
    Class: (path) => {
      const members: Members = new Map()
      unfold(path.node, members)
      for (const member of path.node.body.body) {
        if (
          (t.isClassProperty(member) || t.isClassMethod(member)) && isPrivate(member) && !member.computed &&
          !member.static && !(t.isClassProperty(member) && member.declare) && t.isIdentifier(member.key)
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
      if (id && t.isIdentifier(superClass)) {
        derived.set(id.name, { superName: superClass.name, hasNames: members.size > 0 })
      }
      let index = 0
      for (const places of members.values()) {
        const short = `${shortOf(index++)}`
        for (const place of places) {
          if (!t.isObjectProperty(place)) place.name = short
          else {
            place.key = t.identifier(short)
            place.shorthand = false
          }
        }
      }
    }
  }
})

/** The names in derived classes must differ from those in the classes that they are derived from. */
const check = (derived: Derived): void => {
  for (const [name, { hasNames, superName }] of derived) {
    if (!hasNames) continue
    for (let above = derived.get(superName); above !== undefined; above = derived.get(above.superName)) {
      if (above.hasNames) {
        throw new Error(`${name} and a class above it both have short names: see packages/promise/names.ts`)
      }
    }
  }
}

/** For one build. */
export const shortNames = () => {
  const derived: Derived = new Map()
  return { plugin: renaming(derived), check: () => check(derived) }
}
