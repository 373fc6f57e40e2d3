"""The official Python client, speaking the protocol of the orchestrator."""

import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from hookrail import AsyncHookrail, Hookrail

kind, url, topic, payload_text, api_key = sys.argv[1:]
payload = json.loads(payload_text)


def check(accepted):
    if len(accepted.event_id) != 26:
        raise RuntimeError(f"unexpected answer {accepted}")


def say(answer):
    print(json.dumps(answer), flush=True)


def shares(batch):
    """How many requests each of the workers sends."""
    requests, workers = batch["requests"], batch["concurrency"]
    return [requests // workers + (index < requests % workers) for index in range(workers)]


async def run_async():
    async with AsyncHookrail(api_key=api_key, base_url=url) as client:

        async def worker(count):
            for _ in range(count):
                check(await client.send_event(topic, payload))

        say("ready")
        for line in sys.stdin:
            cpu, start = time.process_time_ns(), time.perf_counter_ns()
            await asyncio.gather(*map(worker, shares(json.loads(line))))
            report(cpu, start)


def run_sync():
    with Hookrail(api_key=api_key, base_url=url) as client, ThreadPoolExecutor(64) as threads:

        def worker(count):
            for _ in range(count):
                check(client.send_event(topic, payload))

        say("ready")
        for line in sys.stdin:
            cpu, start = time.process_time_ns(), time.perf_counter_ns()
            list(threads.map(worker, shares(json.loads(line))))
            report(cpu, start)


def report(cpu, start):
    say({
        "cpuMicros": (time.process_time_ns() - cpu) / 1000,
        "wallMicros": (time.perf_counter_ns() - start) / 1000,
    })


if kind == "async":
    asyncio.run(run_async())
else:
    run_sync()
