"""Which files a job may open that its launchpad names, as whoever reaches the UI may have written them.

They are held to IMAGERAG_JOB_ROOTS, by default the folder in which Dagster works, with links followed.  Addresses are
held to what a document of this machine may name (`objects.boundary`).  A person's command opens what it is given: its
runner replaces the resource.  What documents name in turn is not looked at here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

import dagster as dg

from imagerag_assets.errors import InputError
from imagerag_assets.json_text import read_json
from imagerag_assets.objects.addresses import absolute_href, is_remote, local_path
from imagerag_assets.objects.boundary import check
from imagerag_assets.objects.local_files import open_file
from imagerag_assets.settings import Settings

JOB_PATHS = "job_paths"
_ANSWERS = ".jsonl"
_FIX = "Add its folder to IMAGERAG_JOB_ROOTS, or use the command line, which opens any file"


@dataclass(frozen=True)
class JobPaths:
    """Checks the paths and addresses in the configuration of a job."""

    free: bool = False
    """Whether a person gave them to a command: then all are allowed."""

    def check_address(self, address: str, settings: Settings) -> None:
        """Refuse a source that is neither in a root nor an address that may be read.

        Raises:
            InputError: it is refused.
        """
        address = address.strip()
        if self.free or not address:
            return
        origin, absolute = str(Path.cwd() / "launchpad"), absolute_href(address, None)
        if is_remote(absolute):
            check(absolute, origin, settings)
        elif address.startswith(("<", "/vsi")):
            check(address, origin, settings)
        else:
            self._check(local_path(address), settings, "read")

    def check_file(self, file: str, settings: Settings) -> None:
        """Refuse a file that is to be read and is in no root.

        Raises:
            InputError: it is refused.
        """
        if not self.free:
            self._check(file, settings, "read")

    def check_example(self, like: str | None, settings: Settings) -> None:
        """Refuse the picture of a question by example, if it is one and no patch, as :meth:`check_file` does."""
        if like and like.count(":") != 4:
            self.check_file(like, settings)

    def check_questions(self, files: Sequence[str], settings: Settings) -> None:
        """Refuse files of questions, and the pictures that their lines name, as :meth:`check_file` does."""
        if self.free:
            return
        for file in files:
            self.check_file(file, settings)
            with (
                suppress(OSError, UnicodeDecodeError),
                TextIOWrapper(open_file(file, settings), encoding="utf-8") as lines,
            ):  # who reads them reports it
                for line in lines:
                    self.check_example(_example_of(line), settings)

    def check_output(self, file: str, settings: Settings) -> None:
        """Refuse a file of answers that is in no root, is within HOME, or does not have the name of one.

        Raises:
            InputError: it is refused.
        """
        if self.free:
            return
        if not file.endswith(_ANSWERS) or not os.path.realpath(file).endswith(_ANSWERS):
            raise InputError(f"A job writes files named *{_ANSWERS} only", fix="Give another name", file=file)
        self._check(file, settings, "write")
        if _below(os.path.realpath(file), os.path.realpath(settings.home.expanduser())) is not None:
            raise InputError("A job does not write files into IMAGERAG_HOME", fix="Give another folder", file=file)

    def _check(self, path: str, settings: Settings, verb: str) -> None:
        try:
            real = os.path.realpath(path)
        except ValueError:
            raise InputError("This cannot be the name of a file", fix="Correct it", file=path) from None
        for root in settings.job_roots or (str(Path.cwd()),):
            below = _below(real, os.path.realpath(os.path.expanduser(root)))
            # By default, what is there is as good as everything of this user: .ssh, .env and the like are left out.
            if below is not None and (settings.job_roots or not any(part.startswith(".") for part in below)):
                return
        raise InputError(f"A job may not {verb} this file: it is not in a folder for jobs", fix=_FIX, file=path)


def job_paths_resource(*, free: bool = False) -> dg.ResourceDefinition:
    """Return the resource that checks what the launchpad names; `free` for the runs of a command."""
    return dg.ResourceDefinition.hardcoded_resource(
        JobPaths(free), description="Holds the paths of a job's configuration to IMAGERAG_JOB_ROOTS"
    )


def _below(path: str, root: str) -> tuple[str, ...] | None:
    """Return the parts of a path after a folder's; None: it is not in it."""
    try:
        return Path(path).relative_to(root).parts
    except ValueError:
        return None


def _example_of(line: str) -> str | None:
    try:
        given = read_json(line)
    except ValueError:
        return None
    like = given.get("like") if isinstance(given, dict) else None
    return like if isinstance(like, str) else None
