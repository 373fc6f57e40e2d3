/** How much of an answer a transport reads, in bytes. See `Transport.maxBodyBytes`. */
export const maxBodyBytes = 4 * 1024 * 1024
