"""E2B messages published to Kafka correct and retract as they do in a replay."""

from pathlib import Path

import pytest

from schemas.product import Product
from schemas.report import Revision
from schemas.vocabulary import RevisionKind
from streams.runtime.settings import Settings
from tests.broker.support.processes import drain, tocsin
from tests.support import e2b_r2, e2b_r3

pytestmark = pytest.mark.broker

BAD = e2b_r2.message_of(e2b_r2.FIELDS | {"companynumb": "DE-ACME-9", "receiptdate": "2024"})


def r2(number: int) -> str:
    case = f"DE-ACME-{number}"
    fields = e2b_r2.FIELDS | {"companynumb": case, "safetyreportid": case}
    return e2b_r2.message_of(fields, substances=())


def test_published_messages_of_both_releases_are_counted_and_voided(
    topics: Settings, tmp_path: Path
) -> None:
    voided = e2b_r3.REPORT.model_copy(
        update={
            "case_id": "DE-ACME-2",
            "worldwide_id": "DE-ACME-2",
            "sender_case_id": "DE-ACME-2",
            "products": (Product(verbatim="Alfadrug"),),
            "revision": Revision(kind=RevisionKind.NULLIFICATION, reason="entered twice"),
        }
    )
    files = [tmp_path / "r3.xml", tmp_path / "r2.xml"]
    files[1].write_bytes(e2b_r2.batch_of([r2(1), r2(2), BAD, r2(3)]))
    files[0].write_bytes(e2b_r3.batch_of([e2b_r3.message_of(voided)]))
    for _ in range(2):  # sent again, it changes nothing
        published = tocsin(topics, tmp_path, "publish", *files)
        assert published.returncode == 0, published.stderr
    counts = drain(topics, tmp_path / "state").filter(window="cumulative")
    found = counts.select("drug", "event", "n_observed", "n_total").rows()
    assert set(found) == {("Alfadrug", "Rash", 2, 2)}
