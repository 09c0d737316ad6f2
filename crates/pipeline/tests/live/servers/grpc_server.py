"""grpcio with methods of plain bytes: what a message means is nobody's business here."""

import sys
from concurrent import futures

import grpc


def get(request, context):
    if request.startswith(b"status "):
        context.abort(grpc.StatusCode[request.split()[1].decode()], "as asked for")
    return request * 2


def add(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def watch(request, context):
    for number in range(int(request)):
        yield b"%d" % number * 100
    if int(request) == 7:
        context.abort(grpc.StatusCode.UNAVAILABLE, "no more")


def chat(requests, context):
    yield from requests


methods = {
    "Get": grpc.unary_unary_rpc_method_handler(get),
    "Add": grpc.stream_unary_rpc_method_handler(add),
    "Watch": grpc.unary_stream_rpc_method_handler(watch),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
}
server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.Cart", methods)])
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
