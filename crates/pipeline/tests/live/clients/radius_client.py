"""pyrad: logins and accounting; a wrong password, a user whom nobody knows."""

import io

from pyrad import packet
from pyrad.client import Client
from pyrad.dictionary import Dictionary
from wire_log import call

ATTRIBUTES = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE User-Password 2 string
ATTRIBUTE NAS-IP-Address 4 ipaddr
ATTRIBUTE Framed-IP-Address 8 ipaddr
ATTRIBUTE Reply-Message 18 string
ATTRIBUTE Acct-Status-Type 40 integer
ATTRIBUTE Acct-Session-Id 44 string
"""
ANSWERS = {
    packet.AccessAccept: ("Access-Accept", "ok"),
    packet.AccessReject: ("Access-Reject", "client_error"),
    packet.AccountingResponse: ("Accounting-Response", "ok"),
}

client = Client("127.0.0.1", secret=b"cinnamon", dict=Dictionary(io.StringIO(ATTRIBUTES)), timeout=20)


def ask(operation, target, request):
    with call("radius", operation, target) as told:
        told.error(*ANSWERS[client.SendPacket(request).code])


for number in range(20):
    for user, password, realm in (("ada", "sesame", ""), ("ada", "open", ""), ("bob@elsewhere.test", "x", "elsewhere.test")):
        request = client.CreateAuthPacket(code=packet.AccessRequest, User_Name=user, NAS_IP_Address="127.0.0.1")
        request["User-Password"] = request.PwCrypt(password)
        ask("Access-Request", realm, request)
    request = client.CreateAcctPacket(User_Name="ada", NAS_IP_Address="127.0.0.1", Acct_Session_Id=f"s{number}")
    request["Acct-Status-Type"] = 1
    ask("Accounting-Request", "", request)
