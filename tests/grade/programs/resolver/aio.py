import asyncio
import json
import sys
import time

port, parent_ip, parent_port, path = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
with open(path) as file:
    rows = [line.rstrip("\r\n").split(",") for line in file if line.strip()]
running = set()
static = {row[0]: row[:3] for row in rows if len(row) == 3}
learned = {row[0]: (row[:3], float(row[4])) for row in rows if len(row) == 5}


class Asking(asyncio.DatagramProtocol):
    def __init__(self):
        self.reply = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, address):
        if not self.reply.done():
            self.reply.set_result(json.loads(data))


class Serving(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        running.add(asyncio.ensure_future(self.answer(data, address)))

    async def answer(self, data, address):
        name = data.decode().strip()
        row = static.get(name)
        if row is None and name in learned and time.time() - learned[name][1] <= int(learned[name][0][2]):
            row = learned[name][0]
        if row is None and parent_port != -1:
            loop = asyncio.get_running_loop()
            asking, protocol = await loop.create_datagram_endpoint(Asking, remote_addr=(parent_ip, parent_port))
            asking.sendto(data)
            try:
                row = await asyncio.wait_for(protocol.reply, 5)
            except (TimeoutError, OSError, ValueError):
                row = None
            asking.close()
            if row:
                learned[name] = (row, time.time())
                with open(path, "w") as out:
                    out.writelines(",".join(one) + "\n" for one in static.values())
                    out.writelines(",".join(one) + f",1,{since}\n" for one, since in learned.values())
        self.transport.sendto(json.dumps(row or []).encode(), address)


async def main():
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Serving, local_addr=("0.0.0.0", port))
    await asyncio.Event().wait()


asyncio.run(main())
