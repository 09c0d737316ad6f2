"""strawberry's schema of a shop, served by hypercorn over HTTP/1 and, by prior knowledge, HTTP/2."""

import asyncio
import sys

import strawberry
from hypercorn.asyncio import serve
from hypercorn.config import Config
from strawberry.asgi import GraphQL


@strawberry.type
class Query:
    @strawberry.field
    def order(self, id: int) -> str:
        if id == 13:
            raise ValueError("the stock does not answer")
        return f"order {id}"

    @strawberry.field
    def orders(self) -> list[str]:
        return ["x" * 500] * 200


@strawberry.type
class Mutation:
    @strawberry.mutation
    def place(self, item: str) -> str:
        return item


settings = Config()
settings.bind = [f"127.0.0.1:{sys.argv[1]}"]
asyncio.run(serve(GraphQL(strawberry.Schema(Query, Mutation)), settings))
