"""The settings tree: the one definition of every key, its type, unit and range.

Units stand in the names. Nothing here has a default: what a site runs with is what its files say.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator, model_validator

from streamproc.core.chart import milli, ms
from streamproc.core.dose import exact
from streamproc.core.events import DrugForm, Profile
from streamproc.core.rule import Rule
from streamproc.core.site import SiteWords, spelled
from streamproc.core.terms import Drug, PumpAlarm, Terms
from streamproc.core.ward import Limits
from streamproc.rules import RULES
from streamproc.rules.parameters import MgPerKg, Ml, Mmhg, Percent, Seconds, Share

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

Port = Annotated[int, Field(ge=0, le=65_535)]
ProfileName = Literal["general", "septic_shock", "hepatorenal", "anaphylaxis", "pediatric"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
BedName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}/[A-Za-z0-9_-]{1,32}$")]
Topic = Annotated[str, Field(pattern=r"^[^+#/$\x00]+(/[^+#/\x00]+)*$", max_length=128)]


class Section(BaseModel):
    """A mapping of known keys only."""

    model_config = STRICT


class Mqtt(Section):
    """The broker, and how we speak with it."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65_535)]
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    username: str | None
    password_file: str | None
    tls: bool
    ca_file: str | None
    keepalive_s: Annotated[int, Field(ge=1, le=3600)]
    session_expiry_s: Annotated[int, Field(ge=0, le=2**32 - 1)]
    receive_maximum: Annotated[int, Field(ge=1, le=65_535)]
    coalesce_ms: Annotated[int, Field(ge=0, le=100)]
    reconnect_min_s: Annotated[float, Field(gt=0, le=60)]
    reconnect_max_s: Annotated[float, Field(gt=0, le=600)]
    max_queued_publishes: Annotated[int, Field(ge=100, le=10_000_000)]


class TopicRoots(Section):
    """The roots of the topics that we read and write."""

    telemetry: Topic
    alerts: Topic


class EventTime(Section):
    """How long to wait for what is on its way, how old is too old, how early too early."""

    hold_back_s: Annotated[float, Field(ge=0, le=604_800)]
    lateness_s: Annotated[float, Field(ge=0, le=31_536_000)]
    future_s: Annotated[float, Field(ge=0, le=3600)]

    @model_validator(mode="after")
    def _lateness_covers_hold_back(self) -> EventTime:
        if self.lateness_s < self.hold_back_s:
            raise ValueError("lateness_s must be at least hold_back_s")
        return self


class Clock(Section):
    """What moves the processor's clock."""

    source: Literal["wall", "telemetry"]
    tick_s: Annotated[float, Field(ge=0.01, le=5)]


class Bounds(Section):
    """What bounds each thing that could grow."""

    message_bytes: Annotated[int, Field(ge=256, le=1_048_576)]
    beds: Annotated[int, Field(ge=1, le=100_000)]
    remembered_messages: Annotated[int, Field(ge=100, le=10_000_000)]
    held_messages: Annotated[int, Field(ge=100, le=10_000_000)]
    dead_letters_per_s: Annotated[float, Field(ge=0, le=10_000)]
    weight_kg_max: Annotated[float, Field(gt=0, le=1000)]


class State(Section):
    """Where the journal is, and how much of it is kept."""

    dir: Annotated[str, Field(min_length=1)]
    journal_retention_h: Annotated[float, Field(gt=0, le=8760)]
    feed_retention_h: Annotated[float, Field(gt=0, le=8760)]
    journal_max_mb: Annotated[float, Field(ge=1, le=10_000_000)]
    snapshot_every_s: Annotated[float, Field(ge=1, le=86_400)]
    snapshot_every_messages: Annotated[int, Field(ge=100, le=10_000_000)]
    full_snapshot_every_s: Annotated[float, Field(ge=1, le=86_400)]
    failing_s: Annotated[float, Field(ge=0, le=86_400)]


class Alerts(Section):
    """How alerts and the processor's own state are published."""

    tombstone_after_s: Annotated[float, Field(ge=0, le=2_592_000)]
    heartbeat_s: Annotated[float, Field(ge=0.5, le=15)]
    bed_state_s: Annotated[float, Field(ge=1, le=3600)]


class Http(Section):
    """Where metrics and health are served; port 0 takes a free one."""

    host: Annotated[str, Field(min_length=1)]
    port: Port


class Log(Section):
    """What is logged, and how it looks."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["auto", "pretty", "json"]


class TermsSection(Section):
    """Numbers that several rules share (rule page, *Terms*)."""

    map_target_mmhg: Annotated[Mmhg, Field(ge=40, le=120)]
    map_low_mmhg: Mmhg
    map_high_mmhg: Mmhg
    map_hold_arterial_s: Seconds
    map_hold_cuff_s: Seconds
    map_interval_arterial_s: Seconds
    map_interval_cuff_s: Seconds
    artefact_window_s: Seconds
    coverage_min: Share
    lost_intervals: Annotated[int, Field(ge=1, le=100)]
    map_lost_s: Seconds
    pump_lost_s: Seconds
    pump_interval_s: Seconds
    pump_interval_max_s: Seconds
    changeover_grace_s: Seconds
    systolic_hold_s: Seconds
    clock_ahead_s: Seconds
    clock_behind_s: Seconds
    identity_window_s: Seconds
    observation_retention_s: Seconds
    dose_retention_s: Seconds
    wean_interval_s: Seconds
    dose_change_tolerance_percent: Percent
    weight_conflict_percent: Percent
    base_per_bitartrate: Share


Strength = Annotated[float, Field(gt=0, le=1_000_000)]
SiteWord = Annotated[str, Field(pattern=r"^\S(.{0,62}\S)?$")]


class Premix(Section):
    """A ready-made bag that the site approves although its diluent has no dextrose."""

    concentration_ug_per_ml: Strength
    diluent: SiteWord


class DrugEntry(Section):
    """A drug of the site's library; strengths are of base."""

    aliases: list[Name] = []
    charted_as: Annotated[Literal["base", "bitartrate"] | None, Field()] = None
    concentration_max_ug_per_ml: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    dosed_in: Literal["mass", "units"] = "mass"
    alkaline: bool = False
    concentrations_ug_per_ml: list[Strength] = []
    concentrations_by_profile_ug_per_ml: dict[ProfileName, list[Strength]] = {}
    premixes_without_dextrose: list[Premix] = []

    @model_validator(mode="after")
    def _strengths_fit(self) -> DrugEntry:
        strengths = {*self.concentrations_ug_per_ml}.union(*self.concentrations_by_profile_ug_per_ml.values())
        most = self.concentration_max_ug_per_ml
        for strength in sorted(strengths):
            if most is not None and strength > most:
                raise ValueError(f"{strength:g} ug/mL is listed, but concentration_max_ug_per_ml is {most:g}")
        for premix in self.premixes_without_dextrose:
            if premix.concentration_ug_per_ml not in strengths:
                wrong = f"a premix of {premix.concentration_ug_per_ml:g} ug/mL is approved"
                raise ValueError(f"{wrong}, but concentrations_ug_per_ml does not list that")
        return self


class Diluents(Section):
    """The site's words for diluents that contain dextrose; any other has none."""

    with_dextrose: Annotated[list[SiteWord], Field(min_length=1)]


class Routes(Section):
    """The site's words for where an infusion enters."""

    central: Annotated[list[SiteWord], Field(min_length=1)]
    peripheral: Annotated[list[SiteWord], Field(min_length=1)]

    @model_validator(mode="after")
    def _words_differ(self) -> Routes:
        _refuse_two_meanings({"central": self.central, "peripheral": self.peripheral})
        return self


class Crystalloids(Section):
    """The fluids that count as crystalloid; `balanced` is empty where the site has none."""

    balanced: list[SiteWord]
    saline: list[SiteWord]
    other: list[SiteWord]

    @model_validator(mode="after")
    def _words_differ(self) -> Crystalloids:
        _refuse_two_meanings({"balanced": self.balanced, "saline": self.saline, "other": self.other})
        return self


class RuleOfSix(Section):
    """A child's mix by weight; computed where it is asked for, never assumed (C10)."""

    mg_per_kg: MgPerKg
    volume_ml: Ml


def _refuse_two_meanings(lists: dict[str, list[str]]) -> None:
    seen: dict[str, str] = {}
    for name, words in lists.items():
        for word in words:
            if (other := seen.setdefault(spelled(word), name)) != name:
                raise ValueError(f"`{word}` stands under {other} and under {name}; it can be only one")


AlarmCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]


class PumpAlarms(Section):
    """Which alarm codes of the site's pumps mean what; a code that stands nowhere is another alarm."""

    downstream_occlusion: list[AlarmCode]
    upstream_occlusion: list[AlarmCode]
    air_in_line: list[AlarmCode]
    empty: list[AlarmCode]
    door: list[AlarmCode]
    battery: list[AlarmCode]
    near_end: list[AlarmCode]

    def meanings(self) -> dict[str, PumpAlarm]:
        """Every listed code, to what it means."""
        return {code: PumpAlarm[name.upper()] for name, codes in self for code in codes}


MAP_LOOK_BACKS = ("window_s", "long_window_s", "held_s")
"""The rules' parameters that are windows over MAP, by name; other times are waits or concern doses."""


def _rule_section(definition: Any) -> Any:
    """A rule's parameters as a section: the dataclass's own types, and whether the rule is on."""
    hints = get_type_hints(definition.parameters, include_extras=True)
    keys: dict[str, Any] = {field.name: (hints[field.name], ...) for field in fields(definition.parameters)}
    return create_model(definition.id.replace("-", ""), __base__=Section, enabled=(bool, ...), **keys)


RulesSection = create_model(
    "RulesSection",
    __base__=Section,
    **{  # type: ignore[call-overload]
        rule.id.replace("-", "_").lower(): (_rule_section(rule), Field(alias=rule.id)) for rule in RULES
    },
)


CLINICAL = (
    "roster",
    "profiles",
    "terms",
    "rules",
    "pump_alarms",
    "drugs",
    "diluents",
    "routes",
    "crystalloids",
)
"""What may change while the service runs: whom it watches, and by which rules. The rest needs a restart."""
JUDGED_BY = (*CLINICAL, "instance", "topics", "event_time", "limits", "clock")
"""All on which it depends what is told of the same messages, and under which ids."""


class Settings(Section):
    """Everything that a site sets."""

    instance: Name
    roster: list[BedName]
    mqtt: Mqtt
    topics: TopicRoots
    event_time: EventTime
    clock: Clock
    limits: Bounds
    state: State
    alerts: Alerts
    http: Http
    log: Log
    profiles: list[ProfileName]
    terms: TermsSection
    rules: RulesSection
    pump_alarms: PumpAlarms
    drugs: dict[Name, DrugEntry]
    diluents: Diluents
    routes: Routes
    crystalloids: Crystalloids
    rule_of_six: RuleOfSix

    @field_validator("profiles")
    @classmethod
    def _general_is_on(cls, profiles: list[str]) -> list[str]:
        if "general" not in profiles or len(set(profiles)) < len(profiles):
            raise ValueError("must name each profile once, `general` among them: it is whoever has no other")
        return profiles

    @field_validator("drugs")
    @classmethod
    def _spellings_differ(cls, drugs: dict[str, DrugEntry]) -> dict[str, DrugEntry]:
        seen: dict[str, str] = {}
        for name, entry in drugs.items():
            for spelling in [name, *entry.aliases]:
                if spelling in seen:
                    raise ValueError(f"`{spelling}` names both {seen[spelling]} and {name}")
                seen[spelling] = name
        if "norepinephrine" not in drugs or "vasopressin" not in drugs:
            raise ValueError("the rules need entries for norepinephrine and vasopressin")
        return drugs

    def spellings(self) -> dict[str, str]:
        """Every accepted spelling of a drug, to its library name."""
        return {s: name for name, entry in self.drugs.items() for s in [name, *entry.aliases]}

    def core_terms(self) -> Terms:
        """The shared numbers in the core's units."""
        return _core_terms(self)

    def core_limits(self) -> Limits:
        """Event time and bounds in the core's units."""
        return Limits(
            hold_back_ms=ms(self.event_time.hold_back_s),
            lateness_ms=ms(self.event_time.lateness_s),
            future_ms=ms(self.event_time.future_s),
            beds=self.limits.beds + len(self.roster),
            remembered_messages=self.limits.remembered_messages,
            held_messages=self.limits.held_messages,
        )

    def core_rules(self) -> tuple[Rule, ...]:
        """The rules in force, bound to their numbers."""
        return tuple(rule for rule, on in self.every_rule() if on)

    def every_rule(self) -> tuple[tuple[Rule, bool], ...]:
        """Every rule bound to its numbers, and whether the site has it on."""
        sections = {rule.id: getattr(self.rules, rule.id.replace("-", "_").lower()) for rule in RULES}
        shared = self.shared_words()
        return tuple(
            (
                rule.bind(
                    rule.parameters(
                        **{f.name: getattr(sections[rule.id], f.name) for f in fields(rule.parameters)}
                    ),
                    shared,
                ),
                sections[rule.id].enabled,
            )
            for rule in RULES
        )

    def shared_words(self) -> dict[str, Any]:
        """What sentences may name besides a rule's own numbers: the terms, and the library's lists."""
        drug = self.drugs["norepinephrine"]
        listed = ", ".join(f"{strength:g}" for strength in drug.concentrations_ug_per_ml)
        for profile, strengths in drug.concentrations_by_profile_ug_per_ml.items():
            listed += f"; {profile}: {', '.join(f'{strength:g}' for strength in strengths)}"
        alkaline = [name.replace("_", " ") for name, entry in self.drugs.items() if entry.alkaline]
        words = {"listed_ug_per_ml": listed, "alkaline_drugs": ", ".join(alkaline) or "none"}
        return {**self.terms.model_dump(), **words}

    @property
    def unwatched_ms(self) -> int:
        """So long a time without a watch is told to the beds."""
        rules: Any = self.rules
        return ms(rules.tech_gap.unwatched_s)

    def clinical(self) -> dict[str, Any]:
        """What may change while the service runs, as plain JSON values."""
        return self.model_dump(mode="json", by_alias=True, include=set(CLINICAL))

    def judged_by(self) -> dict[str, Any]:
        """What decides on all that is told, as plain JSON values."""
        return self.model_dump(mode="json", by_alias=True, include=set(JUDGED_BY))

    def judging_by(self, told: dict[str, Any]) -> Settings:
        """The same service judging by this; raises `ValidationError` for what this program can't read."""
        return Settings.model_validate(self.model_dump(by_alias=True, exclude=set(CLINICAL)) | told)

    def needs_restart(self, other: Settings) -> list[str]:
        """The sections that differ and that a running service can't take over."""
        ours, theirs = self.model_dump(exclude=set(CLINICAL)), other.model_dump(exclude=set(CLINICAL))
        return [name for name in ours if ours[name] != theirs[name]]

    def ruleset(self) -> str:
        """The hash of the whole rule configuration: numbers, drugs, switches and rule versions."""
        content = {
            "profiles": sorted(self.profiles),
            "terms": self.terms.model_dump(mode="json"),
            "rules": self.rules.model_dump(mode="json"),
            "pump_alarms": self.pump_alarms.model_dump(mode="json"),
            "drugs": {name: entry.model_dump(mode="json") for name, entry in self.drugs.items()},
            "diluents": self.diluents.model_dump(mode="json"),
            "routes": self.routes.model_dump(mode="json"),
            "crystalloids": self.crystalloids.model_dump(mode="json"),
            "versions": {rule.id: rule.version for rule in RULES},
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _part(percent: float) -> Fraction:
    return Fraction(Decimal(repr(percent))) / 100


def _core_terms(settings: Settings) -> Terms:
    terms = settings.terms
    longest_s = max(_longest_window_s(settings), terms.wean_interval_s)
    return Terms(
        map_target_milli=milli(terms.map_target_mmhg),
        map_low_milli=milli(terms.map_low_mmhg),
        map_high_milli=milli(terms.map_high_mmhg),
        map_hold_arterial_ms=ms(terms.map_hold_arterial_s),
        map_hold_cuff_ms=ms(terms.map_hold_cuff_s),
        map_interval_arterial_ms=ms(terms.map_interval_arterial_s),
        map_interval_cuff_ms=ms(terms.map_interval_cuff_s),
        map_retention_ms=ms(longest_s),
        artefact_window_ms=ms(terms.artefact_window_s),
        coverage_min=terms.coverage_min,
        lost_intervals=terms.lost_intervals,
        map_lost_ms=ms(terms.map_lost_s),
        pump_lost_ms=ms(terms.pump_lost_s),
        pump_interval_ms=ms(terms.pump_interval_s),
        pump_interval_max_ms=ms(terms.pump_interval_max_s),
        changeover_grace_ms=ms(terms.changeover_grace_s),
        systolic_hold_ms=ms(terms.systolic_hold_s),
        observation_retention_ms=ms(terms.observation_retention_s),
        clock_ahead_ms=ms(terms.clock_ahead_s),
        clock_behind_ms=ms(terms.clock_behind_s),
        identity_window_ms=ms(terms.identity_window_s),
        dose_retention_ms=ms(max(longest_s, terms.dose_retention_s)),
        peak_span_ms=ms(terms.wean_interval_s),
        dose_change_tolerance=_part(terms.dose_change_tolerance_percent),
        weight_conflict=_part(terms.weight_conflict_percent),
        base_per_bitartrate=exact(terms.base_per_bitartrate),
        titrated_drug="norepinephrine",
        drugs={name: _drug(name, entry) for name, entry in settings.drugs.items()},
        site=_site_words(settings),
        pump_alarms=settings.pump_alarms.meanings(),
    )


def _longest_window_s(settings: Settings) -> int:
    """The longest look back that any rule takes on MAP: what its trend must keep."""
    sections: dict[str, Any] = settings.rules.model_dump()
    spans = [
        value for section in sections.values() for key, value in section.items() if key in MAP_LOOK_BACKS
    ]
    return int(max(spans))


def _drug(name: str, entry: DrugEntry) -> Drug:
    return Drug(
        name=name,
        charted_as=None if entry.charted_as is None else DrugForm(entry.charted_as),
        concentration_max_ug_per_ml=entry.concentration_max_ug_per_ml,
        by_units=entry.dosed_in == "units",
        alkaline=entry.alkaline,
        strengths=_strengths(entry.concentrations_ug_per_ml),
        strengths_by_profile={
            Profile(profile): _strengths(listed)
            for profile, listed in entry.concentrations_by_profile_ug_per_ml.items()
        },
        premixes=frozenset(
            (exact(premix.concentration_ug_per_ml), spelled(premix.diluent))
            for premix in entry.premixes_without_dextrose
        ),
    )


def _strengths(listed: list[float]) -> frozenset[Fraction]:
    return frozenset(exact(strength) for strength in listed)


def _site_words(settings: Settings) -> SiteWords:
    return SiteWords(
        dextrose_diluents=_words(settings.diluents.with_dextrose),
        central_routes=_words(settings.routes.central),
        peripheral_routes=_words(settings.routes.peripheral),
        balanced_fluids=_words(settings.crystalloids.balanced),
        saline_fluids=_words(settings.crystalloids.saline),
        other_crystalloids=_words(settings.crystalloids.other),
    )


def _words(listed: list[str]) -> frozenset[str]:
    return frozenset(map(spelled, listed))
