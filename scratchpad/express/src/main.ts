import { app, hookrail, webhooks } from "./app.js"

const port = Number(process.env.PORT ?? 3000)
const server = app.listen(port, () => console.log(`listening on http://localhost:${port}`))

const stop = async () => {
  await webhooks.drain() // what is being handled ends; what still arrives is delivered again later
  server.close()
  await hookrail.close({ drain: "10 seconds" })
}

process.once("SIGTERM", () => void stop())
process.once("SIGINT", () => void stop())
