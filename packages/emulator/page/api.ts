/** Why a call failed, in words for people. */
export class CallError extends Error {
  constructor(readonly status: number, message: string) {
    super(message)
  }
}

let token = ""

/**
 * Takes the token from the URL, where it would be seen and copied along, into the session of this tab: unlike a cookie, that
 * belongs to this port alone.
 */
export const takeToken = (): void => {
  const given = /^#token=([A-Za-z0-9_-]+)$/.exec(location.hash)?.[1]
  if (given !== undefined) {
    sessionStorage.setItem("token", given)
    history.replaceState(null, "", "/")
  }
  token = given ?? sessionStorage.getItem("token") ?? ""
}

const headers = (more: Record<string, string> = {}): Record<string, string> => ({
  Authorization: `Bearer ${token}`,
  ...more
})

/** Makes a call. */
export const api = async <A>(method: string, path: string, body?: unknown): Promise<A> => {
  const response = await fetch(path, {
    method,
    headers: headers(body === undefined ? {} : { "Content-Type": "application/json" }),
    body: body === undefined ? null : JSON.stringify(body)
  }).catch(() => {
    throw new CallError(0, "The emulator does not answer. Is it still running?")
  })
  const text = await response.text()
  if (response.ok) return (text === "" ? undefined : JSON.parse(text)) as A
  let detail = text
  try {
    detail = (JSON.parse(text) as { readonly detail: string }).detail
  } catch {
    // Not a problem document.
  }
  throw new CallError(response.status, detail)
}

/** Reads the feed until it ends or is aborted. Not `EventSource`: that cannot send the token. */
export const readFeed = async (
  query: string,
  lastId: string,
  signal: AbortSignal,
  take: (kind: string, id: string, data: unknown) => void
): Promise<void> => {
  const response = await fetch(`/api/feed${query}`, { headers: headers({ "Last-Event-ID": lastId }), signal })
  if (!response.ok || response.body === null) throw new CallError(response.status, "the feed was refused")
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    text += value
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const block = text.slice(0, end)
      text = text.slice(end + 2)
      if (block.startsWith(":")) continue
      const field = (name: string): string =>
        block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? ""
      take(field("event"), field("id"), JSON.parse(field("data")) as unknown)
    }
  }
}
