"""hypercorn with an application that answers as its path says."""

import asyncio
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    parts = scope["path"].strip("/").split("/")
    status, answer = 200, b"hello"
    if parts[0] == "status":
        status = int(parts[1])
    elif parts[0] == "bytes":
        answer = b"x" * int(parts[1])
    elif parts[0] == "echo":
        answer = body
    elif parts[0] == "slow":
        await asyncio.sleep(int(parts[1]) / 1000)
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    for at in range(0, len(answer), 10_000):
        await send({"type": "http.response.body", "body": answer[at : at + 10_000], "more_body": True})
    await send({"type": "http.response.body"})


settings = Config()
settings.bind = [f"127.0.0.1:{sys.argv[1]}"]
asyncio.run(serve(application, settings))
