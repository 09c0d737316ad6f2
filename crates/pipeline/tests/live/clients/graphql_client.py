"""gql over HTTP/1, and httpx over HTTP/2: queries and mutations; a resolver that fails and a field that is not there,
both inside a 200."""

import httpx
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXTransport
from wire_log import call

ADDRESS = "http://127.0.0.1:8080/graphql"
DOCUMENTS = (
    ("query", "query Order($id: Int!) { order(id: $id) }", "Order", {"id": 7}, "200", "ok"),
    ("query", "query Orders { orders }", "Orders", {}, "200", "ok"),
    ("mutation", "mutation Place($item: String!) { place(item: $item) }", "Place", {"item": "tea"}, "200", "ok"),
    ("query", "query Order($id: Int!) { order(id: $id) }", "Order", {"id": 13}, "200", "server_error"),
    ("query", "query Wrong { nothing }", "Wrong", {}, "200", "client_error"),
)

client = Client(transport=HTTPXTransport(url=ADDRESS), fetch_schema_from_transport=False)
# The library opens its connection with the session.
with client as session, httpx.Client(http1=False, http2=True) as other:
    for _ in range(8):
        for kind, document, name, variables, status, outcome in DOCUMENTS:
            query = gql(document)
            query.variable_values = variables
            with call("graphql", kind, "/graphql", status) as told:
                try:
                    session.execute(query)
                except TransportQueryError:
                    told.error(status, outcome)
            body = {"query": document, "variables": variables, "operationName": name}
            with call("graphql", kind, "/graphql", status) as told:
                answer = other.post(ADDRESS, json=body)
                if "errors" in answer.json():
                    told.error(str(answer.status_code), outcome)
