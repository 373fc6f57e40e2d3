/**
 * Definitions of Effect that are replaced in the bundle, by module and name: see `effect.ts`.
 *
 * Some would be left out but for the probes of the engine that they make while they are loaded. The others can do more than
 * anyone asks of them in the facade: no fiber of it has a tracer, metrics, a stack to print, or a scheduler of the user's.
 */
export const definitions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "Pipeable.js": { pipeArguments: "(self, given) => [...given].reduce((self, apply) => apply(self), self)" },
  "Function.js": {
    // No function in the bundle has more than three arguments.
    dual: `(arity, body) =>
      typeof arity === "number"
        ? function(a, b, c) {
          return arguments.length < arity ? (self) => body(self, a, b) : body(a, b, c)
        }
        : function() {
          return arity(arguments) ? body(...arguments) : (self) => body(self, ...arguments)
        }`
  },
  "Predicate.js": {
    hasProperty: `dual(2, (self, name) =>
      (typeof self === "object" ? self !== null : typeof self === "function") && name in self)`
  },
  "Redacted.js": {
    make: `(value) => {
      const self = Object.create(Proto)
      redacted.redactedRegistry.set(self, value)
      return self
    }`,
    Proto: "({ [TypeId]: TypeId })"
  },
  "internal/core.js": {
    // What marks types is only looked for.
    effectVariance: "true",
    PipeInspectableProto: `({
      pipe(...given) {
        return pipeArguments(this, given)
      }
    })`,
    EffectProto: `({
      [EffectTypeId]: effectVariance,
      ...PipeInspectableProto,
      *[Symbol.iterator]() {
        return yield this
      }
    })`,
    isEffect: "(u) => u?.[EffectTypeId] !== undefined",
    isExit: "(u) => u?.[ExitTypeId] !== undefined",
    makePrimitiveProto: "(options) => ({ ...EffectProto, [identifier]: true, ...options })",
    // Equal reasons that are not the same may stay: all that the facade takes from a cause is one error.
    dedupeReasons: "(self, that) => [...new Set([...self, ...that])]",
    causeCombine: "(self, that) => causeFromReasons(dedupeReasons(self.reasons, that.reasons))",
    causeAddInterrupts: "(self, interrupts) => causeCombine(self, interrupts)",
    // Annotations are about tracing, which the facade has none of.
    CauseImpl: `class {
      constructor(reasons) {
        this.reasons = reasons
      }
    }`,
    isCause: "(self) => self instanceof CauseImpl",
    ReasonBase: `class {
      constructor(_tag) {
        this._tag = _tag
      }
    }`,
    Fail: `class extends ReasonBase {
      constructor(error) {
        super("Fail")
        this.error = error
      }
    }`,
    Die: `class extends ReasonBase {
      constructor(defect) {
        super("Die")
        this.defect = defect
      }
    }`,
    exitFailCause: `makeExit({
      op: "Failure",
      prop: "cause",
      [evaluate](fiber) {
        let cause = this[args]
        let isChanged = false
        let cont = fiber.getCont(contE)
        const interruptedCause = fiber._interruptedCause
        if (interruptedCause && fiber.interruptible) {
          let skippedHandler = false
          while (cont && fiber.interruptible) {
            skippedHandler ||= identifier in cont
            cont = fiber.getCont(contE)
          }
          if (skippedHandler) cause = causeFromReasons(cause.reasons.filter((reason) => !isFailReason(reason)))
          cause = causeAddInterrupts(cause, interruptedCause)
          isChanged = true
        }
        const exit = isChanged ? undefined : this
        return cont ? cont[contE](cause, fiber, exit) : fiber.yieldWith(exit ?? exitFailCause(cause))
      }
    })`,
    // Their fields are those of this workspace, and are printed by its own classes.
    Error: `class extends YieldableError {
      constructor(args) {
        super(args?.message, args?.cause ? { cause: args.cause } : undefined)
        Object.assign(this, args)
      }
    }`
  },
  "internal/result.js": {
    FailureImpl: "undefined",
    fail: `(failure) => ({ _tag: "Failure", failure })`,
    SuccessImpl: "undefined",
    succeed: `(success) => ({ _tag: "Success", success })`
  },
  // A copy of a few services is as good as the layers that are made for many.
  "Context.js": {
    Service: `function(...given) {
      const self = function() {}
      Object.setPrototypeOf(self, ServiceProto)
      const init = (key, options) => Object.assign(self, { key }, options)
      return given.length > 0 ? init(...given) : init
    }`,
    ServiceProto: `({
      [ServiceTypeId]: ServiceTypeId,
      ...Effectable.Prototype({
        label: "Service",
        evaluate(fiber) {
          return exitSucceed(get(fiber.context, this))
        }
      }),
      of: (self) => self
    })`,
    Reference: "(key, options) => ({ key, ...options })",
    isReference: "(u) => !!u.defaultValue",
    applyOverlays: "undefined",
    makeImpl: "undefined",
    flatten: "undefined",
    Proto: "({ ...PipeInspectableProto, [TypeId]: TypeId })",
    makeUnsafe: "(mapUnsafe) => Object.assign(Object.create(Proto), { mapUnsafe })",
    withFlat: `(self, change) => {
      const mapUnsafe = new Map(self.mapUnsafe)
      change(mapUnsafe)
      return makeUnsafe(mapUnsafe)
    }`,
    lookup: `({ mapUnsafe }, key) => {
      const value = mapUnsafe.get(key)
      return value === undefined && !mapUnsafe.has(key) ? notFound : value
    }`,
    addUnsafe: "(self, key, service) => makeUnsafe(new Map(self.mapUnsafe).set(key, service))",
    getDefaultValue: "(reference) => (reference[defaultValueCacheKey] ??= { value: reference.defaultValue() }).value",
    // What is not there is a reference.
    getUnsafe: `dual(2, ({ mapUnsafe }, service) =>
      mapUnsafe.has(service.key) ? mapUnsafe.get(service.key) : getDefaultValue(service))`
  },
  "internal/effect.js": {
    // Fibers of the facade have a logger of its own: `contextOf` in `src/log.ts`.
    defaultLogger: "undefined",
    tracerLogger: "undefined",
    logLevelColors: "undefined",
    Interrupt: `class extends ReasonBase {
      constructor(fiberId) {
        super("Interrupt")
        this.fiberId = fiberId
      }
    }`,
    findError: `(self) => {
      const reason = self.reasons.find(isFailReason)
      return reason ? Result.succeed(reason.error) : Result.fail(self)
    }`,
    // One after the other: nothing depends on who comes first.
    yieldNowWith: `() =>
      suspend(() =>
        callback((resume) => {
          const run = () => resume(exitVoid)
          try {
            (globalThis.setImmediate ?? setTimeout)(run)
          } catch {
            // Some workers have no timers while a module is loaded.
            Promise.resolve().then(run)
          }
        })
      )`,
    causeElectDefects: `(self) =>
      hasDies(self)
        ? causeFromReasons(self.reasons.map((reason) => isFailReason(reason) ? new Die(reason.error) : reason))
        : self`,
    causeSquash: `(self) => {
      let defect
      for (const reason of self.reasons) {
        if (isFailReason(reason)) return reason.error
        if (isDieReason(reason)) defect ??= reason
      }
      return defect ? defect.defect : new globalThis.Error("All fibers interrupted without error")
    }`,
    // All else that fibers remember is never set in the facade.
    makeFiberContextCache: `() => ({ minimumLogLevel: "Info" })`,
    getCurrentFiber: "() => fiberIdStore.fiber",
    FiberImpl: `class {
      constructor(context, interruptible = true) {
        this.context = context
        this.cache = fiberIdStore.cache ??= makeFiberContextCache()
        this.id = ++fiberIdStore.id
        this.currentOpCount = 0
        this.interruptible = interruptible
        this._stack = []
        this._observers = undefined
        this._exit = undefined
        this._interruptedCause = undefined
        this._yielded = undefined
        this._running = false
        this._deferredInterrupt = false
        this._asyncContext = undefined
      }
      get currentDispatcher() {
        return { scheduleTask: (task) => runFork(flatMap(yieldNow, () => sync(task))) }
      }
      getRef(ref) {
        return Context.get(this.context, ref)
      }
      addObserver(observer) {
        if (this._exit) {
          observer(this._exit)
          return constVoid
        }
        (this._observers ??= []).push(observer)
        return () => {
          this._observers = this._observers?.filter((other) => other !== observer)
        }
      }
      interruptUnsafe(fiberId) {
        if (this._exit) return
        const cause = causeInterrupt(fiberId)
        this._interruptedCause = this._interruptedCause ? causeAddInterrupts(this._interruptedCause, cause) : cause
        if (!this.interruptible) return
        if (this._running) this._deferredInterrupt = true
        else this.evaluate(failCause(this._interruptedCause))
      }
      pollUnsafe() {
        return this._exit
      }
      evaluate(effect) {
        if (this._exit) return
        const asyncContext = this._asyncContext
        if (asyncContext) {
          this._asyncContext = undefined
          try {
            return asyncContext.runInAsyncScope(this.evaluate, this, effect)
          } finally {
            asyncContext.emitDestroy()
          }
        }
        const yielded = this._yielded
        if (yielded) {
          this._yielded = undefined
          yielded()
        }
        const exit = this.runLoop(effect)
        if (exit === Yield) {
          this._asyncContext = captureAsyncContext()
          return
        }
        this._exit = exit
        this._stack.length = 0
        const observers = this._observers
        this._observers = undefined
        if (observers) for (const observer of observers) observer(exit)
        this.context = Context.empty()
      }
      runLoop(effect) {
        const { fiber } = fiberIdStore
        const isRunning = this._running
        fiberIdStore.fiber = this
        this._running = true
        this.currentOpCount = 0
        let isYielding = false
        try {
          while (true) {
            try {
              if (this._deferredInterrupt) {
                this._deferredInterrupt = false
                effect = failCause(this._interruptedCause)
              }
              if (!isYielding && ++this.currentOpCount > 2048) {
                isYielding = true
                const rest = effect
                effect = flatMap(yieldNow, () => rest)
              }
              effect = effect[evaluate](this)
              if (effect === Yield) {
                const yielded = this._yielded
                if (ExitTypeId in yielded) {
                  this._deferredInterrupt = false
                  this._yielded = undefined
                  return yielded
                }
                if (!this._deferredInterrupt) return Yield
                this._yielded = undefined
                yielded()
              }
            } catch (defect) {
              effect = exitDie(defect)
            }
          }
        } finally {
          this._running = isRunning
          fiberIdStore.fiber = fiber
        }
      }
      getCont(symbol) {
        if (this._deferredInterrupt) {
          this._deferredInterrupt = false
          return deferredInterruptCont
        }
        let op
        while (op = this._stack.pop()) {
          const cont = op[contAll]?.(this)
          if (cont) {
            cont[symbol] = cont
            return cont
          }
          if (op[symbol]) return op
        }
      }
      // Each call counts as an operation, and now and then one returns an exit, so that continuations never nest deeply.
      succeedWith(value) {
        if (++this.currentOpCount % maxInlineSteps === 0) return exitSucceed(value)
        const cont = this.getCont(contA)
        return cont ? cont[contA](value, this) : this.yieldWith(exitSucceed(value))
      }
      yieldWith(value) {
        this._yielded = value
        return Yield
      }
      setContext(context) {
        this.context = context
      }
    }`,
    callbackOptions: `(() => {
      const Async = function(register, withSignal) {
        this.register = register
        this.withSignal = withSignal
      }
      Async.prototype = makePrimitiveProto({
        op: "Async",
        [evaluate](fiber) {
          let resumed = false
          let yielded = false
          const controller = this.withSignal ? new AbortController() : undefined
          const onCancel = this.register((effect) => {
            if (resumed) return
            resumed = true
            if (yielded) fiber.evaluate(effect)
            else yielded = effect
          }, controller?.signal)
          if (yielded) return yielded
          yielded = true
          fiber.yieldWith(() => {
            resumed = true
          })
          if (controller || onCancel) {
            fiber._stack.push(asyncFinalizer(() => {
              resumed = true
              controller?.abort()
              return onCancel ?? exitVoid
            }))
          }
          return Yield
        }
      })
      return (register, withSignal) => new Async(register, withSignal)
    })()`,
    // These keep stacks readable that nobody prints.
    fiberStackAnnotations: "() => undefined",
    mapCont: `function(value, fiber) {
      const map = this.payload
      return fiber.succeedWith(map(value))
    }`,
    matchCauseEffect: `dual(2, (self, { onFailure, onSuccess }) =>
      new OnSuccessAndFailureImpl(self, (value) => onSuccess(value), (cause) => onFailure(cause)))`,
    catchCause: "dual(2, (self, onFailure) => new OnFailureImpl(self, (cause) => onFailure(cause)))",
    catchCauseFilter: `dual(3, (self, filter, onFailure) =>
      catchCause(self, (cause) => {
        const found = filter(cause)
        return Result.isFailure(found) ? failCause(found.failure) : onFailure(found.success, cause)
      }))`,
    MatchImpl: "undefined",
    matchEffect: `dual(2, (self, { onFailure, onSuccess }) =>
      matchCauseEffect(self, {
        onFailure: (cause) => {
          const error = findRecoverableError(cause)
          return Result.isFailure(error) ? failCause(error.failure) : onFailure(error.success)
        },
        onSuccess
      }))`,
    match: `dual(2, (self, { onFailure, onSuccess }) =>
      matchEffect(self, {
        onFailure: (error) => exitSucceed(onFailure(error)),
        onSuccess: (value) => exitSucceed(onSuccess(value))
      }))`,
    exitPrimitive: `(self) =>
      matchCauseEffect(self, {
        onFailure: (cause) => exitSucceed(exitFailCause(cause)),
        onSuccess: (value) => exitSucceed(exitSucceed(value))
      })`,
    onError: `dual(2, (self, onFailure) =>
      onExit(self, (exit) => exitIsSuccess(exit) ? void_ : onFailure(exit.cause)))`,
    OnExitImpl: `(() => {
      const continued = (self, exit) => {
        let finalizer
        try {
          finalizer = self.onExit(exit)
        } catch (defect) {
          finalizer = exitDie(defect)
        }
        return finalizer ? flatMap(combineFinalizerCause(exit, finalizer), () => exit) : exit
      }
      const OnExit = function(effect, onExit, interruptible) {
        this.effect = effect
        this.onExit = onExit
        this.interruptible = interruptible
      }
      OnExit.prototype = makePrimitiveProto({
        op: "OnExit",
        [evaluate](fiber) {
          fiber._stack.push(this)
          return this.effect
        },
        [contAll](fiber) {
          if (fiber.interruptible && !this.interruptible) {
            fiber._stack.push(setInterruptibleTrue)
            fiber.interruptible = false
          }
        },
        [contA](value, _, exit) {
          return continued(this, exit ?? exitSucceed(value))
        },
        [contE](cause, _, exit) {
          return continued(this, exit ?? exitFailCause(cause))
        }
      })
      return OnExit
    })()`,
    runForkWith: `(context) => (effect) => {
      const fiber = new FiberImpl(context)
      fiber.evaluate(effect)
      return fiber
    }`,
    runCallbackWith: `(context) => (effect, { onExit }) => {
      const fiber = runForkWith(context)(effect)
      fiber.addObserver(onExit)
      return () => fiber.interruptUnsafe()
    }`,
    runSyncExitWith: `(context) => (effect) => {
      const fiber = runForkWith(context)(effect)
      return fiber._exit ?? exitDie(new AsyncFiberError(fiber))
    }`,
    // No fiber waits for its children.
    fiberMiddleware: "undefined",
    forkUnsafe: `(parent, effect, immediate, daemon, uninterruptible) => {
      if (!daemon) throw new Error("a child: see packages/promise/definitions.ts")
      const child = new FiberImpl(
        parent.context,
        uninterruptible === "inherit" ? parent.interruptible : !uninterruptible
      )
      child.evaluate(immediate ? effect : flatMap(yieldNow, () => effect))
      return child
    }`,
    // Every runtime of the facade has `performance`. What is not here is for spans.
    ClockImpl: `class {
      currentTimeMillis = sync(() => this.currentTimeMillisUnsafe())
      currentTimeMillisUnsafe() {
        return Date.now()
      }
      currentTimeNanosUnsafe() {
        return BigInt(Date.now()) * BigInt(1e6)
      }
      monotonicTimeNanosUnsafe() {
        return BigInt(Math.round(performance.now() * 1e6))
      }
      sleep(duration) {
        return this.sleepMillis(Duration.toMillis(duration))
      }
      sleepMillis(millis) {
        if (millis <= 0) return yieldNow
        if (millis === Infinity) return never
        return callback((resume) => {
          const rest = millis > MAX_TIMER_MILLIS ? this.sleepMillis(millis - MAX_TIMER_MILLIS) : void_
          const timer = setTimeout(() => resume(rest), Math.min(millis, MAX_TIMER_MILLIS))
          return sync(() => clearTimeout(timer))
        })
      }
    }`,
    monotonicNowNanos: "undefined",
    wallTimeNanos: "undefined"
  },
  "internal/random.js": {
    Random: `Context.Reference("effect/Random", { defaultValue: () => ({ nextDoubleUnsafe: Math.random }) })`
  },
  "internal/redacted.js": { value: "(self) => redactedRegistry.get(self)" },
  "Utils.js": { internalCall: "(body) => body()" }
}

/** Definitions of the core that are replaced, by module and name. */
export const ofCore: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Errors of the facade are made of the core's, whose JSON and brand nobody sees.
  "HookrailError.ts": { TaggedError: "Data.TaggedError" }
}
