"""redis-py: commands, pipelines, transactions, publish and subscribe, in RESP2 and RESP3; wrong types, an unknown
command, a key that is not there, a script's own error, a wrong password."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from wire_log import call, calls, heard


def prefix(error):
    """The first word of the server's line; redis-py cuts it off where it has a class for it."""
    if isinstance(error, redis.AuthenticationError):
        return "NOAUTH" if "required" in str(error) else "WRONGPASS"
    word = str(error).split(" ")[0]
    return word if word.isupper() else "ERR"


def ask(client, operation, *arguments, target=None, status="OK"):
    if target is None:
        target = str(arguments[0])
    with call("redis", operation, target, status) as told:
        try:
            return client.execute_command(operation, *arguments)
        except (redis.ResponseError, redis.AuthenticationError) as error:
            told.error(prefix(error))


for protocol in (2, 3):
    # Without a password at first: it is given below, so that it stands in the log.
    client = redis.Redis(protocol=2, single_connection_client=True, retry=Retry(NoBackoff(), 0))
    ask(client, "GET", "too:early")
    ask(client, "AUTH", "open", target="")
    ask(client, "AUTH", "sesame", target="")
    client.close()

    client = redis.Redis(password="sesame", protocol=protocol, single_connection_client=True)
    ask(client, "PING", target="", status="PONG")
    ask(client, "SET", f"cart:{protocol}", "apples")
    ask(client, "GET", f"cart:{protocol}")
    ask(client, "GET", "nothing:there")
    ask(client, "HSET", f"user:{protocol}", "name", "Ada", "city", "London")
    ask(client, "HGETALL", f"user:{protocol}")
    ask(client, "LPUSH", f"user:{protocol}", "wrong type")
    ask(client, "INCR", f"cart:{protocol}")
    ask(client, "NOTACOMMAND", "x", target="")
    ask(client, "SET", f"big:{protocol}", "x" * 300_000)
    ask(client, "GET", f"big:{protocol}")
    for number in range(50):
        ask(client, "ZADD", f"scores:{protocol}", number, f"player-{number}")
    ask(client, "ZRANGE", f"scores:{protocol}", 0, -1, "WITHSCORES")
    ask(client, "EVAL", "return redis.error_reply('OUT of stock')", 0, target="")
    ask(client, "BLPOP", f"queue:{protocol}", "0.05")

    pipeline = client.pipeline(transaction=False)
    for number in range(40):
        pipeline.set(f"p:{number}", "v")
    pipeline.incr(f"cart:{protocol}")
    told = [("SET", f"p:{number}", "OK", "ok") for number in range(40)]
    told.append(("INCRBY", f"cart:{protocol}", "ERR", "client_error"))
    with calls("redis", told):
        pipeline.execute(raise_on_error=False)

    pipeline = client.pipeline(transaction=True)
    pipeline.set("t:1", "v").lpush("t:1", "wrong type")
    told = [("MULTI", "", "OK", "ok"), ("SET", "t:1", "QUEUED", "ok"), ("LPUSH", "t:1", "QUEUED", "ok")]
    # An array is what was asked for; an error inside it is how it came out.
    told.append(("EXEC", "", "OK", "client_error"))
    with calls("redis", told):
        pipeline.execute(raise_on_error=False)

    # What was published comes back to this very client.
    listener = client.pubsub()
    with call("redis", "SUBSCRIBE", f"news:{protocol}", "OK"):
        listener.subscribe(f"news:{protocol}")
        assert listener.get_message(timeout=5)["type"] == "subscribe"
    for number in range(3):
        ask(client, "PUBLISH", f"news:{protocol}", "hello")
        assert listener.get_message(timeout=5)["type"] == "message"
        heard("redis", "message", f"news:{protocol}")
    listener.close()
    client.close()
