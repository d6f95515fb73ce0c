"""Alerts of either kind are told apart by their category, and by nothing else."""

import pytest
from pydantic import ValidationError

from schemas.alert import Alert
from schemas.safety_alert import SafetyAlert
from streams.runtime.alert_reading import decode_alert
from tests.watched_work import Work, raw, watched


def test_each_is_read_as_what_it_is() -> None:
    work = Work()
    values = [raw(case) for case in range(20)] + [watched(21, seriousness=["death"])]
    batch, counted, _ = work.count(values)
    work.apply(batch, counted)
    ordinary = work.evaluate()[0]
    (safety,) = work.detector.safety_alerts(work.detector.watermark)
    assert (type(ordinary), type(safety)) == (Alert, SafetyAlert)
    for alert in (ordinary, safety):
        assert decode_alert(alert.model_dump_json().encode()) == alert
    # The word may stand in what is reported.
    worded = ordinary.model_copy(update={"drug": '"category": "LOT_CLUSTER"'})
    assert decode_alert(worded.model_dump_json().encode()) == worded


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b'{"category": "LOT_CLUSTER"}', "SafetyAlert"),
        (b'{"category": "SOMETHING"}', "SafetyAlert"),
        (b"{}", "Alert"),
        (b'{"category": 3}', "Alert"),
        (b"{", "Alert"),
        (b"[]", "Alert"),
    ],
)
def test_what_is_no_alert_is_said_of_its_kind(value: bytes, kind: str) -> None:
    with pytest.raises(ValidationError) as raised:
        decode_alert(value)
    assert raised.value.title == kind
