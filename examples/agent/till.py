#!/usr/bin/env python3
"""A till in Python, with the standard library alone: sells, waits for the authority, voids.

    till.py path/to/journal/agent.sock
"""

import http.client
import json
import socket
import sys
import time
import uuid


class Agent(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def take(path, document):
    """Hands a document over. Whatever happens on the way, the same key gives the same ticket: so it may be repeated."""
    for attempt in range(10):
        connection = Agent(path)
        try:
            connection.request("POST", "/v1/documents", json.dumps(document), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(min(2**attempt / 10, 5))
            continue
        finally:
            connection.close()
        if answer.status in (200, 201):
            return said
        if answer.status != 503:
            raise SystemExit(f"{document['key']} was not taken: {said['error']}")
        time.sleep(float(answer.headers.get("Retry-After", 1)))
    raise SystemExit("the agent does not answer")


def wait_for(path, key, state, after=0):
    """Waits for a document's state by events; gives the number of that event, from which one may go on later."""
    while True:
        connection = Agent(path)
        try:
            connection.request("GET", f"/v1/events?after={after}")
            for line in connection.getresponse():
                if not line.startswith(b"data: "):
                    continue
                change = json.loads(line[6:])
                after = change["seq"]
                if change.get("key") == key and change.get("state") == state:
                    return after
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
        finally:
            connection.close()


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "journal/agent.sock"
    key = f"python-{uuid.uuid4()}"
    item = {"quantity": 2, "description": "Caffè", "unit_price": "1.20", "vat_rate_code": "10"}
    body = {"fiscal_id": "12345678903", "items": [item], "cash_payment_amount": "2.40"}
    print(take(path, {"key": key, "kind": "receipt", "account": "shop-roma", "body": body}))
    seen = wait_for(path, key, "registered")
    print(f"{key} is registered")

    print(take(path, {"key": f"{key}-void", "kind": "void", "parent": key}))
    wait_for(path, f"{key}-void", "registered", seen)
    print(f"{key} is voided")


if __name__ == "__main__":
    main()
