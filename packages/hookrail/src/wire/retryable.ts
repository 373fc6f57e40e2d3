/** Which errors are worth another try. By their tags: core and facade have classes of their own. */

/** The part of an error that decides. */
interface Tagged {
  readonly _tag: string
  readonly retryable?: boolean | undefined
}

/** Whether the same call may succeed later. */
export const isWorthRetrying = (error: Tagged): boolean => {
  switch (error._tag) {
    case "HookrailConnectionError":
    case "HookrailTimeoutError":
    case "RateLimitError":
    case "ServerError":
    case "RetryError":
      return true
    case "UnexpectedResponseError":
      return error.retryable === true
    default:
      return false
  }
}
