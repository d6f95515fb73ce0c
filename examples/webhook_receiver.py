"""Receive alerts by webhook and verify their signatures: python webhook_receiver.py [PORT].

The signing key is in the environment variable WEBHOOK_KEY. Port 0 takes a free one; the first line
that is printed is the address to subscribe with.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

WEBHOOK = Webhook(os.environ["WEBHOOK_KEY"])
seen: set[str] = set()  # a receiver of your own keeps the ids in its database


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what is signed, 401 to everything else."""

    def do_POST(self) -> None:
        """Verify before anything is parsed; act on each id once."""
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            alert = WEBHOOK.verify(body, dict(self.headers.items()))
        except WebhookVerificationError as error:
            self.send_error(401, str(error))
            return
        message_id = self.headers["webhook-id"]
        if message_id not in seen:
            print(alert["kind"], alert["signal_key"], alert["revision"], flush=True)
            seen.add(message_id)
        self.send_response(204)  # only now: what is not answered with 2xx is sent again
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Write no line for each request."""


server = HTTPServer(("127.0.0.1", int((*sys.argv[1:], 0)[0])), Receiver)
print(f"http://127.0.0.1:{server.server_port}/alerts", flush=True)
server.serve_forever()
