"""ldap3, and ldapsearch beside it: bind, add, search, compare, modify, delete; a wrong password, an entry that is not
there, an entry that is there already, a comparison that is false."""

import subprocess

import ldap3
from wire_log import call

BASE = "dc=shop,dc=test"
SERVER = ldap3.Server("127.0.0.1", get_info=ldap3.NONE)
# Names of the result codes as RFC 4511 has them; ldap3 tells the same.
WELL = {"success", "compareTrue", "compareFalse"}


def ask(connection, operation, target, run):
    with call("ldap", operation, target, "success") as told:
        run()
        result = connection.result["description"]
        told.error(result, "ok" if result in WELL else "client_error")


admin = ldap3.Connection(SERVER, f"cn=admin,{BASE}", "sesame")
wrong = ldap3.Connection(SERVER, f"cn=admin,{BASE}", "open")
# A socket is opened before the first request.
wrong.open()
ask(wrong, "bind", f"cn=admin,{BASE}", wrong.bind)
admin.open()
ask(admin, "bind", f"cn=admin,{BASE}", admin.bind)
ask(admin, "add", BASE, lambda: admin.add(BASE, ["dcObject", "organization"], {"dc": "shop", "o": "Shop"}))
for number in range(40):
    name = f"cn=user-{number},{BASE}"
    ask(admin, "add", name, lambda: admin.add(name, "inetOrgPerson", {"sn": "Lovelace", "description": "x" * 300}))
ask(admin, "add", f"cn=user-7,{BASE}", lambda: admin.add(f"cn=user-7,{BASE}", "inetOrgPerson", {"sn": "Again"}))
ask(admin, "search", BASE, lambda: admin.search(BASE, "(sn=Lovelace)", attributes=["*"]))
assert len(admin.entries) == 40
ask(admin, "search", BASE, lambda: admin.search(BASE, "(sn=Nobody)"))
ask(admin, "search", "cn=nobody,dc=shop,dc=test", lambda: admin.search("cn=nobody,dc=shop,dc=test", "(cn=*)"))
ask(admin, "search", "dc=elsewhere", lambda: admin.search("dc=elsewhere", "(cn=*)"))
ask(admin, "compare", f"cn=user-1,{BASE}", lambda: admin.compare(f"cn=user-1,{BASE}", "sn", "Lovelace"))
ask(admin, "compare", f"cn=user-1,{BASE}", lambda: admin.compare(f"cn=user-1,{BASE}", "sn", "Other"))
change = {"sn": [(ldap3.MODIFY_REPLACE, ["Byron"])]}
ask(admin, "modify", f"cn=user-1,{BASE}", lambda: admin.modify(f"cn=user-1,{BASE}", change))
ask(admin, "modify", f"cn=user-99,{BASE}", lambda: admin.modify(f"cn=user-99,{BASE}", change))
ask(admin, "modifyDN", f"cn=user-2,{BASE}", lambda: admin.modify_dn(f"cn=user-2,{BASE}", "cn=renamed"))
ask(admin, "delete", f"cn=user-3,{BASE}", lambda: admin.delete(f"cn=user-3,{BASE}"))
ask(admin, "delete", f"cn=user-3,{BASE}", lambda: admin.delete(f"cn=user-3,{BASE}"))
admin.unbind()

# OpenLDAP's client binds, searches, unbinds: two calls between the same two moments.
program = ["ldapsearch", "-x", "-LLL", "-H", "ldap://127.0.0.1", "-D", f"cn=admin,{BASE}", "-w", "sesame", "-b", BASE, "(sn=Byron)"]
with call("ldap", "bind", f"cn=admin,{BASE}", "success"), call("ldap", "search", BASE, "success"):
    found = subprocess.run(program, capture_output=True, check=True, text=True).stdout
assert "user-1" in found
