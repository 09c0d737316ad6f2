"""websockets' server: what comes goes back; one path is refused."""

import http
import sys

from websockets.sync.server import serve


def refuse(connection, request):
    if request.path == "/closed":
        return connection.respond(http.HTTPStatus.FORBIDDEN, "closed today\n")
    return None


def echo(connection):
    for message in connection:
        connection.send(message)


with serve(echo, "127.0.0.1", int(sys.argv[1]), process_request=refuse) as server:
    server.serve_forever()
