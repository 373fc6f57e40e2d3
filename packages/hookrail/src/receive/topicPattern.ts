/**
 * Whether a topic matches a pattern, by the rules of the server: `*` matches all, a final `.*` matches by prefix, anything
 * else must be equal (protocol section 1.5).
 */
export const topicMatches = (pattern: string, topic: string): boolean => {
  if (pattern === "*") return true
  if (pattern.endsWith(".*")) return topic.startsWith(pattern.slice(0, -1))
  return pattern !== "" && pattern === topic
}
