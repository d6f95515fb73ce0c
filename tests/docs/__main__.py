"""Write generated text into the pages: `make docs [PAGES="docs/..."]`.

It is the output of every command, and the table of settings.
"""

import os
import random
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from string import ascii_lowercase, digits

from kafka import KafkaAdminClient

from tests.broker.support.kafka_server import running_kafka
from tests.docs import settings
from tests.support.console import rewritten, shell_in
from tests.support.documentation import KAFKA, ROOT, furnish, outputs_of, pages

PREFIX = "TOCSIN_TOPIC_PREFIX"


def main() -> None:
    """Rewrite the pages that are named, else all."""
    data = Path(os.environ.get("TOCSIN_DATA", ROOT.parent / "shared" / "data"))
    wanted = {Path(name).resolve() for name in sys.argv[1:]}
    if not wanted or settings.PAGE in wanted:
        page = settings.PAGE.read_text(encoding="utf-8")
        settings.PAGE.write_text(settings.written(page), encoding="utf-8")
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
                furnish(Path(folder), data, page)
                outputs = dict(outputs_of(page, shell, prefix=variables.get(PREFIX)))
            path.write_text(rewritten(page, outputs), encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: {len(outputs)} commands")


def kafka_variables(bootstrap: str) -> dict[str, str]:
    """Return settings that give a page topics of its own on a broker that others share.

    The prefix is as long as `pv.`, in whose place it stands in tables of the output.
    """
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        used = {name[:3] for name in admin.list_topics()}
    free = [f"{one}{other}." for one in ascii_lowercase for other in digits + ascii_lowercase]
    prefix = random.choice([name for name in free if name not in {*used, "pv."}])
    return {"TOCSIN_BOOTSTRAP": bootstrap, PREFIX: prefix}


if __name__ == "__main__":
    main()
