"""PyMySQL: statements, a long result, transactions, a ping; failing statements, a wrong password, an unknown database."""

import pymysql
from wire_log import call, sent

# https://mariadb.com/docs/server/reference/error-codes: the SQLSTATE of each number; PyMySQL tells the number.
STATES = {1045: "28000", 1044: "42000", 1062: "23000", 1064: "42000", 1054: "42S22", 1146: "42S02", 1205: "HY000", 1969: "70100"}


def settings(**more):
    return {"host": "127.0.0.1", "port": 3306, "user": "shop", "password": "sesame", "autocommit": None} | more


def ask(run, operation, shown):
    with call("mysql", operation, shown, "OK") as told:
        try:
            return run()
        except pymysql.MySQLError as error:
            number = error.args[0]
            told.error(STATES[number], "server_error" if number in (1205, 1969) else "client_error")


ask(lambda: pymysql.connect(**settings(password="open")), "login", "")
ask(lambda: pymysql.connect(**settings(database="elsewhere")), "login", "elsewhere")
with call("mysql", "login", "", "OK"):
    connection = pymysql.Connection(defer_connect=True, **settings())
    connection.connect()
cursor = connection.cursor()
ask(lambda: connection.select_db("shop"), "init_db", "shop")
ask(lambda: cursor.execute("CREATE TABLE orders (id int PRIMARY KEY, item longtext)"), "CREATE", "CREATE TABLE orders (id int PRIMARY KEY, item longtext)")
ask(lambda: cursor.execute("INSERT INTO orders SELECT seq, repeat('x', 200) FROM seq_1_to_2000"), "INSERT", "INSERT INTO orders SELECT seq, repeat(?, ?) FROM seq_1_to_2000")
ask(lambda: cursor.execute("SELECT id, item FROM orders"), "SELECT", "SELECT id, item FROM orders")
for number in range(30):
    ask(lambda: cursor.execute("SELECT item FROM orders WHERE id = %s", (number,)), "SELECT", "SELECT item FROM orders WHERE id = ?")
ask(lambda: cursor.execute("SELECT nothing FROM orders"), "SELECT", "SELECT nothing FROM orders")
ask(lambda: cursor.execute("SELECT 1 FROM nowhere"), "SELECT", "SELECT ? FROM nowhere")
ask(lambda: cursor.execute("INSERT INTO orders VALUES (1, 'again')"), "INSERT", "INSERT INTO orders VALUES (?, ?)")
ask(lambda: cursor.execute("SELEC 1"), "query", "?")
ask(lambda: cursor.execute("SET STATEMENT max_statement_time = 0.05 FOR SELECT sleep(5)"), "SET", "SET STATEMENT max_statement_time = ? FOR SELECT sleep(?)")
ask(lambda: connection.ping(reconnect=False), "ping", "")
ask(connection.begin, "BEGIN", "BEGIN")
ask(lambda: cursor.execute("UPDATE orders SET item = 'tea' WHERE id = 7"), "UPDATE", "UPDATE orders SET item = ? WHERE id = ?")
ask(connection.rollback, "ROLLBACK", "ROLLBACK")
ask(lambda: cursor.execute("INSERT INTO orders VALUES (9000, %s)", ("x" * 100_000,)), "INSERT", "INSERT INTO orders VALUES (?, …")
with sent("mysql", "quit"):
    connection.close()
