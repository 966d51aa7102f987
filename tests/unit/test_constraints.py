"""constraints.txt is current with pyproject.toml, holds versions only, and is what `make` and the image install."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections import Counter

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from imagerag_assets.answering.small_language_model import REQUIREMENT
from tests.conftest import PROJECT

METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ("3.11", "3.12")
LOCK = (PROJECT / "infra" / "requirements.lock").read_text(encoding="utf-8").splitlines()
LINES = [
    line
    for line in (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def environment(python: str) -> dict[str, str]:
    """Return the markers of CPython on a 64-bit Linux machine."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.7",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": "x86_64",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
        "extra": "",
    }


def pins(python: str) -> dict[str, Version]:
    """Return the version of each package that applies to this Python."""
    applying = [
        each for each in map(Requirement, LINES) if each.marker is None or each.marker.evaluate(environment(python))
    ]
    twice = [name for name, count in Counter(canonicalize_name(each.name) for each in applying).items() if count > 1]
    assert twice == []
    return {canonicalize_name(each.name): Version(str(each.specifier).removeprefix("==")) for each in applying}


def declared(python: str) -> list[Requirement]:
    """Return what pyproject.toml asks for with all extras."""
    groups = [METADATA["dependencies"], *METADATA["optional-dependencies"].values()]
    found = [Requirement(text) for group in groups for text in group]
    ours = [each for each in found if each.name == METADATA["name"]]
    assert all(each.extras <= set(METADATA["optional-dependencies"]) for each in ours)
    return [
        each
        for each in found
        if each not in ours and (each.marker is None or each.marker.evaluate(environment(python)))
    ]


def test_the_pythons_looked_at_are_those_that_the_package_supports() -> None:
    supported = SpecifierSet(METADATA["requires-python"])
    assert tuple(version for version in (f"3.{minor}" for minor in range(8, 30)) if version in supported) == PYTHONS


@pytest.mark.parametrize("python", PYTHONS)
def test_each_dependency_is_pinned_within_its_range(python: str) -> None:
    pinned = pins(python)
    wrong = {
        str(each): str(pinned.get(canonicalize_name(each.name), "no version"))
        for each in declared(python)
        if canonicalize_name(each.name) not in pinned or pinned[canonicalize_name(each.name)] not in each.specifier
    }
    assert wrong == {}, "run `make lock`, or `make lock KEEP=1` to change no other version"


def test_there_are_only_exact_versions() -> None:
    # No address, path, option or extra; and no CUDA library, which each build of torch pins for itself.
    odd = [line for line in LINES if not re.fullmatch(r"[a-z0-9.-]+==[A-Za-z0-9.!]+( ; [a-zA-Z0-9_ .'=<>!()]+)?", line)]
    assert odd == []
    assert [line for line in LINES if line.startswith(("nvidia-", "cuda-", "triton"))] == []


def test_make_installs_with_them_and_again_after_they_change() -> None:
    command = ["make", "--dry-run", "--what-if=constraints.txt", ".venv/installed"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    installs = [line for line in done.stdout.splitlines() if "pip install" in line]
    torch, package, language_model = installs
    assert all("--constraint constraints.txt" in line for line in installs)
    assert f"torch=={pins('3.11')['torch']} torchvision=={pins('3.11')['torchvision']}" in torch
    assert package.endswith("-e '.[dev]'")
    assert language_model.endswith(f"--no-deps {REQUIREMENT}")


def locked() -> dict[str, Version]:
    """Return the version of each package of the image, on 64-bit Linux with Python 3.11."""
    found: dict[str, Version] = {}
    for line in LOCK:
        if not line.startswith((" ", "#")):
            each = Requirement(line.removesuffix(" \\"))
            if each.marker is None or each.marker.evaluate(environment("3.11")):
                found[canonicalize_name(each.name)] = Version(str(each.specifier).removeprefix("=="))
    return found


def test_the_image_has_the_same_versions_by_hash() -> None:
    pinned, image = pins("3.11"), locked()
    model = Requirement(REQUIREMENT)
    assert image.pop(canonicalize_name(model.name)) in model.specifier
    assert image == {name: version for name, version in pinned.items() if name in image}
    groups = [METADATA["dependencies"], METADATA["optional-dependencies"]["deploy"], ["setuptools"]]
    asked = {canonicalize_name(Requirement(text).name) for group in groups for text in group}
    assert asked - image.keys() == {"torch", "torchvision"}  # which are installed before, from PyTorch's own index


def test_every_package_of_the_image_has_a_hash_and_no_address() -> None:
    blocks = "\n".join(line for line in LOCK if not line.startswith("#")).replace("\\\n", "").splitlines()
    odd = [block for block in blocks if not re.fullmatch(r"[a-z0-9.-]+==[^=]*?(\s+--hash=sha256:[0-9a-f]{64})+", block)]
    # A marker has an equals sign, too.
    odd = [block for block in odd if not re.fullmatch(r"\S+==\S+ ; [^-]*(\s+--hash=sha256:[0-9a-f]{64})+", block)]
    assert odd == []
    assert not re.search(r"://|index|find-links", "\n".join(LOCK))


def test_the_image_installs_them_and_nothing_else() -> None:
    dockerfile = re.sub(r"\\\n\s*", "", (PROJECT / "infra" / "Dockerfile").read_text(encoding="utf-8"))
    torch, packages, ours = [line for line in dockerfile.splitlines() if "pip install" in line]
    assert f"torch=={pins('3.11')['torch']} torchvision=={pins('3.11')['torchvision']}" in torch
    assert packages.endswith("--require-hashes --no-deps --only-binary :all: --requirement requirements.lock")
    assert ours.endswith("--no-deps --no-build-isolation --no-index .")
