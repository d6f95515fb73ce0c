"""Print a random sample of the alerts of a file, and write it as JSON lines.

python sample_alerts.py alerts.jsonl 20 sample.jsonl
"""

import json
import random
import sys
from textwrap import fill

path, number, sample = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    lines = file.readlines()
chosen = random.Random(1).sample(lines, int(number))
with open(sample, "w", encoding="utf-8") as file:
    file.writelines(chosen)
for alert in map(json.loads, chosen):
    print(f"{alert['evaluated_on']}  {alert['kind']}, revision {alert['revision']}")
    print(fill(f"{alert['sentence']} Next: {alert['next_step']}", 100), end="\n\n")
