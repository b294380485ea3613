"""Readers of a live page: ``python page_readers.py PORT COUNT STALLED``, COUNT streams, of which STALLED do not read.

They are open once ``ready`` is printed; when standard input ends, what was read is printed as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

READ = {"bytes": 0, "exchange": 0, "skipped": 0, "closed": 0}


async def read(port: int, is_stalled: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    writer.write(f"GET /api/1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    if is_stalled:
        await asyncio.sleep(1e9)
    while data := await reader.read(65536):
        READ["bytes"] += len(data)
        READ["exchange"] += data.count(b"event: exchange")
        READ["skipped"] += data.count(b"event: skipped")
    READ["closed"] += 1


async def main(port: int, count: int, stalled: int) -> None:
    tasks = [asyncio.create_task(read(port, number < stalled)) for number in range(count)]
    await asyncio.sleep(1)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    print(json.dumps(READ), flush=True)


asyncio.run(main(*map(int, sys.argv[1:])))
