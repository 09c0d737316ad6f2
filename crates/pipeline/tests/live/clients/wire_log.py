"""The log that a client keeps of its own calls: one line of JSON each, on standard output.

A line says what the call was in the words of Wirewise's `calls` table, as far as the client knows them from its library,
and between which two moments it happened: the clock is read before the library is asked, and after it has answered.
"""

import contextlib
import json
import sys
import time


class Call:
    """How a call came out; a script changes it where the library tells of an error."""

    def __init__(self, status, outcome):
        self.status, self.outcome = status, outcome

    def error(self, status, outcome="client_error"):
        self.status, self.outcome = status, outcome


def write(protocol, operation, target, status, outcome, started=None, until=None):
    line = {"protocol": protocol, "operation": operation, "target": target, "status": status, "outcome": outcome}
    line["from"], line["until"] = started, until
    sys.stdout.write(json.dumps(line) + "\n")


@contextlib.contextmanager
def call(protocol, operation, target="", status=None, outcome="ok"):
    """A call that is answered. Whoever uses it catches the library's errors inside, and says what they are."""
    told = Call(status, outcome)
    started = time.time_ns()
    yield told
    write(protocol, operation, target, told.status, told.outcome, started, time.time_ns())


@contextlib.contextmanager
def sent(protocol, operation, target="", status=None, outcome="one_way"):
    """A message that nobody answers: it left after this began."""
    started = time.time_ns()
    yield
    write(protocol, operation, target, status, outcome, started)


def heard(protocol, operation, target="", status=None, outcome="one_way"):
    """A message that came unasked: it was on the wire before now."""
    write(protocol, operation, target, status, outcome, until=time.time_ns())


@contextlib.contextmanager
def calls(protocol, told):
    """Several calls that the library makes at once, each of operation, target, status and outcome."""
    started = time.time_ns()
    yield
    until = time.time_ns()
    for operation, target, status, outcome in told:
        write(protocol, operation, target, status, outcome, started, until)
