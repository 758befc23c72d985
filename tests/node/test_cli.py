"""The command line on a real (embedded) database: what it prints, and its exit codes."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from everpost.node.cli import main as cli
from everpost.node.settings.read import load


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


Everpost = Callable[..., Ran]


def run(*arguments: str, stdin: str = "") -> Ran:
    """`everpost` in this process."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = ["everpost", *arguments], io.StringIO(stdin)
    code: object = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv, sys.stdin = before
    assert isinstance(code, int)
    return Ran(code, out.getvalue(), err.getvalue())


@pytest.fixture
def everpost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Everpost:
    """The command line with a node that `init` has made."""
    folder = tmp_path / "node"
    made = run("init", str(folder), "--hostname", "mail.example.org", "--domain", "example.org", "--yes", "--json")
    assert made.code == 0, made.err
    monkeypatch.setenv("EVERPOST_SETTINGS", str(folder / "everpost.toml"))
    return run


def test_init_makes_a_node_that_check_can_read(everpost: Everpost, tmp_path: Path) -> None:
    settings = load(tmp_path / "node" / "everpost.toml")
    assert settings.node.hostname == "mail.example.org"
    assert settings.tls.certificate.exists() and settings.tls.key.stat().st_mode & 0o077 == 0
    (line,) = everpost("account", "list", "--json").json  # type: ignore[misc]
    assert line["address"] == "postmaster@example.org"


def test_init_leaves_a_node_alone_that_is_there(everpost: Everpost, tmp_path: Path) -> None:
    again = everpost("init", str(tmp_path / "node"), "--hostname", "other.example.org", "--yes")
    assert again.code == 1 and "left alone" in again.err
    assert load(tmp_path / "node" / "everpost.toml").node.hostname == "mail.example.org"


def test_init_tells_the_password_once_and_the_records_to_set(tmp_path: Path) -> None:
    made = run("init", str(tmp_path / "n"), "--hostname", "mx.example.org", "--domain", "example.org", "-y", "--json")
    assert len(made.json["password"]) >= 12  # type: ignore[call-overload]
    assert "example.org. MX 10 mx.example.org." in made.json["records"]  # type: ignore[call-overload]
    given = run(
        "init", str(tmp_path / "m"), "--hostname", "mx.example.org", "--yes", "--stdin", stdin="a long password\n"
    )
    assert given.code == 0 and "a long password" not in given.out


def test_init_refuses_names_that_are_none(tmp_path: Path) -> None:
    assert run("init", str(tmp_path / "n"), "--hostname", "no name", "--domain", "example.org", "-y").code == 1
    assert not (tmp_path / "n").exists()


def test_domains_accounts_addresses(everpost: Everpost) -> None:
    assert everpost("domain", "add", "Bücher.example").code == 0
    assert everpost("domain", "add", "xn--bcher-kva.example").code == 1
    assert everpost("account", "add", "ann@example.org", "--stdin", stdin="correct horse\n").code == 0
    assert everpost("account", "quota", "ann@example.org", "2 GiB").code == 0
    assert everpost("account", "show", "ann@example.org", "--json").json["quota_bytes"] == 2 * 1024**3  # type: ignore[call-overload]
    assert everpost("address", "add", "sales@example.org", "ann@example.org", "bob@elsewhere.net").code == 0
    assert everpost("address", "add", "*@example.org", "ann@example.org").code == 0
    shown = everpost("domain", "show", "example.org", "--json").json
    assert shown["catch_all"] == ["ann@example.org"]  # type: ignore[call-overload]
    assert shown["postmaster"] == ["postmaster@example.org"]  # type: ignore[call-overload]
    listed = everpost("address", "list", "example.org").out.splitlines()
    assert listed[0].split("  ")[0] == "ADDRESS"
    assert any(line.split()[0] == "sales@example.org" and "bob@elsewhere.net" in line for line in listed)
    assert everpost("address", "remove", "*@example.org").code == 0
    assert everpost("address", "remove", "sales@example.org").code == 0
    assert everpost("account", "suspend", "ann@example.org").code == 0
    assert everpost("account", "show", "ann@example.org", "--json").json["active"] is False  # type: ignore[call-overload]
    assert everpost("domain", "remove", "example.org").code == 1
    assert everpost("account", "remove", "ann@example.org", "--yes").code == 0
    assert everpost("domain", "remove", "bücher.example").code == 0


def test_passwords(everpost: Everpost) -> None:
    made = everpost("password", "set", "postmaster@example.org", "--generate", "--json").json
    assert len(made["password"]) >= 12  # type: ignore[call-overload]
    assert everpost("password", "set", "postmaster@example.org", "--stdin", stdin="short\n").code == 1
    app = everpost("password", "app", "add", "postmaster@example.org", "phone", "--json").json
    assert len(app["password"]) == 23  # type: ignore[call-overload]
    (line,) = everpost("password", "app", "list", "postmaster@example.org", "--json").json  # type: ignore[misc]
    assert line["label"] == "phone" and "password" not in line
    assert everpost("password", "app", "revoke", "postmaster@example.org", str(line["credential_id"])).code == 0
    assert everpost("password", "app", "revoke", "postmaster@example.org", str(line["credential_id"])).code == 1
    assert everpost("password", "app", "list", "postmaster@example.org", "--json").json == []


def test_an_empty_queue(everpost: Everpost) -> None:
    assert everpost("queue", "list", "--json").json == []
    assert everpost("queue", "summary", "--json").json == []
    assert everpost("queue", "show", "1").code == 1
    assert everpost("queue", "retry", "1").code == 1
    assert everpost("queue", "drop", "1").code == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("domain", "show", "nowhere.example"), 1),
        (("account", "show", "nobody@example.org"), 1),
        (("account", "add", "no address"), 1),
        (("nonsense",), 2),
        (("account", "quota"), 2),
        (("version", "--json"), 0),
    ],
)
def test_exit_codes(everpost: Everpost, arguments: tuple[str, ...], code: int) -> None:
    ran = everpost(*arguments)
    assert ran.code == code, ran.err
    assert (code == 0) == bool(ran.out)
    assert "Traceback" not in ran.err


def test_a_database_that_is_away_is_temporary(everpost: Everpost, tmp_path: Path) -> None:
    path = tmp_path / "node" / "everpost.toml"
    path.write_text(path.read_text().replace("[storage]", '[storage]\ndatabase = "postgresql://x:y@127.0.0.1:1/z"'))
    assert everpost("domain", "list").code == 4


def test_faults_of_the_settings_have_their_own_code(everpost: Everpost, tmp_path: Path) -> None:
    path = tmp_path / "node" / "everpost.toml"
    path.write_text(path.read_text().replace("hostname =", "hostnme ="))
    ran = everpost("domain", "list")
    assert ran.code == 3 and "line 4" in ran.err and "hostnme" in ran.err


def test_without_settings_one_is_told_how_to_make_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVERPOST_SETTINGS", raising=False)
    ran = run("domain", "list")
    assert ran.code == 1 and "everpost init" in ran.err


def test_the_program_as_a_stranger_starts_it() -> None:
    program = str(Path(sys.executable).with_name("everpost"))
    ran = subprocess.run([program], capture_output=True, text=True, timeout=60, check=False, env=os.environ)
    assert ran.returncode == 2
    for command in [
        "demo",
        "init",
        "serve",
        "check",
        "domain",
        "account",
        "address",
        "password",
        "queue",
        "migrate",
        "version",
    ]:
        assert f" {command} " in ran.stdout + ran.stderr
