"""Records of `pv.rejected` hold the reason, and no code."""

from types import SimpleNamespace

import pytest

from schemas.errors import RejectCode
from schemas.rejected import Rejected
from streams.runtime.operations.redrive import as_line
from streams.runtime.wire.rejects import StoredReject, reject_record, stored


@pytest.mark.parametrize("code", [None, *RejectCode])
def test_a_code_changes_no_byte_of_a_record_or_of_a_line(code: RejectCode | None) -> None:
    rejected = Rejected(
        source="pv.reports[2]",
        position=5,
        reason="key: must be the case_id of the report; got another one",
        raw=b"{",
        key=b"k",
        code=code,
    )
    value, key, headers = reject_record(rejected)
    assert (value, key) == (b"{", b"pv.reports[2]@5")
    assert headers == {
        "reason": b"key: must be the case_id of the report; got another one",
        "source": b"pv.reports[2]",
        "position": b"5",
        "key": b"k",
    }
    record = SimpleNamespace(
        value=value, key=key, headers=list(headers.items()), timestamp=1_700_000
    )
    found = stored(record)
    assert isinstance(found, StoredReject)
    assert found.rejected.code is None, "nobody knows by now"
    assert "code" not in as_line(found, None)
