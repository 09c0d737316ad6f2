"""psycopg: simple and prepared statements, transactions, COPY, a long result; failing statements, a wrong password."""

import psycopg
from wire_log import call, calls, sent

ADDRESS = "host=127.0.0.1 port=5432 user=postgres dbname=postgres sslmode=disable gssencmode=disable"


def ask(run, operation, shown, status):
    with call("postgres", operation, shown, status) as told:
        try:
            return run()
        except psycopg.Error as error:
            told.error(error.sqlstate, "server_error" if error.sqlstate in ("57014", "P0001") else "client_error")


with call("postgres", "startup", "postgres") as told:
    try:
        psycopg.connect(ADDRESS + " password=open")
    except psycopg.OperationalError:
        # libpq tells no SQLSTATE of a failed connection; a wrong password is class 28's (Appendix A of its manual).
        told.error("28P01")

with call("postgres", "startup", "postgres"):
    connection = psycopg.connect(ADDRESS + " password=sesame", autocommit=True)

plain = psycopg.ClientCursor(connection)
ask(lambda: plain.execute("CREATE TABLE orders (id int PRIMARY KEY, item text)"), "CREATE", "CREATE TABLE orders (id int PRIMARY KEY, item text)", "CREATE TABLE")
ask(lambda: plain.execute("INSERT INTO orders SELECT g, repeat('x', 200) FROM generate_series(1, 2000) g"), "INSERT", "INSERT INTO orders SELECT g, repeat(?, ?) FROM generate_series(?, ?) g", "INSERT")
ask(lambda: plain.execute("SELECT id, item FROM orders"), "SELECT", "SELECT id, item FROM orders", "SELECT")
ask(lambda: plain.execute("SELECT nothing FROM orders"), "SELECT", "SELECT nothing FROM orders", "42703")
ask(lambda: plain.execute("SELECT 1 / 0"), "SELECT", "SELECT ? / ?", "22012")
ask(lambda: plain.execute("INSERT INTO orders VALUES (1, 'again')"), "INSERT", "INSERT INTO orders VALUES (?, ?)", "23505")
ask(lambda: plain.execute("SELEC 1"), "query", "?", "42601")

prepared = connection.cursor()
for number in range(30):
    ask(lambda: prepared.execute("SELECT item FROM orders WHERE id = %s", (number,), prepare=False), "SELECT", "SELECT item FROM orders WHERE id = $1", "SELECT")
ask(lambda: prepared.execute("UPDATE orders SET item = %s WHERE id = %s", ("tea", 7), prepare=False), "UPDATE", "UPDATE orders SET item = $1 WHERE id = $2", "UPDATE")
ask(lambda: prepared.execute("INSERT INTO orders VALUES (%s, %s)", (7, "tea"), prepare=False), "INSERT", "INSERT INTO orders VALUES ($1, $2)", "23505")
ask(lambda: prepared.execute("SELECT %s::int / 0", (1,), prepare=False), "SELECT", "SELECT $1::int / ?", "22012")

ask(lambda: plain.execute("SET statement_timeout = 50"), "SET", "SET statement_timeout = ?", "SET")
ask(lambda: plain.execute("SELECT pg_sleep(5)"), "SELECT", "SELECT pg_sleep(?)", "57014")
ask(lambda: plain.execute("SET statement_timeout = 0"), "SET", "SET statement_timeout = ?", "SET")

with call("postgres", "COPY", "COPY orders TO STDOUT", "COPY"):
    with plain.copy("COPY orders TO STDOUT") as copy:
        for _ in copy:
            pass
with call("postgres", "COPY", "COPY orders FROM STDIN", "COPY"):
    with plain.copy("COPY orders FROM STDIN") as copy:
        for number in range(10_000, 10_500):
            copy.write_row((number, "coffee"))
with sent("postgres", "terminate"):
    connection.close()
