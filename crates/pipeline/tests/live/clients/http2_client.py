"""httpx over HTTP/2 by prior knowledge: bodies both ways, many streams at once, statuses of errors."""

import asyncio

import httpx
from wire_log import call

ADDRESS = "http://127.0.0.1:8080"


def outcome(status):
    return "server_error" if status >= 500 else "client_error" if status >= 400 else "ok"


async def ask(client, method, path, **more):
    with call("http2", method, path) as told:
        response = await client.request(method, ADDRESS + path, **more)
        told.error(str(response.status_code), outcome(response.status_code))
    return response


async def main():
    async with httpx.AsyncClient(http1=False, http2=True, timeout=30) as client:
        await ask(client, "GET", "/hello")
        await ask(client, "GET", "/hello?page=2")
        await ask(client, "POST", "/echo/small", content=b"order")
        await ask(client, "POST", "/echo/large", content=b"x" * 200_000)
        await ask(client, "GET", "/bytes/300000")
        await ask(client, "HEAD", "/hello")
        for status in (204, 301, 400, 404, 429, 500, 503):
            await ask(client, "GET", f"/status/{status}")
        await asyncio.gather(*(ask(client, "GET", f"/slow/{(number * 37) % 100}/{number}") for number in range(60)))
        await asyncio.gather(*(ask(client, "POST", f"/echo/{number}", content=b"y" * 3000) for number in range(20)))


asyncio.run(main())
