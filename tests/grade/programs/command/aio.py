import asyncio
import sys
import time

turn = asyncio.Lock()
ended = asyncio.Event()
writers = set()


async def serve(reader, writer):
    writers.add(writer)
    async with turn:
        host, port = writer.get_extra_info("peername")
        writer.write(f"Connected: your IP address is {host} and your port is {port}\n".encode())
        try:
            while data := await asyncio.wait_for(reader.read(1000), 15):
                if data.strip() == b"EXIT":
                    ended.set()
                    break
                writer.write(time.ctime().encode() + b"\n" if data.strip() == b"TIME" else b"Invalid command!\n")
                await writer.drain()
        except (TimeoutError, OSError):
            pass
        writer.close()
    writers.discard(writer)


async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", int(sys.argv[1]))
    await ended.wait()
    server.close()
    for writer in list(writers):
        writer.close()
    await asyncio.sleep(0.05)


asyncio.run(main())
