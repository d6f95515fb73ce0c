"""Print the alerts of Tocsin: python alert_consumer.py [HOST:PORT [TOPIC [CATEGORY]]]."""

import json
import os
import sys

from kafka import KafkaConsumer

DEFAULTS = (
    os.environ.get("TOCSIN_BOOTSTRAP", "127.0.0.1:9092"),
    os.environ.get("TOCSIN_TOPIC_PREFIX", "pv.") + "alerts",
    "",
)
BOOTSTRAP, TOPIC, CATEGORY = (*sys.argv[1:], *DEFAULTS[len(sys.argv) - 1 :])[:3]

# A record may be delivered twice: its `alert_id` is the idempotency key and never changes.
# Records with one key (`signal_key`) are in order: revision 1, 2, 3, ...; other keys interleave.
# A later revision replaces an earlier one: act on `weakened`, `update`, `retraction` and `closed`.
# Only safety alerts (a lot, a rumour, a death) have a `category`.
consumer = KafkaConsumer(
    TOPIC,
    bootstrap_servers=BOOTSTRAP.split(","),
    isolation_level="read_committed",  # records of an aborted transaction are no alerts
    auto_offset_reset="earliest",
    enable_auto_commit=False,  # with a group_id, call consumer.commit() after acting on an alert
)
for message in consumer:
    # Every record is a CloudEvent: filter on its headers before you parse the value.
    if CATEGORY and dict(message.headers).get("ce_category") != CATEGORY.encode():
        continue
    alert = json.loads(message.value)
    print(f"{alert['kind']}: {alert['sentence']} {alert['alert_id']}", flush=True)
