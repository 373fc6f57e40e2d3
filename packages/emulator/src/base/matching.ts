/**
 * Whether a topic matches a pattern: `*` matches all, a final `.*` is a prefix, anything else is equality
 * (protocol section 1.5).
 */
export const topicMatches = (pattern: string, topic: string): boolean => {
  if (pattern === "*") return true
  if (pattern.endsWith(".*")) return topic.startsWith(pattern.slice(0, -1))
  return pattern !== "" && pattern === topic
}
