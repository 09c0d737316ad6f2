#!/usr/bin/env python3
"""Provokes errors of real servers and writes them down with their kind, as JSON lines: `provoke.py OUT.jsonl`.

Each kind is provoked a number of times with other particulars (names, numbers, ids). What is written is what the server
said, before any dissector or redaction. Servers run on loopback, on ports of their own and in a directory that is removed
at the end: PostgreSQL, MariaDB and Redis of the machine, Flask and FastAPI in this Python, Express in Node.

Needs initdb and postgres, mariadb-install-db and mariadbd, redis-server, node with express (NODE_PATH), and the Python
packages psycopg2-binary, pymysql, redis, flask, fastapi, uvicorn. As root the databases run as `postgres` and `mysql`.
"""

import glob
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid

TIMES = 24
DICE = random.Random(4711)
SYLLABLES = "an be cor da el fi gus ha ir jo ka lu mar ni ol pe ro sa ti vel".split()
ROWS = []


def name():
    return "".join(DICE.choice(SYLLABLES) for _ in range(3))


def number():
    return DICE.randrange(1, 10**6)


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def until(ready, what):
    for _ in range(300):
        try:
            return ready()
        except Exception:
            time.sleep(0.2)
    raise SystemExit(f"{what} did not come up")


def run_as(user, home, command, **more):
    if os.geteuid() == 0:
        shutil.chown(home, user, user)
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": home}
    return subprocess.Popen(command, **quiet, **more)


def write(server, label, protocol, status, outcome, error, code=None, body=None):
    ROWS.append({
        "server": server, "label": label, "protocol": protocol, "status": status, "status_code": code,
        "outcome": outcome, "error": error, "body": body,
    })


def postgresql(home):
    import psycopg2

    bin_dir = os.path.dirname(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1])
    at, data = port(), os.path.join(home, "data")
    assert run_as("postgres", home, [f"{bin_dir}/initdb", "-D", data, "-A", "trust", "-U", "postgres"]).wait() == 0
    server = run_as("postgres", home, [
        f"{bin_dir}/postgres", "-D", data, "-p", str(at), "-k", home, "-c", "listen_addresses=127.0.0.1"])
    try:
        connection = until(lambda: psycopg2.connect(host="127.0.0.1", port=at, user="postgres", dbname="postgres"), "postgres")
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE parent (id int PRIMARY KEY)")
        cursor.execute(
            "CREATE TABLE orders (id text PRIMARY KEY, n int NOT NULL CHECK (n > 0), code varchar(3), p int REFERENCES parent)")
        kinds = {
            "undefined_table": lambda: f"SELECT * FROM {name()}",
            "undefined_column": lambda: f"SELECT {name()} FROM orders",
            "syntax_error": lambda: f"SELEC {name()}",
            "unterminated": lambda: f"SELECT '{name()}",
            "not_an_integer": lambda: f"SELECT '{name()}'::int",
            "not_a_uuid": lambda: f"SELECT '{name()}'::uuid",
            "integer_out_of_range": lambda: f"SELECT '{number() * 10**9}'::int",
            "unique_violation": lambda: "INSERT INTO orders VALUES ('{0}', 1); INSERT INTO orders VALUES ('{0}', 1)".format(uuid.UUID(int=DICE.getrandbits(128))),
            "not_null_violation": lambda: f"INSERT INTO orders VALUES ('{name()}', NULL)",
            "check_violation": lambda: f"INSERT INTO orders VALUES ('{uuid.UUID(int=DICE.getrandbits(128))}', -{number()})",
            "foreign_key_violation": lambda: f"INSERT INTO orders VALUES ('{uuid.UUID(int=DICE.getrandbits(128))}', 1, 'a', {number()})",
            "too_long": lambda: f"INSERT INTO orders VALUES ('{uuid.UUID(int=DICE.getrandbits(128))}', 1, '{name()}')",
            "division_by_zero": lambda: f"SELECT {number()} / 0",
            "bad_date": lambda: f"SELECT '2026-{13 + DICE.randrange(50)}-01'::date",
            "undefined_role": lambda: f"SET ROLE {name()}",
            "statement_timeout": lambda: f"SET statement_timeout = {1 + DICE.randrange(9)}; SELECT pg_sleep(1)",
        }
        for label, ask in kinds.items():
            for _ in range(TIMES):
                try:
                    cursor.execute(ask())
                    raise SystemExit(f"postgres: {label} was no error")
                except psycopg2.Error as error:
                    message = error.diag.message_primary
                    outcome = "server_error" if error.pgcode[:2] == "57" else "client_error"
                    write("postgres", label, "postgresql", error.pgcode, outcome, message)
                cursor.execute("SET statement_timeout = 0")
        connection.close()
    finally:
        server.terminate()
        server.wait()


def mariadb(home):
    import pymysql

    at, data = port(), os.path.join(home, "data")
    os.mkdir(data)
    user = ["--user=mysql"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(data, "mysql", "mysql")
        shutil.chown(home, "mysql", "mysql")
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", *user],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = subprocess.Popen(
        ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={home}/s", f"--port={at}",
         "--bind-address=127.0.0.1", f"--pid-file={home}/pid", *user],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        connect = lambda **more: pymysql.connect(**{"unix_socket": f"{home}/s", "user": "root", **more})
        connection = until(connect, "mariadb")
        cursor = connection.cursor()
        for statement in ["CREATE DATABASE shop", "USE shop", "SET sql_mode = 'STRICT_ALL_TABLES'",
                          "CREATE TABLE orders (id varchar(40) PRIMARY KEY, n int NOT NULL, code varchar(3))"]:
            cursor.execute(statement)
        kinds = {
            "unknown_table": lambda: [f"SELECT * FROM {name()}"],
            "unknown_column": lambda: [f"SELECT {name()} FROM orders"],
            "syntax": lambda: [f"SELEC {name()}"],
            "duplicate": lambda: [f"INSERT INTO orders VALUES ('{key}', 1, 'a')" for key in [name() + str(number())] * 2],
            "null": lambda: [f"INSERT INTO orders VALUES ('{name()}', NULL, 'a')"],
            "too_long": lambda: [f"INSERT INTO orders VALUES ('{name()}{number()}', 1, '{name()}')"],
            "not_an_integer": lambda: [f"INSERT INTO orders VALUES ('{name()}', '{name()}', 'a')"],
            "out_of_range": lambda: [f"INSERT INTO orders VALUES ('{name()}', {number() * 10**9}, 'a')"],
            "unknown_database": lambda: [f"USE {name()}"],
            "unknown_function": lambda: [f"SELECT shop.{name()}({number()})"],
            "unknown_variable": lambda: [f"SET GLOBAL {name()} = {number()}"],
            "column_count": lambda: [f"INSERT INTO orders VALUES ('{name()}')"],
        }
        for label, ask in kinds.items():
            for _ in range(TIMES):
                try:
                    for statement in ask():
                        cursor.execute(statement)
                    raise SystemExit(f"mariadb: {label} was no error")
                except pymysql.Error as error:
                    write("mariadb", label, "mysql", str(error.args[0]), "client_error", error.args[1], error.args[0])
        for _ in range(TIMES):
            try:
                connect(user=name(), password=name())
                raise SystemExit("mariadb: anybody may come in")
            except pymysql.Error as error:
                write("mariadb", "access_denied", "mysql", str(error.args[0]), "client_error", error.args[1], error.args[0])
    finally:
        server.terminate()
        server.wait()


def redis_server(home):
    import redis

    at = port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(at), "--bind", "127.0.0.1", "--save", "", "--dir", home],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        client = redis.Redis(port=at)
        until(client.ping, "redis")
        client.set("word", "x")
        client.rpush("list", "a", "b")
        client.xgroup_create("stream", "g", mkstream=True)
        commands = ["get", "hset", "lpush", "expire", "zadd", "incrby", "setex", "sadd"]
        kinds = {
            "wrong_type": lambda: ["LPUSH", "word", name()],
            "unknown_command": lambda: [name().upper(), *(name() for _ in range(DICE.randrange(1, 5)))],
            "wrong_number": lambda: [DICE.choice(commands)],
            "not_an_integer": lambda: ["SET", "word", name(), "EX", name()],
            "no_script": lambda: ["EVALSHA", f"{DICE.getrandbits(160):040x}", "0"],
            "bad_expiry": lambda: ["SET", name(), name(), "EX", str(-number())],
            "syntax": lambda: ["SET", name(), name(), name()],
            "no_such_key": lambda: ["RENAME", name(), name()],
            "bad_index": lambda: ["LSET", "list", str(9 + number()), name()],
            "global_variable": lambda: ["EVAL", f"return {name()}", "0"],
            "busy_group": lambda: ["XGROUP", "CREATE", "stream", "g", "$"],
            "no_group": lambda: ["XREADGROUP", "GROUP", name(), name(), "STREAMS", "stream", ">"],
            "wrong_password": lambda: ["AUTH", name(), name()],
            "bad_float": lambda: ["INCRBYFLOAT", "word", name()],
            "unknown_subcommand": lambda: ["CONFIG", name().upper()],
        }
        prefixes = ["WRONGTYPE", "NOSCRIPT", "BUSYGROUP", "NOGROUP", "WRONGPASS"]
        for label, ask in kinds.items():
            for _ in range(TIMES):
                # By hand: the client takes prefixes off.
                words = ask()
                with socket.create_connection(("127.0.0.1", at)) as raw:
                    raw.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in words))
                    line = raw.makefile().readline().rstrip()
                if not line.startswith("-"):
                    raise SystemExit(f"redis: {label} was no error: {line}")
                status = next((prefix for prefix in prefixes if line[1:].startswith(prefix)), "ERR")
                write("redis", label, "redis", status, "client_error", line[1:])
    finally:
        server.terminate()
        server.wait()


def ask_http(server, base, kinds):
    for label, ask in kinds.items():
        for _ in range(TIMES):
            path, body = ask()
            data = None if body is None else body.encode()
            request = urllib.request.Request(base + path, data=data, headers={"content-type": "application/json"})
            try:
                urllib.request.urlopen(request)
                raise SystemExit(f"{server}: {label} was no error")
            except urllib.error.HTTPError as error:
                text = error.read().decode()
                is_json = "json" in (error.headers.get("content-type") or "")
                outcome = "client_error" if error.code < 500 else "server_error"
                write(server, label, "http1", str(error.code), outcome, error.reason, error.code, text if is_json else None)


def flask_app(_home):
    import logging

    from flask import Flask, abort, jsonify, request
    from werkzeug.exceptions import HTTPException
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = Flask("shop")
    app.logger.disabled = True

    @app.errorhandler(HTTPException)
    def problem(error):
        return jsonify(type="about:blank", title=error.name, status=error.code, detail=error.description), error.code

    @app.errorhandler(Exception)
    def crash(error):
        return jsonify(error=type(error).__name__, message=str(error)), 500

    @app.post("/json")
    def read():
        return str(request.get_json())

    @app.get("/users/<who>")
    def user(who):
        abort(404, f"user {who} is not known")

    @app.get("/carts/<who>")
    def cart(who):
        abort(409, f"cart of {who} was changed by {request.args['by']}")

    @app.get("/crash/<how>/<what>")
    def crashing(how, what):
        match how:
            case "key":
                return {}[what]
            case "int":
                return str(int(what))
            case "attribute":
                return getattr(request, what)
            case "file":
                return open(f"/nowhere/{what}").read()
            case "index":
                return [1, 2][int(what)]
        return str(1 / 0)

    at = port()
    server = make_server("127.0.0.1", at, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ask_http("flask", f"http://127.0.0.1:{at}", {
        "bad_json": lambda: ("/json", "{" + name()),
        "no_such_path": lambda: (f"/{name()}/{name()}", None),
        "unknown_user": lambda: (f"/users/{name()}", None),
        "changed": lambda: (f"/carts/{name()}?by={name()}", None),
        "wrong_method": lambda: (f"/users/{name()}", "{}"),
        "key_error": lambda: (f"/crash/key/{name()}", None),
        "value_error": lambda: (f"/crash/int/{name()}", None),
        "attribute_error": lambda: (f"/crash/attribute/{name()}", None),
        "no_file": lambda: (f"/crash/file/{name()}", None),
        "index_error": lambda: (f"/crash/index/{number()}", None),
        "division": lambda: (f"/crash/zero/{name()}", None),
    })
    server.shutdown()


def fastapi_app(_home):
    import uvicorn
    from fastapi import FastAPI, HTTPException
    from pydantic import BaseModel

    class Order(BaseModel):
        item: str
        amount: int

    app = FastAPI()

    @app.get("/orders/{order}")
    def order(order: int):
        raise HTTPException(404, f"Order {order} not found")

    @app.get("/users/{who}")
    def user(who: str):
        raise HTTPException(404, f"No user called {who}")

    @app.get("/limits/{who}")
    def limit(who: str):
        raise HTTPException(429, f"Quota of {who} exceeded, {number()} of {number()} used")

    @app.get("/locks/{who}")
    def lock(who: str):
        raise HTTPException(409, f"{who} holds the lock")

    @app.get("/upstream/{host}")
    def upstream(host: str):
        raise HTTPException(502, f"connect to {host}: connection refused")

    @app.post("/orders")
    def make(order: Order):
        return order

    at = port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=at, log_level="critical"))
    threading.Thread(target=server.run, daemon=True).start()
    until(lambda: socket.create_connection(("127.0.0.1", at)).close(), "fastapi")
    ask_http("fastapi", f"http://127.0.0.1:{at}", {
        "unknown_order": lambda: (f"/orders/{number()}", None),
        "unknown_user": lambda: (f"/users/{name()}", None),
        "quota": lambda: (f"/limits/{name()}", None),
        "locked": lambda: (f"/locks/{name()}", None),
        "bad_gateway": lambda: (f"/upstream/10.0.0.{DICE.randrange(256)}:{DICE.randrange(1, 65536)}", None),
        "not_a_number": lambda: (f"/orders/{name()}", None),
        "field_missing": lambda: ("/orders", json.dumps({"item": name()})),
        "field_no_text": lambda: ("/orders", json.dumps({"item": number(), "amount": 1})),
        "bad_json": lambda: ("/orders", "{" + name()),
        "no_such_path": lambda: (f"/{name()}/{name()}", None),
    })
    server.should_exit = True


EXPRESS = r"""
const express = require('express'), fs = require('fs'), net = require('net');
const app = express();
app.use(express.json());
app.post('/json', (q, r) => r.json(q.body));
app.get('/read/:what', (q, r) => { const x = undefined; r.json(x[q.params.what]); });
app.get('/call/:what', (q, r) => { const x = {}; r.json(x[q.params.what]()); });
app.get('/file/:what', (q, r) => { r.send(fs.readFileSync('/nowhere/' + q.params.what)); });
app.get('/parse/:what', (q, r) => { r.json(JSON.parse(q.params.what)); });
app.get('/array/:n', (q, r) => { r.json(new Array(-Number(q.params.n))); });
app.get('/fixed/:n', (q, r) => { r.json((1).toFixed(Number(q.params.n))); });
app.get('/connect/:port', (q, r, next) => { net.connect(Number(q.params.port), '127.0.0.1').on('error', next); });
app.get('/stock/:who', (q, r, next) => { next(Object.assign(new Error(`no stock left for ${q.params.who}`), {status: 409})); });
app.get('/big/:n', (q, r) => { r.json(BigInt(q.params.n)); });
app.use((error, q, r, next) => { r.status(error.status || 500).json({error: {code: error.code || error.name, message: error.message}}); });
app.listen(Number(process.argv[2]), '127.0.0.1');
"""


def express(home):
    script, at = os.path.join(home, "app.js"), port()
    with open(script, "w", encoding="utf-8") as file:
        file.write(EXPRESS)
    server = subprocess.Popen(["node", script, str(at)])
    closed = lambda: DICE.choice([1, 7, 9, 13, 17, 19, 37, 42, 43, 49])
    try:
        until(lambda: socket.create_connection(("127.0.0.1", at)).close(), "express")
        ask_http("express", f"http://127.0.0.1:{at}", {
            "bad_json": lambda: ("/json", "{" + name()),
            "bad_escape": lambda: (f"/read/{name()}%zz", None),
            "read_of_undefined": lambda: (f"/read/{name()}", None),
            "no_function": lambda: (f"/call/{name()}", None),
            "no_file": lambda: (f"/file/{name()}", None),
            "array_length": lambda: (f"/array/{number()}", None),
            "digits": lambda: (f"/fixed/{100 + number()}", None),
            "refused": lambda: (f"/connect/{closed()}", None),
            "no_stock": lambda: (f"/stock/{name()}", None),
            "big_integer": lambda: (f"/big/{number()}", None),
        })
    finally:
        server.terminate()
        server.wait()


def main():
    for provoke in [postgresql, mariadb, redis_server, flask_app, fastapi_app, express]:
        before = len(ROWS)
        with tempfile.TemporaryDirectory() as home:
            os.chmod(home, 0o755)
            provoke(home)
        print(f"{provoke.__name__}: {len(ROWS) - before}", file=sys.stderr)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for row in ROWS:
            out.write(json.dumps({key: value for key, value in row.items() if value is not None}) + "\n")


main()
