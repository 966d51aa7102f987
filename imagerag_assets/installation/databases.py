"""Secrets in SQLite databases, which are Dagster's: runs, events, ticks, tags and snapshots.

Nothing is known of the tables: every text of every row is looked at, and compressed ones, which snapshots are.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from imagerag_assets.errors import StoreError
from imagerag_assets.installation.differences import Difference
from imagerag_assets.installation.without_secrets import clean_text, long_secrets

_WAIT_S = 5.0
_MAGIC = b"SQLite format 3\x00"
Row = tuple[str, int, dict[str, object]]
"""Table, number of the row, and its columns that change."""


def secrets_in_database(path: Path, name: str) -> Iterator[Difference]:
    """Yield one difference for each table of a database with secrets in it.

    Args:
        path: The file; one that is no database is passed over.
        name: What the difference is called.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return
        with closing(_opened(path)) as database:
            found: dict[str, int] = {}
            for table, _, _ in _rows(database):
                found[table] = found.get(table, 0) + 1
    except (sqlite3.Error, OSError) as error:
        yield Difference("secret", name, f"the database cannot be read ({error})", "Stop what uses it, and look again")
        return
    if found:
        tables = ", ".join(f"{count} in {table}" for table, count in sorted(found.items()))
        detail = f"rows hold a password, a signature or a key: {tables}"
        yield Difference("secret", name, detail, "takes it out of them", partial(_mend, path))


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)


def _rows(database: sqlite3.Connection) -> Iterator[Row]:
    secrets = long_secrets()
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        if table.startswith("sqlite_"):
            continue
        try:
            cursor = database.execute(f"SELECT rowid, * FROM {_quoted(table)}")  # nosec B608 # quoted
        except sqlite3.OperationalError:  # a table without row numbers; Dagster has none
            continue
        columns = [each[0] for each in cursor.description][1:]
        for number, *values in cursor:
            changed = {
                column: clean
                for column, value in zip(columns, values, strict=True)
                if (clean := _clean(value, secrets)) != value
            }
            if changed:
                yield table, number, changed


def _clean(value: object, secrets: tuple[str, ...]) -> object:
    if isinstance(value, str):
        return clean_text(value, secrets)
    if isinstance(value, bytes) and value[:1] == b"\x78":
        try:
            text = zlib.decompress(value).decode("utf-8")
        except (zlib.error, UnicodeDecodeError):
            return value
        clean = clean_text(text, secrets)
        return value if clean == text else zlib.compress(clean.encode("utf-8"))
    return value


def _mend(path: Path) -> str:
    """Change the rows in one transaction, and leave nothing of them in free pages or in the log of writes."""
    try:
        with closing(_opened(path)) as database:
            database.execute("PRAGMA secure_delete = ON")
            database.execute("BEGIN IMMEDIATE")
            changed = list(_rows(database))
            for table, number, columns in changed:
                setting = ", ".join(f"{_quoted(column)} = ?" for column in columns)
                statement = f"UPDATE {_quoted(table)} SET {setting} WHERE rowid = ?"  # nosec B608 # quoted
                database.execute(statement, (*columns.values(), number))
            database.execute("COMMIT")
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise StoreError(
            f"The database {path.name} cannot be changed: {error}", fix="Stop `imagerag dev` and all runs, and repair"
        ) from None
    return f"taken out of {len(changed)} rows"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
