"""pika: declarations, confirmed publications, deliveries that are acknowledged, gets; a wrong password, a queue that is
not there, a message that no queue takes."""

import pika
import pika.exceptions
from wire_log import call, heard


def connect(password):
    credentials = pika.PlainCredentials("shop", password)
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", credentials=credentials, heartbeat=0))


try:
    connect("open")
except pika.exceptions.AMQPConnectionError:
    # The broker closes, and its client goes without a word.
    heard("amqp", "connection.close", "", "ACCESS_REFUSED", "client_error")

connection = connect("sesame")
with call("amqp", "channel.open", "", "channel.open-ok"):
    channel = connection.channel()
with call("amqp", "queue.declare", "attic", "NOT_FOUND", "client_error"):
    try:
        channel.queue_declare("attic", passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 404
with call("amqp", "channel.open", "", "channel.open-ok"):
    channel = connection.channel()
with call("amqp", "queue.declare", "orders", "queue.declare-ok"):
    channel.queue_declare("orders")
with call("amqp", "exchange.declare", "shop", "exchange.declare-ok"):
    channel.exchange_declare("shop", "direct")
with call("amqp", "queue.bind", "orders", "queue.bind-ok"):
    channel.queue_bind("orders", "shop", "new")
with call("amqp", "confirm.select", "", "confirm.select-ok"):
    channel.confirm_delivery()
for number in range(25):
    with call("amqp", "basic.publish", "shop:new", "basic.ack"):
        channel.basic_publish("shop", "new", b"x" * number * 1000)
with call("amqp", "basic.publish", "shop:nowhere", "NO_ROUTE", "client_error"):
    try:
        channel.basic_publish("shop", "nowhere", b"lost", mandatory=True)
    except pika.exceptions.UnroutableError:
        pass
with call("amqp", "basic.get", "orders", "basic.get-ok"):
    channel.basic_get("orders", auto_ack=True)
with call("amqp", "basic.qos", "", "basic.qos-ok"):
    channel.basic_qos(prefetch_count=1)
came = []


def deliver(channel, method, properties, body):
    channel.basic_ack(method.delivery_tag)
    heard("amqp", "basic.deliver", "orders", "basic.ack", "ok")
    came.append(len(body))


with call("amqp", "basic.consume", "orders", "basic.consume-ok"):
    tag = channel.basic_consume("orders", deliver)
while len(came) < 24:
    connection.process_data_events(10)
with call("amqp", "basic.cancel", "orders", "basic.cancel-ok"):
    channel.basic_cancel(tag)
with call("amqp", "queue.purge", "orders", "queue.purge-ok"):
    channel.queue_purge("orders")
with call("amqp", "basic.get", "orders", "basic.get-empty"):
    channel.basic_get("orders")
connection.close()
