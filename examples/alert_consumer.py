"""Print the alerts of Tocsin: python alert_consumer.py [HOST:PORT [TOPIC [CATEGORY]]]."""

import json
import sys

from kafka import KafkaConsumer

DEFAULTS = ("127.0.0.1:9092", "pv.alerts", "")
BOOTSTRAP, TOPIC, CATEGORY = (*sys.argv[1:], *DEFAULTS[len(sys.argv) - 1 :])[:3]

# A message may be handed over twice: its `alert_id` is the idempotency key, the same for ever.
# Messages with one key (`signal_key`) come in order: revision 1, 2, 3, ...; others interleave.
# Later revisions correct it: act on `weakened`, `update`, `retraction` and `closed`, too.
# `category` is there in safety alerts only: a lot, a rumour, a death; see docs/safety-alerts.md.
consumer = KafkaConsumer(
    TOPIC,
    bootstrap_servers=BOOTSTRAP.split(","),
    isolation_level="read_committed",  # what a transaction took back is never seen
    auto_offset_reset="earliest",
    enable_auto_commit=False,  # with a group_id, call consumer.commit() after acting on an alert
)
for message in consumer:
    # Every record is a CloudEvent: its headers say what it is, before anything is parsed.
    if CATEGORY and dict(message.headers).get("ce_category") != CATEGORY.encode():
        continue
    alert = json.loads(message.value)
    print(f"{alert['kind']}: {alert['sentence']} {alert['alert_id']}", flush=True)
