"""Keys of signals."""

import pytest

from streams.core.signals.signal_key import names_of_key, signal_key


@pytest.mark.parametrize(
    ("drug", "event", "key"),
    [
        ("zinc oxide", "rash", "zinc oxide|rash|cumulative"),
        ("a|b", "100%", "a%7Cb|100%25|cumulative"),
        ("a", "b|cumulative", "a|b%7Ccumulative|cumulative"),
        ("a/b", "naïve\n", "a%2Fb|na%C3%AFve%0A|cumulative"),
        ("lot:EX117", "family:infection", "lot%3AEX117|family%3Ainfection|cumulative"),
        (
            "エクソソーム",
            "x",
            "%E3%82%A8%E3%82%AF%E3%82%BD%E3%82%BD%E3%83%BC%E3%83%A0|x|cumulative",
        ),
    ],
)
def test_a_signal_key_can_be_taken_apart_again(drug: str, event: str, key: str) -> None:
    assert signal_key(drug, event, "cumulative") == key
    assert key.count("|") == 2
    assert names_of_key(key) == (drug, event)
