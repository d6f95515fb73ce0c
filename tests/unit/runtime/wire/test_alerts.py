"""Alerts are written as pydantic writes them, and told apart by their category alone."""

import json

import pytest
from pydantic import ValidationError

from schemas.alert import Alert
from schemas.safety_alert import SafetyAlert
from streams.runtime.wire.alerts import decode_alert, encode_alert
from tests.support.work import Work, raw, watched


def test_each_is_read_as_what_it_is() -> None:
    work = Work()
    values = [raw(case) for case in range(20)] + [watched(21, seriousness=["death"])]
    batch, counted, _ = work.count(values)
    work.apply(batch, counted)
    ordinary = work.evaluate()[0]
    (safety,) = work.detector.safety_alerts(work.detector.watermark)
    assert (type(ordinary), type(safety)) == (Alert, SafetyAlert)
    for alert in (ordinary, safety):
        assert encode_alert(alert) == alert.model_dump_json().encode()
        assert decode_alert(encode_alert(alert)) == alert
    # The word may stand in what is reported.
    worded = ordinary.model_copy(update={"drug": '"category": "LOT_CLUSTER"'})
    assert decode_alert(worded.model_dump_json().encode()) == worded


@pytest.mark.parametrize("number", [5e-324, 1e-7, 0.1, 1.0, 1e15, 1e16, 1.7976931348623157e308])
def test_every_number_is_written_as_it_is(number: float) -> None:
    work = Work()
    batch, counted, _ = work.count([raw(case) for case in range(20)])
    work.apply(batch, counted)
    alert = work.evaluate()[0]
    statistics = alert.statistics.model_copy(update={"ror": number})
    written = encode_alert(alert.model_copy(update={"statistics": statistics}))
    assert json.loads(written)["statistics"]["ror"] == number


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
