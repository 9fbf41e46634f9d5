"""Strict and total loading of environment files: an `Environment`, or every problem the file has (SPEC E2)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.environment import document, rules
from engine.environment.kinds import BadValue, Kind, ListOf, MapOf, Scalar, TableOf, keys
from engine.environment.model import Environment, environment_id
from engine.environment.problem import KeyPath, Problem, Report
from engine.environment.values import shown, type_name
from engine.errors import EnvironmentInvalid


def load(path: Path) -> Environment:
    """The environment a file describes.

    Raises:
        EnvironmentInvalid: the file cannot be used; its `problems` are all that was found.
    """
    environment, problems = read(path)
    if environment is None:
        raise _invalid(path, problems)
    return environment


def check(path: Path) -> list[Problem]:
    """Every problem of a file, warnings included; empty when there is none."""
    return read(path)[1]


def read(path: Path) -> tuple[Environment | None, list[Problem]]:
    """The environment of a file, None when it has errors, and all its problems."""
    try:
        data = document.read_bytes(path)
    except BadValue as error:
        return None, [Problem(str(path), None, "", error.message, error.hint)]
    return parse(data, path)


def parse(data: bytes, path: Path) -> tuple[Environment | None, list[Problem]]:
    """As `read`, of content that need not be stored yet; `path` is where it is or will be."""
    path = Path(os.path.normpath(path.absolute()))
    report = Report(path)
    try:
        raw, report.lines = document.parse(data)
    except document.NotToml as error:
        report.add_at(error.line, "", error.message, error.hint)
        return None, report.problems
    values = _section(Environment, raw, (), report)
    # Keys with problems stand at their default here, so that all other rules are checked in the same run.
    name = values.pop("name", "")
    environment = Environment(
        id=environment_id(name, path),
        path=path,
        source_text_sha256=hashlib.sha256(data).hexdigest(),
        name=name,
        **values,
    )
    environment = rules.apply(environment, raw, report)
    return (None if report.failed else environment), _sorted(report.problems)


def _sorted(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.line or 0)


def _invalid(path: Path, problems: list[Problem]) -> EnvironmentInvalid:
    errors = [problem for problem in problems if problem.severity == "error"]
    if len(errors) == 1:
        return EnvironmentInvalid(f"{path}: {errors[0]}", errors[0].hint, tuple(problems))
    listed = "".join(f"\n  {problem}" for problem in errors[:10])
    rest = f"\n  and {len(errors) - 10} more" if len(errors) > 10 else ""
    return EnvironmentInvalid(
        f"{path} has {len(errors)} problems:{listed}{rest}", f"`fumehood env check {path}` says more", tuple(problems)
    )


def _section(section: type, raw: Mapping[str, object], at: KeyPath, report: Report) -> dict[str, Any]:
    """The values of a table under their field names; those left out keep their default."""
    known = keys(section)
    values = {}
    for name, value in raw.items():
        if report.full:
            break
        if name not in known:
            report.add((*at, name), "unknown key", _suggestion(name, known))
            continue
        try:
            values[name] = _value(known[name].kind, value, (*at, name), report)
        except BadValue as error:
            report.add((*at, name), error.message, error.hint)
    for name, entry in known.items():
        if entry.required and name not in raw:
            report.add((*at, name), "is missing", f"add {name} = {shown(entry.example)}")
    return values


def _value(kind: Kind, value: object, at: KeyPath, report: Report) -> Any:
    match kind:
        case Scalar():
            return kind.parse(value)
        case ListOf():
            return _list(kind, value, at, report)
        case TableOf():
            return kind.section(**_section(kind.section, _table(value, kind.hint), at, report))
        case MapOf():
            return _map(kind, _table(value, ""), at, report)


def _table(value: object, hint: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BadValue(f"must be a table, not {type_name(value)}", hint)
    return value


def _list(kind: ListOf, value: object, at: KeyPath, report: Report) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise BadValue(f"must be an array, not {type_name(value)}", "put it in [ ]")
    if kind.some and not value:
        raise BadValue("must not be empty", "remove the key, or list at least one value")
    items = []
    for number, item in enumerate(value):
        try:
            items.append(kind.item.parse(item))
        except BadValue as error:
            report.add((*at, f"[{number}]"), error.message, error.hint)
    return tuple(items)


def _map(kind: MapOf, raw: Mapping[str, object], at: KeyPath, report: Report) -> dict[str, Any]:
    values = {}
    for name, value in raw.items():
        try:
            values[kind.name.parse(name)] = _value(kind.value, value, (*at, name), report)
        except BadValue as error:
            report.add((*at, name), error.message, error.hint)
    return values


def _suggestion(name: str, known: Iterable[str]) -> str:
    if len(name) <= 40:
        import difflib

        close = difflib.get_close_matches(name.lower(), list(known), n=1)
        if close:
            return f"did you mean {close[0]}?"
    return f"known keys here: {', '.join(known)}"
