"""Print the first alert of a file of JSON lines that fits: whole, or some of its fields.

python show_alert.py alerts.jsonl kind=weakened level=class
python show_alert.py alerts.jsonl kind=weakened level=class reasons previous
"""

import json
import sys

WIDTH = 100


def lines(value: object, indent: str = "") -> str:
    """Return JSON that is broken only where it would not fit into a line."""
    text = json.dumps(value, ensure_ascii=False)
    if len(indent + text) <= WIDTH or not isinstance(value, dict | list):
        return text
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(name)}: {lines(part, inner)}" for name, part in value.items()]
    else:
        parts = [lines(part, inner) for part in value]
    first, last = text[0], text[-1]
    return f"{first}\n" + ",\n".join(f"{inner}{part}" for part in parts) + f"\n{indent}{last}"


path, *arguments = sys.argv[1:]
wanted = dict(one.split("=", 1) for one in arguments if "=" in one)
fields = [one for one in arguments if "=" not in one]
with open(path, encoding="utf-8") as file:
    for alert in map(json.loads, file):
        if all(str(alert.get(name)) == value for name, value in wanted.items()):
            print(lines({name: alert[name] for name in fields or alert}))
            break
