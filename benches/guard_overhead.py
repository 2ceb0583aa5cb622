#!/usr/bin/env python3
"""What a guard with rules alone costs: requests per second and CPU per request, with and without it, and memory with open streams.

    python3 benches/guard_overhead.py path/to/amend [--requests 20000] [--connections 64] [--streams 2000]

It starts the simulated model and a guard in front of it, on free ports of this machine, and ends both. Linux only: CPU and memory
are read in /proc. Nothing but Python is needed.
"""
import argparse
import asyncio
import json
import os
import re
import resource
import subprocess
import tempfile
import time

CONSTITUTION = """[constitution]
id = "bench"
[[principle]]
id = "keeps-secrets"
text = "The response speaks of released products only."
[[principle.rule]]
words = ["project nightingale"]
[[principle.rule]]
pattern = 'sk-[A-Za-z0-9]{20,48}'
"""


def start(args, folder):
    """A server, and the host and port that its first line names."""
    child = subprocess.Popen(args, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    line = child.stdout.readline()
    found = re.search(r"http://([\d.]+):(\d+)", line)
    if not found:
        raise SystemExit(f"{args[1]} said {line!r}")
    return child, (found[1], int(found[2]))


def cpu(child):
    """Seconds of CPU that a process has used."""
    fields = open(f"/proc/{child.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(child):
    """MiB that a process holds now."""
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{child.pid}/status").read())[1]) / 1024


def request(stream):
    body = json.dumps({"model": "sim", "stream": stream, "messages": [{"role": "user", "content": "My lamp flickers."}]})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n"
    return (head + body).encode()


async def answer(reader):
    """Reads one response to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head, head
    length = re.search(rb"content-length: (\d+)", head.lower())
    if length:
        return await reader.readexactly(int(length[1]))
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()


async def asks(address, share, stream):
    reader, writer = await asyncio.open_connection(*address)
    for _ in range(share):
        writer.write(request(stream))
        await answer(reader)
    writer.close()


async def rate(address, requests, connections, stream):
    """Requests per second over connections that are kept open."""
    began = time.perf_counter()
    await asyncio.gather(*(asks(address, requests // connections, stream) for _ in range(connections)))
    return requests / (time.perf_counter() - began)


async def hold(address, streams):
    """Opens streams and reads the head of each."""
    held = []
    for _ in range(streams):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request(True))
        held.append((reader, writer))
    await asyncio.sleep(5)
    return held


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("amend")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--streams", type=int, default=2_000)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    amend = os.path.abspath(args.amend)
    with tempfile.TemporaryDirectory() as folder:
        open(f"{folder}/c.toml", "w").write(CONSTITUTION)
        guard_of = lambda sim: start(
            [amend, "guard", "--constitution", "c.toml", "--model", "sim", "--listen", "127.0.0.1:0",
             "--base-url", f"http://{sim[0]}:{sim[1]}/v1", "--set", 'guard.input.tiers=["rules"]',
             "--set", 'guard.output.tiers=["rules"]'], folder)
        sim, at_sim = start([amend, "sim", "--port", "0"], folder)
        guard, at_guard = guard_of(at_sim)
        for stream in (False, True):
            for name, address in (("direct", at_sim), ("guarded", at_guard)):
                asyncio.run(rate(address, 640, 64, stream))
                before = cpu(sim), cpu(guard)
                found = asyncio.run(rate(address, args.requests, args.connections, stream))
                used = [(now - then) / args.requests * 1e3 for now, then in zip((cpu(sim), cpu(guard)), before)]
                print(f"{'stream' if stream else 'whole ':6} {name:8} {found:7.0f} requests/s, "
                      f"CPU per request: sim {used[0]:.3f} ms, guard {used[1]:.3f} ms")
        guard.kill()
        sim.kill()
        sim, at_sim = start([amend, "sim", "--port", "0", "--latency-ms", "60000"], folder)
        guard, at_guard = guard_of(at_sim)

        async def held():
            empty = memory(guard)
            streams = await hold(at_guard, args.streams)
            print(f"{len(streams)} open streams: {memory(guard):.0f} MiB in the guard, {empty:.0f} MiB without")

        asyncio.run(held())
        guard.kill()
        sim.kill()


main()
