"""Reads the configuration folder; a file that is not right is refused whole, every problem at once.

Each problem says file, line, column, key, what stands there and what would be right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from streamproc.config.agreement import Disagreement, disagreements
from streamproc.config.settings import DrugEntry, Settings

FILES = {
    "service.yaml": (
        "instance",
        "roster",
        "mqtt",
        "topics",
        "event_time",
        "clock",
        "limits",
        "state",
        "alerts",
        "http",
        "log",
    ),
    "rules.yaml": ("profiles", "terms", "pump_alarms", "rules"),
    "drugs.yaml": ("drugs", "diluents", "routes", "crystalloids", "rule_of_six"),
}
"""Which file holds which part of the tree."""

DEFAULT_DIR = Path(__file__).resolve().parents[2] / "config"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where it stands, and what would be right. Lines and columns from 1."""

    file: str
    line: int
    column: int
    key: str
    wrong: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        named = not self.key or place.removeprefix("--set ").partition("=")[0] == self.key
        return f"{place}: {self.wrong}" if named else f"{place}: {self.key}: {self.wrong}"


class ConfigError(Exception):
    """The configuration cannot be used; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def load(folder: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """The settings of a folder, with `key=value` overrides on top.

    Raises `ConfigError` with every problem found."""
    folder = folder or DEFAULT_DIR
    read = {name: _read(folder / name) for name in FILES}
    trees = {name: tree for name, tree in read.items() if isinstance(tree, CommentedMap)}
    problems = [problem for problem in read.values() if isinstance(problem, Problem)]
    problems += [problem for name, tree in trees.items() for problem in _foreign_keys(folder / name, tree)]
    merged: dict[str, Any] = {}
    for tree in trees.values():
        merged.update(_bare(tree))
    overridden, refused = _override(merged, overrides)
    problems += refused
    try:
        settings = Settings.model_validate(merged)
        problems += [_unlike(folder, trees, overridden, each) for each in disagreements(settings)]
    except ValidationError as error:
        if len(trees) == len(FILES):  # what an unreadable file holds is not missing besides
            problems += _wrong_values(folder, trees, overridden, error)
    if problems:
        raise ConfigError(problems)
    return settings


def _read(path: Path) -> CommentedMap | Problem:
    """A file's tree, or why there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Problem(str(path), 0, 0, "", "no such file; config/ has an example")
    except (OSError, UnicodeDecodeError) as error:
        return Problem(str(path), 0, 0, "", f"cannot be read: {error}")
    try:
        tree = YAML(typ="rt", pure=True).load(text)
    except YAMLError as error:
        line, column = _place(error, text)
        return Problem(str(path), line, column, "", _not_yaml(error))
    except (
        RecursionError,
        TypeError,
        ValueError,
    ) as error:  # of ruamel, where keys or nesting are out of reason
        return Problem(str(path), 1, 1, "", f"cannot be read: {error}; right would be a plain mapping")
    if not isinstance(tree, CommentedMap):
        return Problem(str(path), 1, 1, "", "must be a mapping of keys to values")
    return tree


def _place(error: YAMLError, text: str) -> tuple[int, int]:
    """Line and column (from 1) of what YAML cannot read."""
    if isinstance(error, ReaderError):
        before = text[: error.position]
        return before.count("\n") + 1, len(before) - before.rfind("\n")
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _not_yaml(error: YAMLError) -> str:
    told = error.reason if isinstance(error, ReaderError) else getattr(error, "problem", None)
    return f"not YAML: {(told or 'cannot be parsed').splitlines()[0]}"


def _foreign_keys(path: Path, tree: CommentedMap) -> list[Problem]:
    """Keys that another file holds, or none."""
    return [
        Problem(str(path), *_position(tree, (key,)), str(key), _where_it_belongs(str(key), path.name))
        for key in tree
        if key not in FILES[path.name]
    ]


def _where_it_belongs(key: str, file: str) -> str:
    home = next((name for name, keys in FILES.items() if key in keys), None)
    if home is not None:
        return f"belongs into {home}"
    return f"unknown key; {file} takes {', '.join(FILES[file])}"


def _bare(node: Any) -> Any:
    """Plain dicts, lists and scalars, without ruamel's position-keeping types."""
    if isinstance(node, Mapping):
        return {str(key): _bare(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_bare(value) for value in node]
    for plain in (bool, int, float, str):
        if isinstance(node, plain):
            return plain(node)
    return node


def _override(tree: dict[str, Any], overrides: Sequence[str]) -> tuple[list[str], list[Problem]]:
    """Put each `a.b.c=value` in place (values are YAML); the paths that were set, and what could not be."""
    paths, problems = [], []
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path:
            problems.append(Problem(f"--set {override}", 0, 0, "", "must be key=value, as mqtt.port=1884"))
        elif (wrong := _put(tree, path.split("."), text)) is not None:
            problems.append(Problem(f"--set {override}", 0, 0, path, wrong))
        else:
            paths.append(path)
    return paths, problems


def _put(tree: dict[str, Any], keys: Sequence[str], text: str) -> str | None:
    """Put a value in its place; what is wrong with it, or None."""
    *parents, last = keys
    node: Any = tree
    for key in parents:
        node = node.get(key) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        return f"no such key; the nearest that exists is `{_nearest(tree, parents)}`"
    try:
        node[last] = _bare(YAML(typ="safe", pure=True).load(text))
    except YAMLError as error:
        return _not_yaml(error)
    return None


def _nearest(tree: dict[str, Any], keys: Sequence[str]) -> str:
    found = []
    node: Any = tree
    for key in keys:
        if not isinstance(node, dict) or key not in node:
            break
        found.append(key)
        node = node[key]
    return ".".join(found) or "(the top)"


def _wrong_values(
    folder: Path, trees: Mapping[str, CommentedMap], overridden: Sequence[str], error: ValidationError
) -> list[Problem]:
    """What the settings refuse, but for sections that are told as foreign to their file already."""
    return [
        _problem(folder, trees, overridden, each)
        for each in error.errors()
        if each["type"] != "extra_forbidden" or len(each["loc"]) > 1 or each["loc"][0] in overridden
    ]


def _problem(
    folder: Path, trees: Mapping[str, CommentedMap], overridden: Sequence[str], error: Any
) -> Problem:
    return _placed(folder, trees, overridden, tuple(error["loc"]), _wrong(error))


def _unlike(
    folder: Path, trees: Mapping[str, CommentedMap], overridden: Sequence[str], each: Disagreement
) -> Problem:
    path = [int(part) if part.isdecimal() else part for part in each.key.split(".")]
    return _placed(folder, trees, overridden, path, each.wrong)


def _placed(
    folder: Path,
    trees: Mapping[str, CommentedMap],
    overridden: Sequence[str],
    path: Sequence[Any],
    wrong: str,
) -> Problem:
    """Where what is wrong was set: by `--set`, or at its place in a file."""
    key = ".".join(map(str, path))
    set_by = next((each for each in overridden if key == each or key.startswith(each + ".")), None)
    if set_by is not None:
        return Problem(f"--set {set_by}", 0, 0, key, wrong)
    file = next((name for name, keys in FILES.items() if path and path[0] in keys), None)
    if file is None:
        return Problem(str(folder), 0, 0, key, wrong)
    return Problem(str(folder / file), *_position(trees[file], path), key, wrong)


def _wrong(error: Any) -> str:
    kind, value = error["type"], error.get("input")
    if kind == "missing":
        return "is missing; it must be given"
    if kind == "extra_forbidden":
        return f"unknown key; right would be one of {', '.join(_known_keys(error['loc'][:-1]))}"
    told = error["msg"].replace("Input should be", "must be").removeprefix("Value error, ")
    return told if isinstance(value, dict | list) else f"{told}; it is {value!r}"


def _known_keys(path: Sequence[Any]) -> list[str]:
    """The keys that the settings know at a place."""
    section: Any = Settings
    for key in path:
        fields = section.model_fields
        match = next((f for name, f in fields.items() if key in (name, f.alias)), None)
        annotation = DrugEntry if match is None else match.annotation
        section = annotation if hasattr(annotation, "model_fields") else section
    return [field.alias or name for name, field in section.model_fields.items()]


def _position(tree: CommentedMap, path: Sequence[Any]) -> tuple[int, int]:
    """Line and column (from 1) of the deepest part of the path that stands in the file."""
    node: Any = tree
    line, column = 0, 0
    for key in path:
        if isinstance(node, CommentedMap) and key in node:
            line, column = node.lc.key(key)
        elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
            line, column = node.lc.item(key)
        else:
            break
        node = node[key]
    return line + 1, column + 1
