import { app } from "./app.mjs"

export default { fetch: (request) => app(request) }
