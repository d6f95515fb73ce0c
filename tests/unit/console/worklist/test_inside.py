"""What an open row shows, in the reader's language."""

import pytest

from schemas.subscription import Tier
from streams.console.worklist.inside import Table, inside_of
from streams.core.wording.catalogue import Language
from streams.delivery.api.service import Service
from tests.support.alerts import safety, signal
from tests.support.many_signals import many_signals, next_revision, store

COPY = next(iter(many_signals(1)))
KEY = COPY["signal_key"]


def test_it_has_the_words_and_table_of_the_latest_revision(service: Service) -> None:
    with service.model() as model:
        store(model, [next_revision(COPY, 1)])
        found = inside_of(model, Tier.AUTHORITY, KEY, Language.ENGLISH)
    assert found is not None
    assert (found.sentence, found.caveat) == (COPY["sentence"], COPY["caveat"])
    assert (found.revision, found.n_revisions, found.language.value) == (2, 2, "en")
    n = COPY["counts"]["n_observed"] + 1
    assert found.table == Table(n, 900 - n, 500 - n, 90_000 - 900 - 500 + n)
    assert COPY["evaluated_on"] in found.revisions


@pytest.mark.parametrize("tier", list(Tier))
def test_japanese_words_are_the_authoritys(service: Service, tier: Tier) -> None:
    alerts = [signal(5), safety()]
    with service.model() as model:
        for position, alert in enumerate(alerts):
            model.put(alert, source="test", position=position)
        key = model.keys(tier)[-1]
        found = inside_of(model, tier, key, Language.JAPANESE)
    assert found is not None
    assert (found.language is Language.JAPANESE) == (tier is Tier.AUTHORITY)


def test_a_safety_alert_has_no_table(service: Service) -> None:
    with service.model() as model:
        model.put(safety(), source="test", position=0)
        found = inside_of(model, Tier.AUTHORITY, safety().signal_key, Language.ENGLISH)
    assert found is not None
    assert (found.table, found.revisions) == (None, "")


def test_an_unknown_key_shows_nothing(service: Service) -> None:
    with service.model() as model:
        assert inside_of(model, Tier.AUTHORITY, "no|such|key", Language.ENGLISH) is None
        assert inside_of(model, Tier.PUBLIC, KEY, Language.ENGLISH) is None
