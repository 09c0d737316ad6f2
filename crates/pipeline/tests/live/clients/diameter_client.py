"""python-diameter: accounting by way of the relay; a user who is refused, a realm to which no way leads."""

import contextlib
import os
import sys

from diameter.message.commands import AccountingRequest
from diameter.message.constants import APP_DIAMETER_BASE_ACCOUNTING
from diameter.node import Node
from diameter.node.application import SimpleThreadingApplication
from wire_log import call

# RFC 6733, 7.1, without the prefix that all share.
NAMES = {
    2001: ("SUCCESS", "ok"),
    3002: ("UNABLE_TO_DELIVER", "server_error"),
    5003: ("AUTHORIZATION_REJECTED", "client_error"),
}

node = Node("client.shop.test", "shop.test", ip_addresses=["10.9.8.7"], tcp_port=3870)
relay = node.add_peer("aaa://relay.shop.test:3868", "shop.test", ip_addresses=["10.9.8.7"], is_persistent=True)
application = SimpleThreadingApplication(APP_DIAMETER_BASE_ACCOUNTING, is_acct_application=True)
node.add_application(application, [relay], ["shop.test", "elsewhere.test"])
node.start()
application.wait_for_ready(60)

for number in range(20):
    for user, realm in (("ada", "shop.test"), ("mallory", "shop.test"), ("ada", "elsewhere.test")):
        request = AccountingRequest()
        request.session_id = node.session_generator.next_id()
        request.origin_host = b"client.shop.test"
        request.origin_realm = b"shop.test"
        request.destination_realm = realm.encode()
        request.accounting_record_type = 1
        request.accounting_record_number = number
        request.acct_application_id = APP_DIAMETER_BASE_ACCOUNTING
        request.user_name = user
        with call("diameter", "Accounting", realm) as told, contextlib.ExitStack() as legs:
            # What the relay sends on is asked, and answered alike, between the same two moments.
            tolds = [told]
            if realm == "shop.test":
                tolds.append(legs.enter_context(call("diameter", "Accounting", realm)))
            answer = application.send_request(request, timeout=20)
            for told in tolds:
                told.error(*NAMES[answer.result_code])
node.stop()
sys.stdout.flush()
# Threads of the library outlive its node.
os._exit(0)
