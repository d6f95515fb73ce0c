"""Write the golden schemas, the contract examples and docs/asyncapi.json anew: `make golden`.

Refuses a change that is not additive, unless it is meant: `python -m tests.golden --breaking`.
"""

import sys

from tests.golden.files import breaking_changes, texts

refused = breaking_changes()
if refused and "--breaking" not in sys.argv[1:]:
    print("\n".join(refused), file=sys.stderr)
    print("not additive; nothing was written (--breaking writes it all the same)", file=sys.stderr)
    sys.exit(1)
for path, text in texts().items():
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
