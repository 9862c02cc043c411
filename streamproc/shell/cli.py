"""The command line: arguments in, exit codes out; everything else is done elsewhere.

Exit 2: the command or the configuration is wrong, and the message says what would be right. What only one
command needs it loads itself: a replay does not wait for the broker's and the page's parts.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import structlog
import typer

from streamproc import __version__
from streamproc.config import ConfigError, Settings, load
from streamproc.config.settings import CLINICAL
from streamproc.shell.apart import UNREADABLE, replayed, replayed_apart
from streamproc.shell.catalogue import as_markdown, as_text
from streamproc.shell.explain import Past, Unexplained, explain_alert, explain_rule
from streamproc.shell.log import set_up
from streamproc.shell.mixing import NotMixed, rule_of_six
from streamproc.shell.relive import journal_at
from streamproc.shell.tally import Tally
from streamproc.wire.instant import instant_ms
from streamproc.wire.rejected import Refused

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Bedside event-stream processor. Research and secondary notification: not a medical device.",
)

Config = Annotated[
    Path | None, typer.Option("--config", help="folder with service.yaml, rules.yaml, drugs.yaml")
]
Set = Annotated[list[str] | None, typer.Option("--set", help="override a key: mqtt.port=1884; repeatable")]

_log = structlog.stdlib.get_logger()


def _settings(config: Path | None, overrides: Sequence[str] | None) -> Settings:
    try:
        return load(config, overrides or ())
    except ConfigError as error:
        _complain(str(error))
        raise typer.Exit(2) from None


def _complain(text: str) -> None:
    typer.echo(text, err=True)


@app.command()
def run(config: Config = None, set_: Set = None) -> None:
    """The service: from the broker to the feed, until SIGTERM or SIGINT."""
    from streamproc.shell.lifetime import STOPPED_FOR_GOOD, serve

    settings = _settings(config, set_)
    set_up(settings.log.level, settings.log.format)
    try:
        asyncio.run(serve(settings, lambda: load(config, set_ or ()), staying(set_ or ())))
    except STOPPED_FOR_GOOD as error:
        _log.critical("service_failed", why=type(error).__name__, detail=str(error))
        raise typer.Exit(1) from None


def staying(overrides: Sequence[str]) -> list[str]:
    """What was set on the command line of that which may change in a file while the service runs."""
    paths = [override.partition("=")[0] for override in overrides]
    return [path for path in paths if path.partition(".")[0] in CLINICAL]


@app.command()
def demo(
    beds: Annotated[int, typer.Option(min=1, max=200, help="simulated beds")] = 8,
    speed: Annotated[float, typer.Option(min=1, max=600, help="times real time")] = 60.0,
    seconds: Annotated[float | None, typer.Option(min=1, help="end by itself after so long")] = None,
    seed: Annotated[int, typer.Option(help="the simulators' seed")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="HTTP port; 0 takes a free one")] = 0,
) -> None:
    """Embedded broker, simulated beds and the service in one, with the alerts on the terminal."""
    from streamproc.shell.demo import Demonstration, demonstrate

    raise typer.Exit(demonstrate(Demonstration(beds, speed, seconds, seed, port)))


@app.command()
def replay(
    files: Annotated[
        list[str],
        typer.Argument(help="recorded lines (.gz, .zst too), or a state folder; - is standard input"),
    ],
    config: Config = None,
    set_: Set = None,
    until: Annotated[str | None, typer.Option(help="go on to this time, RFC 3339 with Z")] = None,
    what_if: Annotated[
        bool, typer.Option(help="judge by the configuration given, whatever a journal was judged by")
    ] = False,
    each: Annotated[
        bool, typer.Option("--each", help="every file is a ward of its own; all cores take part")
    ] = False,
) -> None:
    """Recorded telemetry in, alert events out, byte for byte the same each time."""
    settings = _settings(config, set_)
    set_up(settings.log.level, settings.log.format)
    tally = Tally()
    try:
        until_ms = None if until is None else instant_ms(until, "--until")
        if each:
            lines = replayed_apart(files, (config, tuple(set_ or ())), until_ms, not what_if, tally)
        else:
            lines = replayed(files, settings, until_ms, not what_if, tally)
        for line in lines:
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    except (Refused, *UNREADABLE) as error:
        sys.stdout.buffer.flush()
        _complain(str(error))
        raise typer.Exit(2) from None
    rejected = {reason.value: number for reason, number in sorted(tally.rejected.items())}
    counts = {taken.value: number for taken, number in sorted(tally.taken.items())}
    _log.info("replay_ended", received=tally.received.total(), **counts, rejected=rejected)


@app.command()
def record(
    file: Annotated[str, typer.Argument(help="where to; .gz and .zst are compressed, - is standard output")],
    config: Config = None,
    set_: Set = None,
) -> None:
    """Write down what arrives on the broker, as lines that `replay` reads, until SIGTERM or SIGINT."""
    from streamproc.shell.lifetime import STOPPED_FOR_GOOD
    from streamproc.shell.record import record_to

    settings = _settings(config, set_)
    set_up(settings.log.level, settings.log.format)
    try:
        asyncio.run(record_to(file, settings))
    except (*STOPPED_FOR_GOOD, OSError) as error:
        _complain(f"{file}: {error}")
        raise typer.Exit(1) from None


@app.command()
def check(config: Config = None, set_: Set = None) -> None:
    """Check the configuration: exit 0, or 2 with file, line, column, key and what would be right."""
    settings = _settings(config, set_)
    typer.echo(f"configuration is right; ruleset {settings.ruleset()}, {len(settings.core_rules())} rules on")


@app.command()
def rules(
    format_: Annotated[Literal["text", "md"], typer.Option("--format", help="text or md")] = "text",
    config: Config = None,
    set_: Set = None,
) -> None:
    """The rule catalogue: sentences, numbers in force, citations, and the source's contradictions."""
    settings = _settings(config, set_)
    typer.echo(as_markdown(settings) if format_ == "md" else as_text(settings), nl=False)


@app.command(name="rule-of-six")
def rule_of_six_(
    weight_kg: Annotated[float, typer.Option("--weight", help="the child's weight, kg")],
    config: Config = None,
    set_: Set = None,
) -> None:
    """A child's norepinephrine mix by weight; computed for whoever mixes it, never assumed."""
    try:
        typer.echo(rule_of_six(_settings(config, set_), weight_kg))
    except NotMixed as error:
        _complain(str(error))
        raise typer.Exit(2) from None


@app.command()
def explain(
    what: Annotated[
        list[str] | None, typer.Argument(help="ALERT_ID (unless --bed and --rule say it), then recordings")
    ] = None,
    bed: Annotated[str | None, typer.Option(help="unit/bed")] = None,
    rule: Annotated[str | None, typer.Option(help="a rule's id")] = None,
    at: Annotated[str | None, typer.Option(help="event time, RFC 3339 with Z; else the end")] = None,
    state: Annotated[Path | None, typer.Option(help="a service's state folder, running or not")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Why this alert, or why and why not a rule on a bed at a time, with the evidence."""
    settings = _settings(config, set_)
    set_up(settings.log.level, settings.log.format)
    words = list(what or [])
    try:
        at_ms = None if at is None else instant_ms(at, "--at")
        if bed is not None and rule is not None:
            typer.echo(explain_rule(_past(settings, words, state), bed, rule, at_ms))
        elif words and bed is None and rule is None and at is None:
            typer.echo(explain_alert(_past(settings, words[1:], state), words[0]))
        else:
            raise Unexplained("say which: ALERT_ID, or --bed unit/bed --rule ID [--at TIME]")
    except (Unexplained, Refused, OSError, *UNREADABLE) as error:
        _complain(str(error))
        raise typer.Exit(2) from None


def _past(settings: Settings, files: Sequence[str], state: Path | None) -> Past:
    if bool(files) == (state is not None):
        raise Unexplained("say where from: either recordings, or --state with a service's state folder")
    if any(journal_at(file) for file in files):
        raise Unexplained("a state folder is named with --state")
    return Past(settings, files, state)


@app.callback(invoke_without_command=True)
def _version(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
