"""A configuration that is not right is refused whole: each problem with its place and what would be right."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streamproc.config import ConfigError, Problem, Settings, load
from streamproc.config.load import DEFAULT_DIR, FILES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped configuration, to be spoilt."""
    for name in FILES:
        shutil.copy(DEFAULT_DIR / name, tmp_path)
    return tmp_path


def change(folder: Path, file: str, old: str, new: str) -> None:
    """Replace what stands once in a file."""
    text = (folder / file).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")


def line_of(folder: Path, file: str, text: str) -> int:
    """The line, from 1, in which a text stands first."""
    lines = (folder / file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def problems(folder: Path, *overrides: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as refused:
        load(folder, overrides)
    return refused.value.problems


def only_problem(folder: Path, *overrides: str) -> Problem:
    found = problems(folder, *overrides)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]


# what is right


def test_the_shipped_configuration_is_right() -> None:
    settings = load()
    assert isinstance(settings, Settings)
    assert len(settings.core_rules()) >= 13


def test_a_copy_of_it_is_right(folder: Path) -> None:
    assert load(folder).ruleset() == load().ruleset()


def test_every_section_has_one_file_and_every_file_its_sections() -> None:
    sections = [section for sections in FILES.values() for section in sections]
    assert len(set(sections)) == len(sections)
    assert set(sections) == set(Settings.model_fields)


def test_the_ruleset_is_the_rules_and_nothing_else() -> None:
    """A changed clinical number is another ruleset; a changed port is not."""
    shipped = load().ruleset()
    assert load(None, ["mqtt.port=1884"]).ruleset() == shipped
    for changed in (
        "rules.MAP-CRIT.critical_mmhg=54",
        "rules.MAP-LOW.enabled=false",
        "terms.map_hold_cuff_s=899",
    ):
        assert load(None, [changed]).ruleset() != shipped
    assert load(None, ["drugs.norepinephrine.charted_as=bitartrate"]).ruleset() != shipped


# what is wrong, and where


Spoil = Callable[[Path], None]


def spoilt(file: str, old: str, new: str) -> Spoil:
    return lambda folder: change(folder, file, old, new)


WRONG = {
    "wrong type": (
        spoilt("service.yaml", "port: 1883", "port: many"),
        "service.yaml",
        "port: many",
        "mqtt.port",
        ["valid integer", "'many'"],
    ),
    "a number as text": (
        spoilt("service.yaml", "keepalive_s: 10", 'keepalive_s: "10"'),
        "service.yaml",
        "keepalive_s",
        "mqtt.keepalive_s",
        ["valid integer", "'10'"],
    ),
    "true for a number": (
        spoilt("service.yaml", "keepalive_s: 10", "keepalive_s: true"),
        "service.yaml",
        "keepalive_s",
        "mqtt.keepalive_s",
        ["valid integer", "True"],
    ),
    "out of range": (
        spoilt("service.yaml", "port: 1883", "port: 70000"),
        "service.yaml",
        "port: 70000",
        "mqtt.port",
        ["less than or equal to 65535", "70000"],
    ),
    "a dose out of range": (
        spoilt("rules.yaml", "threshold_mcg_per_kg_min: 0.25", "threshold_mcg_per_kg_min: 25"),
        "rules.yaml",
        "threshold_mcg_per_kg_min",
        "rules.ESC-THRESHOLD.threshold_mcg_per_kg_min",
        ["less than or equal to 10", "25"],
    ),
    "no number at all": (
        spoilt("rules.yaml", "critical_mmhg: 55", "critical_mmhg: .nan"),
        "rules.yaml",
        "critical_mmhg",
        "rules.MAP-CRIT.critical_mmhg",
        ["finite number"],
    ),
    "not one of the words": (
        spoilt("service.yaml", "level: info", "level: chatty"),
        "service.yaml",
        "level: chatty",
        "log.level",
        ["'debug', 'info', 'warning' or 'error'", "'chatty'"],
    ),
    "unknown key": (
        spoilt("rules.yaml", "critical_mmhg: 55 ", "critical_mmhg: 55\n    critcal_mmhg: 55 "),
        "rules.yaml",
        "critcal_mmhg",
        "rules.MAP-CRIT.critcal_mmhg",
        ["unknown key"],
    ),
    "unknown rule": (
        spoilt("rules.yaml", "  TECH-DOSE:\n", "  TECH-DOSSE:\n    enabled: true\n  TECH-DOSE:\n"),
        "rules.yaml",
        "TECH-DOSSE",
        "rules.TECH-DOSSE",
        ["unknown key"],
    ),
    "missing key": (
        spoilt("rules.yaml", "    recovered_mmhg: 60", "    #"),
        "rules.yaml",
        "MAP-CRIT",
        "rules.MAP-CRIT.recovered_mmhg",
        ["is missing"],
    ),
    "missing section": (
        spoilt("service.yaml", "instance: streamproc-1", "# instance"),
        "service.yaml",
        "# The service",
        "instance",
        ["is missing"],
    ),
    "unknown section": (
        spoilt("service.yaml", "instance: streamproc-1", "instance: streamproc-1\ncolour: blue"),
        "service.yaml",
        "colour",
        "colour",
        ["unknown key"],
    ),
    "a bed that is no bed": (
        spoilt("service.yaml", "roster: []", "roster: [icu-a/bed-1, bed-2]"),
        "service.yaml",
        "roster",
        "roster.1",
        ["pattern", "'bed-2'"],
    ),
    "two bounds that contradict": (
        spoilt("service.yaml", "lateness_s: 60.0", "lateness_s: 1.0"),
        "service.yaml",
        "event_time",
        "event_time",
        ["lateness_s must be at least hold_back_s"],
    ),
    "one spelling for two drugs": (
        spoilt("drugs.yaml", "aliases: [argipressin]", "aliases: [levophed]"),
        "drugs.yaml",
        "drugs:",
        "drugs",
        ["`levophed` names both norepinephrine and vasopressin"],
    ),
    "no entry for a drug that rules need": (
        spoilt("drugs.yaml", "  vasopressin:", "  vasopresin:"),
        "drugs.yaml",
        "drugs:",
        "drugs",
        ["norepinephrine and vasopressin"],
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_problem_has_its_place_and_what_would_be_right(what: str, folder: Path) -> None:
    """File, line, column, key, what stands there, what would be right."""
    spoil, file, marker, key, told = WRONG[what]
    spoil(folder)
    problem = only_problem(folder)
    assert problem.file == str(folder / file)
    assert problem.line == line_of(folder, file, marker)
    assert problem.column >= 1
    assert problem.key == key
    for words in told:
        assert words in problem.wrong
    assert str(problem) == f"{problem.file}:{problem.line}:{problem.column}: {key}: {problem.wrong}"


def test_a_column_is_that_of_the_key(folder: Path) -> None:
    change(folder, "service.yaml", "  port: 1883", "  port: many")
    assert only_problem(folder).column == 3


def test_a_key_in_the_wrong_file_is_told_its_home(folder: Path) -> None:
    change(folder, "service.yaml", "instance: streamproc-1", "instance: streamproc-1\ndrugs: {}")
    problem = only_problem(folder)
    assert (problem.file, problem.key) == (str(folder / "service.yaml"), "drugs")
    assert problem.line == line_of(folder, "service.yaml", "drugs: {}")
    assert problem.wrong == "belongs into drugs.yaml"


# files that cannot be read


NOT_YAML = {
    "an open bracket": "roster: [a, b\nmqtt: 1\n",
    "a tab for a blank": "mqtt:\n\tport: 1\n",
    "a key twice": "instance: a\ninstance: b\n",
    "a control character": "instance: a\x07b\n",
    "a second document": "instance: a\n---\ninstance: b\n",
    "an alias of nothing": "instance: *nobody\n",
}


@pytest.mark.parametrize("what", NOT_YAML)
def test_what_is_not_yaml_is_told_with_its_place(what: str, folder: Path) -> None:
    (folder / "service.yaml").write_text(NOT_YAML[what], encoding="utf-8")
    problem = only_problem(folder)
    assert problem.file == str(folder / "service.yaml")
    assert problem.line >= 1
    assert problem.column >= 1
    assert problem.wrong.startswith("not YAML: ")
    assert "\n" not in problem.wrong


@pytest.mark.parametrize("text", ["", "just words\n", "- a\n- b\n", "42\n"])
def test_a_file_that_is_no_mapping_is_refused(text: str, folder: Path) -> None:
    (folder / "drugs.yaml").write_text(text, encoding="utf-8")
    assert only_problem(folder).wrong == "must be a mapping of keys to values"


def test_a_file_that_is_not_utf8_is_refused(folder: Path) -> None:
    (folder / "drugs.yaml").write_bytes(b"drugs: \xff\n")
    assert "cannot be read" in only_problem(folder).wrong


def test_a_missing_file_is_told(folder: Path) -> None:
    (folder / "rules.yaml").unlink()
    problem = only_problem(folder)
    assert problem.file == str(folder / "rules.yaml")
    assert "no such file" in problem.wrong


def test_a_folder_that_is_not_there_is_told_by_its_files(tmp_path: Path) -> None:
    assert {problem.file for problem in problems(tmp_path / "nowhere")} == {
        str(tmp_path / "nowhere" / name) for name in FILES
    }


# all at once


def test_every_problem_is_told_at_once(folder: Path) -> None:
    """Five things in three files, none hidden by another."""
    change(folder, "service.yaml", "port: 1883", "port: many")
    change(folder, "service.yaml", "level: info", "level: chatty")
    change(folder, "rules.yaml", "critical_mmhg: 55", "critical_mmhg: -1")
    change(folder, "rules.yaml", "    recovered_mmhg: 60", "    #")
    change(folder, "drugs.yaml", "charted_as: base", "charted_as: salt")
    assert {problem.key for problem in problems(folder)} == {
        "mqtt.port",
        "log.level",
        "rules.MAP-CRIT.critical_mmhg",
        "rules.MAP-CRIT.recovered_mmhg",
        "drugs.norepinephrine.charted_as",
    }


def test_a_file_that_cannot_be_read_hides_no_other(folder: Path) -> None:
    (folder / "rules.yaml").unlink()
    (folder / "drugs.yaml").write_text("drugs: [", encoding="utf-8")
    assert [Path(problem.file).name for problem in problems(folder)] == ["rules.yaml", "drugs.yaml"]


# overrides


def test_an_override_takes_the_place_of_what_stands_in_the_file(folder: Path) -> None:
    settings = load(
        folder, ["mqtt.port=1884", "roster=[icu-a/bed-1]", "log.level=debug", "mqtt.username=null"]
    )
    assert (settings.mqtt.port, settings.roster, settings.log.level) == (1884, ["icu-a/bed-1"], "debug")
    assert settings.mqtt.username is None


def test_the_last_of_several_overrides_counts(folder: Path) -> None:
    assert load(folder, ["mqtt.port=1", "mqtt.port=2"]).mqtt.port == 2


def test_an_override_mends_what_is_wrong_in_the_file(folder: Path) -> None:
    change(folder, "service.yaml", "port: 1883", "port: many")
    assert load(folder, ["mqtt.port=1884"]).mqtt.port == 1884


@pytest.mark.parametrize(
    ("override", "key", "told"),
    [
        ("mqtt.port=many", "mqtt.port", "valid integer"),
        ("mqtt.port=70000", "mqtt.port", "65535"),
        ("mqtt.port=", "mqtt.port", "valid integer"),
        ("mqtt.prot=1884", "mqtt.prot", "unknown key"),
        ("nothing=1", "nothing", "unknown key"),
        ("nowhere.port=1", "nowhere.port", "no such key"),
        ("mqtt.port.low=1", "mqtt.port.low", "no such key; the nearest that exists is `mqtt.port`"),
        ("rules.MAP-LOU.window_s=1", "rules.MAP-LOU.window_s", "the nearest that exists is `rules`"),
        ("roster=[bed-1]", "roster.0", "pattern"),
        ("roster=[", "roster", "not YAML"),
        ("mqtt.port=\x07", "mqtt.port", "not YAML"),
        ("mqtt.port", "", "must be key=value"),
        ("=1", "", "must be key=value"),
    ],
)
def test_a_wrong_override_is_told_as_it_was_given(folder: Path, override: str, key: str, told: str) -> None:
    problem = only_problem(folder, override)
    assert problem.file.startswith("--set ")
    assert problem.key == key
    assert told in problem.wrong


def test_every_wrong_override_is_told(folder: Path) -> None:
    """And what is wrong in the files as well."""
    change(folder, "service.yaml", "level: info", "level: chatty")
    found = problems(folder, "mqtt.port=many", "nowhere.port=1", "no-equals", "http.port=-1")
    assert {problem.key or problem.file for problem in found} == {
        "mqtt.port",
        "nowhere.port",
        "--set no-equals",
        "http.port",
        "log.level",
    }


def test_a_bed_named_twice_is_told_with_its_line(folder: Path) -> None:
    change(folder, "service.yaml", "roster: []", "roster:\n  - icu-a/bed-1\n  - icu-a/bed-1")
    problem = only_problem(folder)
    before = (folder / "service.yaml").read_text().partition("roster:")[0].count("\n")
    assert (problem.key, problem.line, problem.column) == ("roster.1", before + 3, 5)


# the command


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`streamproc check` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "streamproc", "check", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_check_answers_0_when_all_is_right() -> None:
    done = check()
    assert done.returncode == 0, done.stderr
    assert load().ruleset() in done.stdout
    assert done.stderr == ""


def test_check_answers_2_and_every_problem_when_not(folder: Path) -> None:
    change(folder, "service.yaml", "port: 1883", "port: many")
    change(folder, "rules.yaml", "critical_mmhg: 55", "critical_mmhg: -1")
    done = check("--config", str(folder))
    assert (done.returncode, done.stdout) == (2, "")
    told = done.stderr.splitlines()
    assert sorted(told) == sorted(map(str, problems(folder)))
    assert "Traceback" not in done.stderr


def test_check_answers_2_for_a_wrong_override() -> None:
    done = check("--set", "mqtt.port=many")
    assert done.returncode == 2
    assert done.stderr.startswith("--set mqtt.port: must be ")


@pytest.mark.parametrize("text", ["[" * 3_000, "? a: 1", "a: &a [*a, " + "[" * 2_000])
def test_what_the_yaml_library_stumbles_over_is_a_problem_too(folder: Path, text: str) -> None:
    (folder / "drugs.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"drugs\.yaml"):
        load(folder)
