"""Words, texts and signs of all templates, catalogues and styles of the desk."""

import re
from pathlib import Path

import pytest

from schemas.vocabulary import VerificationState
from streams.console.frame.texts import texts_in
from streams.core.wording.catalogue import Language
from tests.support.amended_cases import amended_reports
from tests.support.replays import founding_case
from tests.support.signal_pages import Page, ReplayedDesk, address_of, replayed_desk

CONSOLE = Path(__file__).resolve().parents[3] / "streams" / "console"
TEMPLATES = sorted((CONSOLE / "templates").rglob("*.j2"))
# Words that claim more than reports can show; the caveat alone says "caused".
BANNED = re.compile(
    r"\b(caus(?:e|es|ed|al|ing)|due to|owing to|associated with|linked to|risks?|side effects?|"
    r"adverse reactions? to|significant|alarming|unsafe|outbreak|epidemic|even more|harmed by|"
    r"occurred|victims?)\b",
    re.IGNORECASE,
)
BANNED_JAPANESE = re.compile("原因|起因|副作用|危険|有意|アウトブレイク|因果")
CAVEATS = {"frame.caveat"}
_JINJA = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_COMMAND = re.compile(r"<code[^>]*>.*?</code>|<p class=\"mono\">.*?</p>", re.DOTALL)
_ATTRIBUTE = re.compile(r"[a-z-]+=\"[^\"<>]*\"")


def _forms(language: Language) -> dict[str, list[str]]:
    """Return every form of every text by its name."""
    return {
        name: [text] if isinstance(text, str) else list(text.values())
        for name, text in texts_in(language).templates.items()
    }


@pytest.mark.parametrize("language", list(Language))
def test_no_text_claims_what_reports_cannot_show(language: Language) -> None:
    banned = BANNED if language is Language.ENGLISH else BANNED_JAPANESE
    found = {
        name: match[0]
        for name, forms in _forms(language).items()
        if name not in CAVEATS
        for form in forms
        if (match := banned.search(form))
    }
    assert found == {}
    assert banned.search(" ".join(texts_in(language)(name) for name in CAVEATS))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_words_of_its_own(path: Path) -> None:
    """What a reader reads is in the catalogues, so that it is in every language."""
    text = _COMMAND.sub(" ", path.read_text("utf-8"))
    bare = _TAG.sub(" ", _ATTRIBUTE.sub(" ", _JINJA.sub(" ", text)))
    words = set(re.findall(r"[A-Za-z]{3,}", bare))
    assert words <= {"doctype", "html", "Tocsin", "UTC", "ROR", "Enter", "Space"}, words  # names


def test_every_text_that_a_template_names_exists() -> None:
    named = {
        (path.name, name)
        for path in TEMPLATES
        for name in re.findall(r'\bt\("([\w.]+)"[,)]', path.read_text("utf-8"))
    }
    known = texts_in(Language.ENGLISH).templates.keys()
    assert len(named) > 100
    assert {pair for pair in named if pair[1] not in known} == set()


def test_every_text_of_the_page_of_a_signal_is_used() -> None:
    """A text is named whole, or by its beginning and a value: `t("signal.kind_" ~ kind)`."""
    sources = [*TEMPLATES, *CONSOLE.rglob("*.py")]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    whole = set(re.findall(r'"(?:signal\.)?([a-z0-9_]+)"', text))
    begun = set(re.findall(r'"signal\.([a-z_]+_)"', text))
    begun |= set(re.findall(r'f"(?:signal\.)?([a-z_]+_)\{', text))
    unused = {
        name
        for full in texts_in(Language.ENGLISH).templates
        if full.startswith("signal.")
        and (name := full.removeprefix("signal.")) not in whole
        and not any(name.startswith(start) for start in begun)
    }
    assert unused == set()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> ReplayedDesk:
    reports, notices = founding_case()
    return replayed_desk(tmp_path_factory.mktemp("story"), [*amended_reports(), *reports], notices)


def _pages(story: ReplayedDesk) -> list[Page]:
    """Return the page of each signal by each comparator."""
    return [
        story.get(address_of(alert, f"?comparator={comparator}"))
        for alert in {one.signal_key: one for one in story.alerts}.values()
        for comparator in ("all", "strata", "indication")
    ]


def test_no_statistic_stands_without_its_bound(story: ReplayedDesk) -> None:
    reasons = {
        form
        for name, forms in _forms(Language.ENGLISH).items()
        if name.startswith("signal.why_")
        for form in forms
    }
    n_measures = 0
    for page in _pages(story):
        assert page.status == 200
        for row in page.rows("data-measure").values():
            n_measures += 1
            interval = row[2]
            assert interval in reasons or re.fullmatch(
                r"−?[\d,.]+ to (−?[\d,.]+|∞)( \(90%\))?", interval
            ), row
        (fact,) = page.tree.xpath('//dd[@class="ci"]')
        for shown in re.findall(r"−?\d+\.\d\d\b(?! *[\[,\]])", fact.text_content()):
            assert re.search(re.escape(shown) + r"\]", fact.text_content()), fact.text_content()
        described = " ".join(one.text_content() for one in page.tree.xpath("//svg/desc"))
        for place in re.finditer(r"IC −?\d+\.\d+", described):
            assert described[place.end() : place.end() + 2] == " [", described[place.start() :][:60]
    assert n_measures > 30


def test_a_stratified_number_has_its_comparators_beside_it(story: ReplayedDesk) -> None:
    for alert in {one.signal_key: one for one in story.alerts}.values():
        page = story.get(address_of(alert, "?comparator=strata"))
        (expected,) = page.tree.xpath('//*[@data-fact="expected"]/../..')
        if alert.statistics.expected_adjusted is not None:
            assert alert.n_comparators is not None
            assert f"{alert.n_comparators:,} reports are without" in " ".join(
                expected.text_content().split()
            )


def test_no_unverified_case_has_the_sign_of_a_confirmed_one(story: ReplayedDesk) -> None:
    confirmed = {VerificationState.HCP_CONFIRMED, VerificationState.AUTHORITY_CONFIRMED}
    seen = set()
    for page in _pages(story):
        for row in page.tree.xpath("//tr[@data-case]"):
            (tile,) = row.xpath('.//span[contains(@class, "tile")]')
            state = VerificationState(tile.get("class").removeprefix("tile v-"))
            words = texts_in(Language.ENGLISH)(f"signal.verification_{state}")
            assert words in row.text_content()
            assert ("confirmed" in words) == (state in confirmed)
            seen.add(state)
    assert len(seen) > 1
    styles = (CONSOLE / "static" / "signal.css").read_text("utf-8")
    solid = re.findall(r"([^}]*)\{[^}]*background: var\(--ink\)[^}]*\}", styles)
    tiles = {name for rule in solid for name in re.findall(r"\.v-(\w+)", rule)}
    assert tiles == {state.value for state in confirmed}
    for state in VerificationState:
        assert f".v-{state.value}" in styles


def test_no_page_of_a_signal_says_caused_outside_of_the_caveat(story: ReplayedDesk) -> None:
    for page in _pages(story):
        tree = page.tree
        for caveat in tree.xpath('//*[contains(@class, "caveat") or contains(@class, "foot")]'):
            caveat.drop_tree()
        assert not re.search(r"\bcaus", tree.text_content())
