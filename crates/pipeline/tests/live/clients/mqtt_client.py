"""paho: publications of every quality, subscriptions, deliveries; a wrong password, a topic that is not allowed."""

import queue

import paho.mqtt.client as mqtt
from wire_log import call, heard, sent


class Client:
    """paho driven by hand: no thread of its own, so that each call has its own moments."""

    def __init__(self, version, name, password):
        self.version, self.came = version, queue.Queue()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=version)
        self.client.username_pw_set("shop", password)
        put = self.came.put
        self.client.on_connect = lambda c, u, f, reason, p: put(("connect", reason))
        self.client.on_subscribe = lambda c, u, mid, reasons, p: put(("subscribe", reasons))
        self.client.on_unsubscribe = lambda c, u, mid, reasons, p: put(("unsubscribe", reasons))
        self.client.on_publish = lambda c, u, mid, reason, p: put(("publish", reason))
        self.client.on_message = lambda c, u, message: put(("message", message))

    def until(self, kind):
        while True:
            while self.came.empty():
                self.client.loop(timeout=5)
            got, value = self.came.get()
            if got == "message":
                heard_message(value)
            if got == kind:
                return value


def heard_message(message):
    if message.qos == 0:
        heard("mqtt", "PUBLISH", message.topic)


def talk(version):
    wrong = Client(version, f"wrong-{version}", "open")
    with call("mqtt", "CONNECT", "", "Not authorized", "client_error"):
        wrong.client.connect("127.0.0.1")
        assert wrong.until("connect").is_failure

    client = Client(version, f"shop-{version}", "sesame")
    with call("mqtt", "CONNECT", "", "Connection accepted" if version == mqtt.MQTTv311 else "Success"):
        client.client.connect("127.0.0.1")
        assert not client.until("connect").is_failure
    with call("mqtt", "SUBSCRIBE", "shop/news", "Granted QoS 0"):
        client.client.subscribe("shop/news", 0)
        client.until("subscribe")
    with call("mqtt", "SUBSCRIBE", "attic/#", "Granted QoS 1"):
        client.client.subscribe("attic/#", 1)
        client.until("subscribe")
    for number in range(20):
        for quality, topic in ((1, "shop/one"), (2, "shop/two")):
            with call("mqtt", "PUBLISH", topic) as told:
                client.client.publish(topic, "x" * (number * 1000), quality)
                told.status = client.until("publish").getName()
        with sent("mqtt", "PUBLISH", "shop/news"):
            client.client.publish("shop/news", "hello", 0)
        client.until("message")
    # Version 3.1.1 has no word for a refusal here: the broker acknowledges, and drops it.
    with call("mqtt", "PUBLISH", "attic/box", "Success") as told:
        client.client.publish("attic/box", "x", 1)
        if client.until("publish").is_failure:
            told.error("Not authorized")
    with call("mqtt", "UNSUBSCRIBE", "shop/news", "Success"):
        client.client.unsubscribe("shop/news")
        client.until("unsubscribe")
    with sent("mqtt", "DISCONNECT"):
        client.client.disconnect()
        client.client.loop(timeout=1)


talk(mqtt.MQTTv311)
talk(mqtt.MQTTv5)
