"""Alerts in another language."""

from schemas.alert import Alert
from schemas.safety_alert import SafetyAlert
from streams.core.wording.alert_texts import in_language
from streams.core.wording.catalogue import Language
from streams.demo import background
from tests.support.replays import founding_case, replayed
from tests.support.worded_alerts import STUPOR


def test_an_alert_in_english_is_as_it_was_published() -> None:
    reports, notices = founding_case()
    published = replayed([*background(), *reports], notices=notices).published
    assert {type(alert) for alert in published} == {Alert, SafetyAlert}
    for alert in published:
        assert in_language(alert, Language.ENGLISH) == alert
        japanese = in_language(alert, Language.JAPANESE)
        assert not japanese.sentence.isascii()
        assert japanese.sentence.startswith(str(japanese.headline))
        texts = ("headline", "reason", "sentence", "next_step", "caveat")
        same = {name: getattr(alert, name) for name in texts}
        assert japanese.model_copy(update=same) == alert, "nothing but the texts differs"


def test_an_old_alert_is_read_in_the_new_words() -> None:
    old = STUPOR.model_copy(update={"headline": "", "sentence": "Is reported, in old words."})
    assert in_language(old, Language.ENGLISH).sentence == STUPOR.sentence
