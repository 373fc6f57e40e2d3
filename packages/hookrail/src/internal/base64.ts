/** The bytes of a base64 text; `undefined` if it is none. */
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> | undefined => {
  let binary: string
  try {
    binary = atob(text)
  } catch {
    return undefined
  }
  // A loop: `Uint8Array.from` with a function takes twenty times as long.
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < bytes.length; index++) bytes[index] = binary.charCodeAt(index)
  return bytes
}
