"""Write docs/commands.md, settings.md, errors.md and infra/settings.env.example from the code, the encoders of
docs/model-choice.md from the registry, and the tables of docs/results.md from what was measured.

    python docs/make.py            # write the pages
    python docs/make.py --check    # exit 1 if a page is not current

The pages depend on the code alone: not on the width of the terminal, on environment variables or on a `.env` file.
Pages written by hand are not touched, nor what is outside the markers of docs/results.md.
"""

from __future__ import annotations

import argparse
import enum
import inspect
import json
import re
import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer.main
from pydantic import SecretStr
from pydantic_core import PydanticUndefined
from typer.models import ArgumentInfo, OptionInfo

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # benchmarks/ is in the repository only, not installed
from imagerag_assets.cli._examples import EXAMPLES

MADE = "<!-- Made by `make docs`. Do not edit: change the code and run it again. -->"
SETTINGS_ENV = HERE.parent / "infra" / "settings.env.example"
WIRED = {
    **dict.fromkeys(("dask_scheduler", "milvus_token", "milvus_uri", "s3_endpoint_url", "store"), "infra/.env"),
    **dict.fromkeys(("serve_hosts", "serve_read_token", "serve_token", "ui_hosts", "ui_token"), "infra/.env"),
    "home": "the image",
}
"""Settings that the deployment gives from elsewhere, which wins over settings.env."""
COMMON = ("--json", "--debug")
PLURALS = {str: "names", float: "numbers", int: "integers", Path: "paths"}


def pages() -> dict[Path, str]:
    """Return the text of each made page by its path."""
    from docs import scale_model
    from docs.encoder_table import filled
    from docs.error_list import errors_page

    made = {
        "commands.md": commands_page(),
        "settings.md": settings_page(),
        "errors.md": errors_page(MADE),
        "model-choice.md": filled((HERE / "model-choice.md").read_text(encoding="utf-8")),
        "results.md": results_page(),
        "scale.md": scale_model.filled((HERE / "scale.md").read_text(encoding="utf-8")),
    }
    return {HERE / name: text for name, text in made.items()} | {SETTINGS_ENV: settings_env()}


def results_page() -> str:
    """Return docs/results.md with the tables that benchmarks/results gives; the text around them stays as it is."""
    from benchmarks.record import read_records
    from benchmarks.tables import fill

    return fill((HERE / "results.md").read_text(encoding="utf-8"), read_records())


def commands_page() -> str:
    """Return docs/commands.md."""
    from imagerag_assets.cli.app import app

    commands = list(_walk(typer.main.get_command(app), "imagerag"))
    if unknown := set(EXAMPLES) - {name for name, _ in commands}:
        raise ValueError(f"examples of commands that do not exist: {', '.join(sorted(unknown))}")
    lines = [
        "# Commands",
        MADE,
        "Run `imagerag COMMAND --help` for the same text in the terminal. If `imagerag` is not on your path, use\n"
        "`.venv/bin/imagerag`. The settings that commands read are in [settings.md](settings.md).",
        _table(
            ("command", "what it does"),
            [(f"[`{name}`](#{_anchor(name)})", _summary(command)) for name, command in commands],
        ),
        "## Output and exit codes",
        "Every command prints tables, or with `--json` exactly one JSON document on standard output. Progress and\n"
        "errors go to standard error. An error is one line that says what is wrong and how to fix it. Ids and paths\n"
        "are never broken: what does not fit the terminal as a table is a list. Ctrl-C ends every command.",
        "`imagerag --install-completion` lets the shell complete names of commands, options, scenes, answers,\n"
        "encoders, watched sources and standing questions. `--help-all` also shows options that are for research.",
        _table(("exit code", "meaning"), _exit_codes()),
        "Every command takes these options, before or after its name:",
        _table(("option", "meaning"), [(_spelled(each), _cell(each.info.help)) for each in _common(commands)]),
    ]
    for name, command in commands:
        lines.extend(_command(name, command))
    return _joined(lines)


def settings_page() -> str:
    """Return docs/settings.md."""
    from imagerag_assets.settings import Settings

    prefix = Settings.model_config.get("env_prefix", "")
    lines = [
        "# Settings",
        MADE,
        "Set each one as an environment variable or as a line of a `.env` file in the working directory. Environment\n"
        "variables win over `.env`. An empty value counts as not set. Lists are JSON, for example\n"
        "`IMAGERAG_ASSET_KEYS='[\"visual\"]'`. `HOME` below is the value of `IMAGERAG_HOME`.",
        "Credentials are not settings: S3 keys come from the `AWS_*` variables or `~/.aws`, and the key of a model\n"
        "server from `OPENAI_API_KEY`.",
    ]
    for title, names in _sections(Settings):
        rows = []
        for name in names:
            field = Settings.model_fields[name]
            default, meaning = _default_and_meaning(_default(field), field.description)
            rows.append((f"`{prefix}{name.upper()}`", default, _values(field), meaning))
        lines += [f"## {title}", _table(("variable", "default", "values", "meaning"), rows)]
    return _joined(lines)


def settings_env() -> str:
    """Return infra/settings.env.example: every setting as a commented line with its default and its meaning."""
    from imagerag_assets.settings import Settings

    lines = [
        "# Every setting of the program, as the containers read it: copy to infra/settings.env and take the # off",
        "# the lines that you change. Lists are JSON, without quotes around them. Made by `make docs`; do not edit.",
    ]
    for title, names in _sections(Settings):
        lines += ["", f"## {title}"]
        for name in names:
            field = Settings.model_fields[name]
            default, meaning = _default_and_meaning(_default(field), field.description)
            variable = f"{Settings.model_config['env_prefix']}{name.upper()}"
            if name in WIRED:
                lines.append(f"# {variable} comes from {WIRED[name]}")
                continue
            said = meaning.replace("\\|", "|").replace("`", "").rstrip(".")
            value = default.strip("`") if default.startswith("`") else ""
            if value.startswith("["):
                value = json.dumps(field.default)
            where = f" ({default})" if default and not value else ""
            lines += [f"# {said}; {_values(field).replace('`', '')}{where}", f"#{variable}={value}"]
    return "\n".join(lines) + "\n"


# The command line


@dataclass(frozen=True)
class Parameter:
    """One argument or option of a command, as its function's signature declares it."""

    name: str
    """Of the function's parameter."""
    kind: Any
    """Its annotation without None."""
    info: ArgumentInfo | OptionInfo
    default: Any
    """``inspect.Parameter.empty``: it is required."""

    @property
    def is_argument(self) -> bool:
        return isinstance(self.info, ArgumentInfo)

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    @property
    def is_flag(self) -> bool:
        return self.kind is bool

    @property
    def multiple(self) -> bool:
        return get_origin(self.kind) in (list, tuple)

    @property
    def spellings(self) -> tuple[str, ...]:
        """The option's names; a switch that can be turned on and off has both."""
        # Inside Annotated, typer takes the first name for the default.
        first = [self.info.default] if isinstance(self.info.default, str) else []
        if declared := [*first, *(self.info.param_decls or ())]:
            return tuple(declared)
        dashed = self.name.replace("_", "-")
        return (f"--{dashed} / --no-{dashed}",) if self.is_flag else (f"--{dashed}",)


def _parameters(command: Any) -> list[Parameter]:
    function = inspect.unwrap(command.callback)
    hints = get_type_hints(function, include_extras=True)
    found = []
    for name, each in inspect.signature(function).parameters.items():
        if get_origin(hints[name]) is not Annotated:
            continue
        kind, *extras = get_args(hints[name])
        info = next((extra for extra in extras if isinstance(extra, (ArgumentInfo, OptionInfo))), None)
        if info is not None and not info.hidden:
            found.append(Parameter(name, _not_none(kind), info, each.default))
    return found


def _not_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        return next(each for each in get_args(kind) if each is not type(None))
    return kind


def _walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield each command that does something of its own with the words that call it, by name."""
    for name, child in sorted(getattr(command, "commands", {}).items()):
        if child.hidden:
            continue
        called = f"{path} {name}"
        if not getattr(child, "commands", None) or "need_subcommand" not in _names_used(child):
            yield called, child
        yield from _walk(child, called)


def _names_used(command: Any) -> tuple[str, ...]:
    """Return the global names and attributes that the function of a command uses."""
    function = inspect.unwrap(command.callback)
    return function.__code__.co_names if isinstance(function, types.FunctionType) else ()


def _exit_codes() -> list[tuple[str, str]]:
    from imagerag_assets.cli import _command as codes

    return [
        (str(codes.DONE), "Done."),
        (str(codes.FAILED), "Something other than your input failed: a server, a file system, a check, or a bug."),
        (str(codes.USAGE), "The command or its input cannot be used. Nothing was done."),
        (str(codes.SOME_FAILED), "Some scenes or questions failed; the rest is done."),
        (str(codes.INTERRUPTED), "You interrupted the command."),
    ]


def _command(name: str, command: Any) -> Iterator[str]:
    """Yield the section of one command."""
    parameters = [each for each in _parameters(command) if not _is_common(each)]
    arguments = [each for each in parameters if each.is_argument]
    options = [each for each in parameters if not each.is_argument]
    yield f"## {name}"
    yield inspect.cleandoc(command.help or "")
    words = [name, *(["[OPTIONS]"] if options else []), *map(_argument, arguments)]
    yield f"```sh\n{' '.join(words)}\n```"
    if arguments:
        yield _table(("argument", "meaning"), [(f"`{_metavar(each)}`", _cell(each.info.help)) for each in arguments])
    if options:
        rows = [(_spelled(each), *_default_and_meaning(_option_default(each), each.info.help)) for each in options]
        yield _table(("option", "default", "meaning"), rows)
    if name in EXAMPLES:
        yield "\n".join(["```sh", *_examples(name, parameters), "```"])
    if "SOME_FAILED" in _names_used(command):
        yield "Exits with 3 if a part fails and the rest is done."


def _examples(name: str, parameters: Sequence[Parameter]) -> tuple[str, ...]:
    """Return the examples of a command.

    Raises:
        ValueError: an example uses an option that the command does not have.
    """
    known = {spelling for each in parameters for spelling in each.spellings} | set(COMMON)
    for example in EXAMPLES[name]:
        used = set(re.findall(r"--[a-z][a-z-]*", example.partition(" #")[0]))
        if not example.startswith(name) or not used <= known:
            raise ValueError(f"not a use of {name}: {example}")
    return EXAMPLES[name]


def _common(commands: Sequence[tuple[str, Any]]) -> list[Parameter]:
    """Return the options that every command has, once each."""
    return [each for each in _parameters(commands[0][1]) if _is_common(each)]


def _is_common(parameter: Parameter) -> bool:
    return not parameter.is_argument and any(name in COMMON for name in parameter.spellings)


def _summary(command: Any) -> str:
    """Return the first paragraph of a command's help."""
    return _cell(inspect.cleandoc(command.help or "").partition("\n\n")[0])


def _metavar(parameter: Parameter) -> str:
    """Return how an argument or the value of an option is called."""
    if parameter.info.metavar:
        return str(parameter.info.metavar)
    if parameter.is_argument:
        return parameter.name.upper()
    kind = get_args(parameter.kind)[0] if parameter.multiple else parameter.kind
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "|".join(str(each.value) for each in kind)
    if get_origin(kind) is Literal:
        return "|".join(str(each) for each in get_args(kind))
    return {int: "N", float: "X", Path: "PATH"}.get(kind, "TEXT")


def _argument(parameter: Parameter) -> str:
    name = _metavar(parameter) + ("..." if parameter.multiple else "")
    return name if parameter.required else f"[{name}]"


def _spelled(parameter: Parameter) -> str:
    """Return an option with its value, as code, and its bounds."""
    names = ", ".join(parameter.spellings)
    if parameter.is_flag:
        return f"`{names}`"
    low, high = parameter.info.min, parameter.info.max
    bounds = ""
    if low is not None:
        bounds = f" (at least {low:g})" if high is None else f" ({low:g} to {high:g})"
    return f"`{names} {_escaped(_metavar(parameter))}`{bounds}"


def _option_default(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    value = parameter.default.value if isinstance(parameter.default, enum.Enum) else parameter.default
    return "" if parameter.is_flag or value in (None, "", (), []) else f"`{value}`"


# The settings


def _sections(settings: Any) -> list[tuple[str, list[str]]]:
    """Group the fields by the comment above them, such as ``# Where state lives``, in the order of the source."""
    sections: list[tuple[str, list[str]]] = []
    for line in inspect.getsource(settings).splitlines():
        if heading := re.fullmatch(r"    # (.+)", line):
            sections.append((heading[1].rstrip("."), []))
        elif (field := re.match(r"    (\w+): ", line)) and field[1] in settings.model_fields:
            if not sections:
                sections.append(("General", []))
            sections[-1][1].append(field[1])
    listed = [name for _, names in sections for name in names]
    missing = [name for name in settings.model_fields if name not in listed]
    if missing:
        sections.append(("Others", missing))
    return [(title, names) for title, names in sections if names]


def _default(field: Any) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required" if field.default_factory is None else ""
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value.as_posix() if isinstance(value, Path) else value}`"


def _values(field: Any) -> str:
    """Return which values a setting takes, in words."""
    return f"{_type(field.annotation)}{_bounds(field.metadata)}"


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(each) for each in get_args(annotation) if each is not type(None))
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in get_args(annotation))
    if origin is Annotated:
        inner, *fields = get_args(annotation)
        return f"{_type(inner)}{_bounds(bound for field in fields for bound in field.metadata)}"
    if origin in (tuple, list):
        inner = get_args(annotation)
        if inner and inner[-1] is not Ellipsis and origin is tuple:
            return f"list of {len(inner)} {PLURALS.get(inner[0], _type(inner[0]))}"
        return f"list of {PLURALS.get(inner[0], _type(inner[0]))}"
    named = {bool: "`true` or `false`", int: "integer", float: "number", str: "text", SecretStr: "text", Path: "path"}
    return named.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _bounds(metadata: Iterable[Any]) -> str:
    """Return the bounds of a number in words, such as `` from 0 to 1``."""
    words = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
    found = {name: getattr(each, name) for each in metadata for name in words if getattr(each, name, None) is not None}
    return "".join(f" {words[name]} {found[name]:g}" for name in words if name in found)


# Markdown


def _default_and_meaning(default: str, text: str | None) -> tuple[str, str]:
    """Move a default that the text says in words, as in ``...; default: the setting``, to the column of defaults."""
    meaning = _cell(text)
    if default or (said := re.fullmatch(r"(.+?)[;,] default:? (.+?)(\.?)", meaning)) is None:
        return default, meaning
    return said[2], said[1] + said[3]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _cell(text: str | None) -> str:
    return _escaped(" ".join(inspect.cleandoc(text or "").split()))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _joined(blocks: Iterable[str]) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the pages; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is not current")
    check = parser.parse_args(arguments).check
    old = [path for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in old:
        if check:
            print(f"{path.relative_to(HERE.parent)} is not current. Run: make docs", file=sys.stderr)
        else:
            path.write_text(pages()[path], encoding="utf-8")
            print(f"wrote {path.relative_to(HERE.parent)}")
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main())
