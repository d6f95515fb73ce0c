"""Signal rules as data: read, hash and describe them, and evaluate them on scored pairs."""

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detectors.conditions import AllOf, AnyOf, Comparison, Condition, Lists, OnList
from schemas.alert_reason import SignalGrade
from schemas.errors import RuleError
from schemas.normal_form import normal_drug, normal_term

__all__ = ["PRESETS", "Rule", "RuleSet", "lists_asked", "load_rules"]


class Rule(BaseModel):
    """One rule, its lists filled in: a pair that satisfies it is an SDR."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern="^[a-z][a-z0-9_]*$",
        description="Short name; the column that `RuleSet.evaluate` gives.",
    )
    title: str = Field(description="What it is called in its source.")
    source: str = Field(description="Where its thresholds were published.")
    condition: Condition = Field(description="What must hold.")
    grade: SignalGrade = Field(
        default=SignalGrade.ALARM, description="Grade of the signals on which it is on."
    )

    @property
    def sentence(self) -> str:
        """Return the rule in words, with its exact inequalities; for alerts."""
        return f"{self.title}: {self.condition.sentence()}"

    @property
    def exit_sentence(self) -> str:
        """Return the exit condition in words; an undefined statistic ends the rule as well."""
        return self.condition.exit_sentence()

    @property
    def statistics(self) -> frozenset[str]:
        """Return the columns that it compares."""
        return frozenset(_statistics(self.condition))

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Return its comparisons, in the order of the rule."""
        return tuple(leaf for leaf in _leaves(self.condition) if isinstance(leaf, Comparison))

    def past_exit(self, row: Mapping[str, Any]) -> tuple[Comparison, ...]:
        """Return the comparisons whose exit ends the rule for a pair; none while it can be held.

        Parameters
        ----------
        row
            The statistics of the pair by name, null where undefined, and `drug` and `event` in
            normal form where a list is used.
        """
        ended = _ended(self.condition, row)
        return tuple(leaf for leaf in ended if isinstance(leaf, Comparison))

    def requires(self, statistics: Collection[str]) -> bool:
        """Return whether it holds for no pair of which these statistics are undefined."""
        return _requires(self.condition, statistics)

    @property
    def floor(self) -> int:
        """Return the fewest observed cases at which it can flag a pair."""
        return int(self.condition.floor())


class RuleSet(BaseModel):
    """The rules of one run, of both grades.

    Equal `rules_hash`, equal decisions on equal statistics.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...] = Field(
        description="The alarm's first, each grade in the order asked for.", min_length=1
    )

    @property
    def statistics(self) -> frozenset[str]:
        """Return the columns that `evaluate` needs; see `detectors.scoring.methods_for`."""
        return frozenset().union(*(rule.statistics for rule in self.rules))

    @property
    def columns(self) -> frozenset[str]:
        """Return the columns, of `drug` and `event`, that the rules look up on lists."""
        return frozenset().union(*(_columns(rule.condition) for rule in self.rules))

    @property
    def floor(self) -> int:
        """Return the smallest `n_observed` any rule can flag; pairs below it need no score."""
        return min(rule.floor for rule in self.rules)

    @property
    def alarm_mask(self) -> int:
        """Return the bits of the alarm's rules, as in `masks`: a signal with one on is an alarm."""
        return sum(
            1 << bit for bit, rule in enumerate(self.rules) if rule.grade is SignalGrade.ALARM
        )

    @property
    def rules_hash(self) -> str:
        """SHA-256 of names, grades, conditions and lists as canonical JSON.

        Titles, sources and the order of rules, conditions and names are left out, since they
        change no decision. The grade `alarm` is left out too: rules without a screening keep the
        hash that they had before there were grades.
        """
        content = {
            rule.name: _canonical(rule.condition) | _grade_unless_alarm(rule) for rule in self.rules
        }
        return hashlib.sha256(_json(content).encode()).hexdigest()

    def evaluate(self, scored: pl.DataFrame) -> pl.DataFrame:
        """Evaluate each rule on each pair.

        Parameters
        ----------
        scored
            What `detectors.scoring.score` gives, with at least the columns `statistics`, and
            `drug` and `event` where a list is used.

        Returns
        -------
        polars.DataFrame
            One boolean column a rule, named after it; same rows, same order; never null. An
            undefined statistic (null) satisfies no inequality, an unbounded one (inf) does.

        Raises
        ------
        RuleError
            If `scored` lacks a column that a rule needs.

        Examples
        --------
        >>> row = {"prr": [2.0, None], "chi2_yates": [4.0, 9.0], "n_observed": [3, 3]}
        >>> load_rules("mhra").evaluate(pl.DataFrame(row))["mhra"].to_list()
        [True, False]
        """
        for rule in self.rules:
            missing = sorted((rule.statistics | _columns(rule.condition)) - set(scored.columns))
            if missing:
                msg = (
                    f"rule {rule.name!r}: the scored frame must have the columns {missing}; "
                    f"got {scored.columns}"
                )
                raise RuleError(msg)
        forms = {"drug": normal_drug, "event": normal_term}
        scored = scored.with_columns(
            scored[name].cast(pl.String).map_elements(forms[name], return_dtype=pl.String)
            for name in self.columns
        )
        flags = [rule.condition.expression().alias(rule.name) for rule in self.rules]
        return scored.lazy().select(flags).collect()

    def masks(self) -> tuple[pl.Expr, pl.Expr]:
        """Return `entered` and `held` as expressions over a scored frame [Int64, never null].

        Its `drug` and `event` must be normal forms where a list is used (`schemas.normal_form`).

        Bit i of `entered`: rule i fires, as `evaluate` says. Bit i of `held`: rule i
        stays on once it has fired; it is set wherever that of `entered` is.
        """
        return tuple(  # type: ignore[return-value]
            pl.sum_horizontal(
                [
                    rule.condition.expression(held=held).cast(pl.Int64) * (1 << bit)
                    for bit, rule in enumerate(self.rules)
                ]
            ).alias(name)
            for name, held in (("entered", False), ("held", True))
        )


_Asked = str | Path | Iterable[str | Path]


def load_rules(rules: _Asked, lists: Lists | None = None, *, screening: _Asked = ()) -> RuleSet:
    """Read rules by preset name or from TOML files, and fill in the user's lists.

    Parameters
    ----------
    rules
        The alarm's: names of presets (`PRESETS`) and paths ending in `.toml`, or one of them.
    lists
        Names by list, in any spelling: `important_events`, `additional_monitoring`, and
        what rule files ask for.
    screening
        Likewise the screening's; one of a name that is among the alarm's is left out.

    Returns
    -------
    RuleSet
        The alarm's rules, then the screening's, in the order given, those of a file in the file's
        order.

    Raises
    ------
    RuleError
        If a preset or a list is unknown, a file cannot be read, a rule is malformed or given
        twice for one grade, or can never flag a pair. The message names the rule and the key.

    Examples
    --------
    >>> print(load_rules("ema", lists={"important_events": ["Sepsis"]}).rules[0].sentence)
    EMA screening in EudraVigilance: lower 95% bound of the ROR > 1 and cases observed >= 5 and
    event is on the list important_events
    """
    alarm = [_parse(name, table) for name, table in _distinct(_tables(rules))]
    if not alarm:
        msg = f"load_rules: at least one rule must be given; got {rules}"
        raise RuleError(msg)
    taken = {rule.name for rule in alarm}
    wider = [
        _parse(name, table).model_copy(update={"grade": SignalGrade.SCREENING})
        for name, table in _distinct(_tables(screening))
        if name not in taken
    ]
    parsed = [*alarm, *wider]
    _require_lists(parsed, lists or {})
    return RuleSet(rules=tuple(_settle(rule, lists or {}) for rule in parsed))


def _distinct(tables: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    names = [name for name, _ in tables]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        msg = f"load_rules: a rule must be given once; got {repeated} more than once"
        raise RuleError(msg)
    return tables


def _tables(rules: _Asked) -> list[tuple[str, Any]]:
    wanted = [rules] if isinstance(rules, str | Path) else list(rules)
    tables: list[tuple[str, Any]] = []
    for item in wanted:
        if str(item).endswith(".toml"):
            tables += _read_file(Path(item)).items()
        elif str(item) in PRESETS:
            tables.append((str(item), PRESETS[str(item)]))
        else:
            msg = f"load_rules: a rule must be a .toml file or among {list(PRESETS)}; got {item!s}"
            raise RuleError(msg)
    return tables


def lists_asked(rules: _Asked) -> frozenset[str]:
    """Return the names of the lists that these rules, taken as `load_rules` takes them, ask for.

    Examples
    --------
    >>> sorted(lists_asked(["mhra", "ema"]))
    ['additional_monitoring', 'important_events']
    """
    parsed = [_parse(name, table) for name, table in _tables(rules)]
    return frozenset(part.on_list for rule in parsed for part in _list_parts(rule.condition))


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"load_rules: {path} must be a readable TOML file; got {error}"
        raise RuleError(msg) from error


PRESETS: Mapping[str, Any] = tomllib.loads(
    files("detectors").joinpath("presets.toml").read_text(encoding="utf-8")
)
"""The published rules and Tocsin's own by name, from `presets.toml`."""


def _parse(name: str, table: Any) -> Rule:
    if not isinstance(table, dict):
        msg = f"rule {name!r}: a rule must be a table of keys; got {table!r}"
        raise RuleError(msg)
    words = {key: table[key] for key in ("title", "source") if key in table}
    condition = {key: value for key, value in table.items() if key not in words}
    if not condition:
        msg = f"rule {name!r}: a rule needs the key 'all' or 'any'; got {sorted(table)}"
        raise RuleError(msg)
    try:
        return Rule(name=name, condition=condition, **words)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(_path(first["loc"])) or sorted(condition)[0]
        msg = f"rule {name!r}: key {key!r} is malformed: {first['msg']}; got {first['input']!r}"
        raise RuleError(msg) from error


def _path(loc: tuple[int | str, ...]) -> list[str]:
    """Return the location of a pydantic error as keys of the file, without union branches."""
    kinds = {
        depth for depth, part in enumerate(loc, 1) if part == "condition" or isinstance(part, int)
    }
    return [
        str(part) for depth, part in enumerate(loc) if depth not in kinds and part != "condition"
    ]


def _require_lists(rules: Iterable[Rule], lists: Lists) -> None:
    for name, names in lists.items():
        if isinstance(names, str):
            msg = f"load_rules: list {name!r} must be a list of names; got the text {names!r}"
            raise RuleError(msg)
    # Preset lists are known for any rules, so that one configuration serves several runs.
    presets = [_parse(name, table) for name, table in PRESETS.items()]
    known = {part.on_list for rule in (*presets, *rules) for part in _list_parts(rule.condition)}
    unknown = sorted(set(lists) - known)
    if unknown:
        msg = f"load_rules: a list must be one that a rule asks for, {sorted(known)}; got {unknown}"
        raise RuleError(msg)


def _settle(rule: Rule, lists: Lists) -> Rule:
    condition = rule.condition.settled(lists)
    if isinstance(condition, bool):
        outcome = "flag every pair" if condition else "never flag a pair"
        asked = sorted({part.on_list for part in _list_parts(rule.condition)})
        msg = f"rule {rule.name!r}: key 'on_list' must leave it a choice, but it would {outcome}; "
        msg += f"got the lists { {name: len(lists[name]) for name in asked if name in lists} }"
        raise RuleError(msg)
    return rule.model_copy(update={"condition": condition})


def _leaves(condition: Condition) -> list[Comparison | OnList]:
    if isinstance(condition, AllOf):
        return [leaf for part in condition.all for leaf in _leaves(part)]
    if isinstance(condition, AnyOf):
        return [leaf for part in condition.any for leaf in _leaves(part)]
    return [condition]


def _ended(condition: Condition, row: Mapping[str, Any]) -> list[Comparison | OnList]:
    """Return the parts that end a condition for a pair; none if it is held."""
    if isinstance(condition, AllOf):
        return [leaf for part in condition.all for leaf in _ended(part, row)]
    if isinstance(condition, AnyOf):
        ended = [_ended(part, row) for part in condition.any]
        return [leaf for leaves in ended for leaf in leaves] if all(ended) else []
    return [] if condition.holds(row) else [condition]


def _statistics(condition: Condition) -> set[str]:
    return {leaf.statistic for leaf in _leaves(condition) if isinstance(leaf, Comparison)}


def _requires(condition: Condition, statistics: Collection[str]) -> bool:
    if isinstance(condition, AllOf):
        return any(_requires(part, statistics) for part in condition.all)
    if isinstance(condition, AnyOf):
        return all(_requires(part, statistics) for part in condition.any)
    return isinstance(condition, Comparison) and condition.statistic in statistics


def _list_parts(condition: Condition) -> list[OnList]:
    return [leaf for leaf in _leaves(condition) if isinstance(leaf, OnList)]


def _columns(condition: Condition) -> set[str]:
    return {leaf.column for leaf in _list_parts(condition)}


def _grade_unless_alarm(rule: Rule) -> dict[str, Any]:
    return {} if rule.grade is SignalGrade.ALARM else {"grade": rule.grade.value}


def _canonical(condition: Condition) -> dict[str, Any]:
    if isinstance(condition, AllOf):
        return {"all": sorted((_canonical(part) for part in condition.all), key=_json)}
    if isinstance(condition, AnyOf):
        return {"any": sorted((_canonical(part) for part in condition.any), key=_json)}
    if isinstance(condition, OnList):
        return {"column": condition.column, "names": condition.names}
    return condition.model_dump(exclude_none=True)


def _json(content: Any) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
