"""websockets: text and binary messages, fragments, pings, both kinds of closing; a session that is refused."""

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from wire_log import call, heard, sent

ADDRESS = "ws://127.0.0.1:8765"

with call("http1", "GET", "/closed", "403", "client_error"):
    try:
        connect(ADDRESS + "/closed")
    except InvalidStatus as error:
        assert error.response.status_code == 403

for path, compression in (("/deflated", "deflate"), ("/plain", None)):
    with call("http1", "GET", path, "101"):
        session = connect(ADDRESS + path, compression=compression)
    for number in range(25):
        for kind, message in (("text", "hello " * (number + 1)), ("binary", b"x" * number * 1000)):
            with sent("websocket", kind, path):
                session.send(message)
            assert session.recv(10) == message
            heard("websocket", kind, path)
    with sent("websocket", "text", path):
        session.send(["in ", "three ", "parts"])
    assert session.recv(10) == "in three parts"
    heard("websocket", "text", path)
    with call("websocket", "ping", path):
        session.ping().wait(10)
    with sent("websocket", "close", path, "1000"):
        session.close()
    heard("websocket", "close", path, "1000")
