"""What is made from the code is what the code says; what is pinned is what is asked for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import render

ROOT = Path(__file__).parent.parent.parent


def test_documents_made_from_the_code_are_current() -> None:
    assert render.stale() == []


def test_every_standard_has_a_name() -> None:
    assert render.UNNAMED not in render.protocols()


def pinned(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+) \\$", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_pin_what_is_asked_for_with_hashes(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    if "dev" in name:
        asked += project["project"]["optional-dependencies"]["dev"]
    versions = pinned(name)
    for line in asked:
        requirement = Requirement(line)
        assert requirement.specifier.contains(versions[requirement.name.lower()]), line
    text = (ROOT / name).read_text()
    assert text.count("--hash=sha256:") >= len(versions)
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|--trusted-host", text)


def test_tests_run_on_the_versions_that_nodes_run_on() -> None:
    tested = pinned("requirements-dev.lock")
    assert all(tested[name] == version for name, version in pinned("requirements.lock").items())


def test_links_in_documents_lead_somewhere() -> None:
    for document in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document}: {link}"
