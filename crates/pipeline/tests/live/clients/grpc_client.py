"""grpcio: unary calls and the three streamings; statuses, a method that is not there, compression."""

import grpc
from wire_log import call

# What is the client's doing, and what the server's: the rest of gRPC's codes.
CLIENTS = {
    "CANCELLED", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "FAILED_PRECONDITION",
    "OUT_OF_RANGE", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED",
}

channel = grpc.insecure_channel("127.0.0.1:50051")
grpc.channel_ready_future(channel).result(20)


def ask(method, run):
    with call("grpc", method, f"/shop.Cart/{method}", "0") as told:
        try:
            return run()
        except grpc.RpcError as error:
            number, name = error.code().value[0], error.code().name
            told.error(str(number), "client_error" if name in CLIENTS else "server_error")


get = channel.unary_unary("/shop.Cart/Get")
for number in range(30):
    ask("Get", lambda: get(b"apples", timeout=20))
ask("Get", lambda: get(b"x" * 100_000, timeout=20))
ask("Get", lambda: get(b"pears" * 1000, timeout=20, compression=grpc.Compression.Gzip))
for name in ("NOT_FOUND", "INVALID_ARGUMENT", "PERMISSION_DENIED", "INTERNAL", "UNAVAILABLE", "RESOURCE_EXHAUSTED"):
    ask("Get", lambda: get(b"status " + name.encode(), timeout=20))
ask("Add", lambda: channel.stream_unary("/shop.Cart/Add")(iter([b"one", b"two", b"x" * 20_000]), timeout=20))
ask("Watch", lambda: list(channel.unary_stream("/shop.Cart/Watch")(b"40", timeout=20)))
ask("Watch", lambda: list(channel.unary_stream("/shop.Cart/Watch")(b"7", timeout=20)))
ask("Chat", lambda: list(channel.stream_stream("/shop.Cart/Chat")(iter([b"a", b"b", b"c"]), timeout=20)))
ask("Nothing", lambda: channel.unary_unary("/shop.Cart/Nothing")(b"x", timeout=20))
channel.close()
