"""Writes the documents that are made from the code: `docs/settings.md` and `docs/protocols.md`.

With --check it writes nothing and fails if one of them is not what the code says.
"""

import ast
import sys
from collections import defaultdict
from pathlib import Path

from everpost.node.settings.render import reference

ROOT = Path(__file__).parent.parent

_SETTINGS = """\
# Settings

A node's settings are one TOML file: what a machine must know to start. Everything else (domains, accounts,
addresses) is in the directory and is changed with `everpost domain`, `account`, `address` and `password`.

`everpost init DIR` writes a file with these explanations in it; `everpost check` tells what is wrong with one,
with lines. Commands look for it at `--settings FILE`, else `$EVERPOST_SETTINGS`, else `./everpost.toml`, else
`/etc/everpost/everpost.toml`. A running node takes a changed file on SIGHUP, by new workers that take over one
by one; `node.run_dir` and `node.user` need a restart.

Sizes are bytes or texts such as `"50 MiB"`; times are seconds or texts such as `"30 s"`, `"15 m"`, `"4 h"`, `"5 d"`.

"""

UNNAMED = "(to be named in docs/rfcs.tsv)"

_PROTOCOLS = """\
# Protocols

Which module implements which standard, from the `RFCS` of each module. A module that cites a section in its
comments writes `RFC 9051 section 6.4.3`, so the way from a section to the code is a search for that text.

| RFC | about | implemented in |
| --- | --- | --- |
"""


def settings() -> str:
    """docs/settings.md."""
    return _SETTINGS + reference()


def protocols() -> str:
    """docs/protocols.md; an RFC that docs/rfcs.tsv does not name says so in its line."""
    titles = dict(line.split("\t", 1) for line in (ROOT / "docs" / "rfcs.tsv").read_text().splitlines())
    lines = []
    for number, modules in sorted(implementers().items()):
        names = ", ".join(f"`{name}`" for name in sorted(modules))
        lines.append(f"| {number} | {titles.get(str(number), UNNAMED)} | {names} |\n")
    return _PROTOCOLS + "".join(lines)


def implementers() -> dict[int, set[str]]:
    """The modules that say in RFCS that they implement a standard; a package's modules count as one from five on."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "src" / "everpost").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT / "src" / "everpost").with_suffix("").parts).removesuffix(".__init__")
        for statement in ast.parse(path.read_text()).body:
            if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "RFCS":
                for number in ast.literal_eval(statement.value):
                    found[number].add(name)
    return {number: _gathered(modules) for number, modules in found.items()}


def _gathered(modules: set[str]) -> set[str]:
    packages: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        packages[module.rpartition(".")[0]].add(module)
    gathered: set[str] = set()
    for package, inside in packages.items():
        gathered |= {f"{package}.*"} if len(inside) >= 5 and "." in package else inside
    return gathered


DOCUMENTS = {"settings.md": settings, "protocols.md": protocols}


def stale() -> list[str]:
    """The documents that are not what the code says."""
    folder = ROOT / "docs"
    return [
        name
        for name, render in DOCUMENTS.items()
        if not (folder / name).exists() or (folder / name).read_text() != render()
    ]


def main() -> int:
    """Command line."""
    if "--check" in sys.argv[1:]:
        names = stale()
        if names:
            print(f"docs/{', docs/'.join(names)}: not what the code says; run make fix", file=sys.stderr)
        return 1 if names else 0
    for name, render in DOCUMENTS.items():
        (ROOT / "docs" / name).write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
