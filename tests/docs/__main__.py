"""Write the output of every documented command into its page: `make docs [PAGES="docs/..."]`."""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from tests.broker.support.kafka_server import running_kafka
from tests.support.console import rewritten, shell_in
from tests.support.documentation import KAFKA, ROOT, furnish, outputs_of, pages


def main() -> None:
    """Rewrite the pages that are named, else all."""
    data = Path(os.environ.get("TOCSIN_DATA", ROOT.parent / "shared" / "data"))
    wanted = {Path(name).resolve() for name in sys.argv[1:]}
    with ExitStack() as opened:
        bootstrap = ""
        for path in pages():
            if wanted and path not in wanted:
                continue
            page = path.read_text(encoding="utf-8")
            variables = {}
            if KAFKA in page:
                bootstrap = bootstrap or opened.enter_context(running_kafka())
                variables = kafka_variables(bootstrap)
            with (
                tempfile.TemporaryDirectory() as folder,
                shell_in(Path(folder), **variables) as shell,
            ):
                furnish(Path(folder), data)
                outputs = dict(outputs_of(page, shell))
            path.write_text(rewritten(page, outputs), encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: {len(outputs)} commands")


def kafka_variables(bootstrap: str) -> dict[str, str]:
    """Return settings that give a page topics of its own on a broker that others share."""
    return {"TOCSIN_BOOTSTRAP": bootstrap, "TOCSIN_TOPIC_PREFIX": f"docs-{uuid4().hex[:8]}."}


if __name__ == "__main__":
    main()
