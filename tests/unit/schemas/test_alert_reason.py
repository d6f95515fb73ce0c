"""Why an alert is published: every reason in words of its own."""

from schemas.alert_reason import AlertReason


def test_every_reason_has_a_sentence_of_its_own() -> None:
    sentences = {reason: reason.sentence for reason in AlertReason}
    assert len(set(sentences.values())) == len(AlertReason)
    for sentence in sentences.values():
        assert " " in sentence
        assert not sentence.endswith("."), "it stands within a sentence"
