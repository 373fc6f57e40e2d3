import { nodeProgram, start, stopAll } from "./children.js"
import { ratios, summarize } from "./stats.js"
const names = (process.argv[2] ?? "undici-request,undici-dispatch,hookrail-node,hookrail-node-4,hookrail-promise").split(",")
const rounds = Number(process.argv[3] ?? 7), batch = Number(process.argv[4] ?? 4000), concurrency = 64
const stub: any = await start("server", nodeProgram("stub.ts"))
const kids: any[] = []
for (const n of names) kids.push({ n, c: await start<any, any>("contender", nodeProgram(`contenders/${n}.ts`, [stub.hello.url])), us: [] })
for (const k of kids) await k.c.ask({ requests: 12000, concurrency })
for (let r = 0; r < rounds; r++) for (const k of kids) { await k.c.ask({ requests: batch >> 1, concurrency }); k.us.push((await k.c.ask({ requests: batch, concurrency })).cpuMicros / batch) }
for (const k of kids) { const s = summarize(k.us), q = summarize(ratios(k.us, kids[0].us)); console.log(k.n.padEnd(26), s.median.toFixed(1), `${s.min.toFixed(1)}..${s.max.toFixed(1)}`, "ratio", q.median.toFixed(3), `${q.min.toFixed(2)}..${q.max.toFixed(2)}`) }
stopAll(); process.exit()
