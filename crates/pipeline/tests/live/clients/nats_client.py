"""nats-py: publications, deliveries, requests that are answered; a wrong password, a request that nobody answers."""

import asyncio
import logging

import nats
import nats.errors
from wire_log import call, heard, sent

ADDRESS = "nats://127.0.0.1:4222"
# The library says on standard error what is logged here.
logging.disable()


async def ignore(_):
    pass


async def connect(password):
    settings = {"user": "shop", "allow_reconnect": False, "error_cb": ignore, "max_reconnect_attempts": 0}
    return await nats.connect(ADDRESS, password=password, **settings)


async def main():
    # A connection is begun by CONNECT and a PING, whose PONG says that all is well.
    with call("nats", "CONNECT", "", "ERR", "client_error"), sent("nats", "PING", outcome="no_response"):
        try:
            await connect("open")
        except Exception:
            pass
    with sent("nats", "CONNECT"), call("nats", "PING", "", "PONG"):
        worker = await connect("sesame")
    with sent("nats", "CONNECT"), call("nats", "PING", "", "PONG"):
        client = await connect("sesame")

    served = asyncio.Queue()

    async def serve(message):
        served.put_nowait(message)
        heard("nats", "MSG", "stock.ask")
        await message.respond(b"7 left")

    with sent("nats", "SUB", "stock.ask"):
        await worker.subscribe("stock.ask", cb=serve)
    with call("nats", "PING", "", "PONG"):
        await worker.flush()
    with sent("nats", "SUB", "news.*"):
        news = await client.subscribe("news.*")
    for number in range(30):
        with sent("nats", "PUB", "news.today"):
            await client.publish("news.today", b"x" * number * 100)
        await news.next_msg(5)
        heard("nats", "MSG", "news.today")
        with call("nats", "PUB", "stock.ask", "OK"):
            await client.request("stock.ask", b"apples", 5)
    for number in range(3):
        with call("nats", "PUB", "nobody.listens", "503", "server_error"):
            try:
                await client.request("nobody.listens", b"?", 5)
            except nats.errors.NoRespondersError:
                pass
    with call("nats", "PING", "", "PONG"):
        await client.flush()
    await client.close()
    await worker.close()


asyncio.run(main())
