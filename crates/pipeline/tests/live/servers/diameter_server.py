"""python-diameter behind the relay: an accounting server that refuses one user."""

import time

from diameter.message.constants import APP_DIAMETER_BASE_ACCOUNTING
from diameter.node import Node
from diameter.node.application import SimpleThreadingApplication


def answer(application, request):
    told = application.generate_answer(request)
    told.result_code = 5003 if request.user_name == "mallory" else 2001
    return told


node = Node("server.shop.test", "shop.test", ip_addresses=["10.9.8.7"], tcp_port=3871)
relay = node.add_peer("aaa://relay.shop.test:3868", "shop.test", ip_addresses=["10.9.8.7"], is_persistent=True)
application = SimpleThreadingApplication(
    APP_DIAMETER_BASE_ACCOUNTING, is_acct_application=True, request_handler=answer
)
node.add_application(application, [relay])
node.start()
application.wait_for_ready(60)
print("ready", flush=True)
while True:
    time.sleep(60)
