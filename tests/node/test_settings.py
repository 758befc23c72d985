"""Settings: every fault at once, with its line; what is rendered is read again as it was."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.node.settings.model import SECTIONS, HostPort, Seconds, Settings, Size
from everpost.node.settings.read import BadSettings, load, parse
from everpost.node.settings.render import commented, reference, toml

SMALLEST = """\
[node]
hostname = "mail.example.org"
[tls]
certificate = "/etc/cert.pem"
key = "/etc/key.pem"
"""


def faults(text: str) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        parse(text)
    return [str(fault) for fault in caught.value.faults]


def test_the_smallest_file_gives_the_defaults() -> None:
    settings = parse(SMALLEST)
    assert settings.node.hostname == settings.node_name == "mail.example.org"
    assert settings.limits.message == 50 * 1024 * 1024
    assert settings.queue.lifetime == 5 * 24 * 3600
    assert settings.listen.smtp == (HostPort("0.0.0.0", 25), HostPort("::", 25))
    assert settings.database_url == "sqlite:///var/lib/everpost/everpost.db"
    assert settings.blobs_url == "file:///var/lib/everpost/blobs"
    assert not settings.login.plaintext_on_loopback


def test_all_faults_are_told_at_once_with_their_lines() -> None:
    found = faults(
        "[node]\n"
        'hostnme = "x"\n'
        'workers = "two"\n'
        "[limits]\n"
        "# a comment\n"
        'message = "50 apples"\n'
        "[listen]\n"
        'smtp = ["25"]\n'
        "[lsten]\n"
        "[tls]\n"
        'certificate = "/c"\n'
        "key = 5\n"
    )
    assert [line.partition(":")[0] for line in found] == [f"line {n}" for n in (1, 2, 3, 6, 8, 9, 12)]
    text = "\n".join(found)
    assert "node.hostname: is missing" in text
    assert "no such key; there are hostname" in text
    assert "expected a whole number, not 'two'" in text
    assert 'expected a size such as "50 MiB"' in text
    assert "no such section" in text


def test_a_file_that_is_no_toml_says_where() -> None:
    (fault,) = faults('[node]\nhostname = "x\n')
    assert fault.startswith("line 2: TOML")


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ('[listen]\nsubmission = ["0.0.0.0:25"]', "listen.submission"),
        ('[listen]\nimap = ["localhost:143"]', "listen.imap"),
        ('[listen]\nproxies = ["10.0.0.0/99"]', "listen.proxies"),
        ("[login]\nplaintext_on_loopback = true", "login.plaintext_on_loopback"),
        ('[log]\nformat = "xml"', "log.format"),
        ("[limits]\nconnections = 0", "limits.connections"),
        ('[queue]\nroutes = ["example.org"]', "queue.routes"),
        ("[queue]\nretry = []", "queue.retry"),
    ],
)
def test_values_that_make_no_sense_are_faults(lines: str, where: str) -> None:
    (fault,) = faults(SMALLEST + lines)
    assert f" {where}: " in fault
    assert fault.startswith("line 7")


def test_a_run_folder_too_deep_for_sockets_is_a_fault() -> None:
    (fault,) = faults(SMALLEST.replace("[tls]", f'run_dir = "/{"x" * 90}"\n[tls]'))
    assert "node.run_dir" in fault


def test_the_commented_file_with_nothing_set_is_the_defaults() -> None:
    given_values = {
        "node": {"hostname": "mail.example.org"},
        "tls": {"certificate": "/etc/cert.pem", "key": "/etc/key.pem"},
    }
    assert parse(commented(given_values)) == parse(SMALLEST)


def test_the_commented_file_says_something_of_every_key() -> None:
    text = commented({})
    for name, section in SECTIONS.items():
        assert f"[{name}]" in text
        for field in dataclasses.fields(section):
            assert f"{field.name} = " in text
            assert field.metadata["doc"].split()[0] in text


def test_defaults_written_out_are_read_as_the_defaults() -> None:
    smallest = parse(SMALLEST)
    values = {
        name: {field.name: getattr(getattr(smallest, name), field.name) for field in dataclasses.fields(section)}
        for name, section in SECTIONS.items()
    }
    assert parse(commented(values)) == smallest


@given(st.integers(0, 2**50))
def test_sizes_survive_being_written(count: int) -> None:
    text = SMALLEST + f"[limits]\nmessage = {toml(Size(count), Size)}\n"
    assert parse(text).limits.message == count


@given(st.integers(0, 10**7))
def test_times_survive_being_written(seconds: int) -> None:
    text = SMALLEST + f"[queue]\nlifetime = {toml(Seconds(float(seconds)), Seconds)}\n"
    assert parse(text).queue.lifetime == seconds


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x7f", min_codepoint=32)))
def test_texts_survive_being_written(text: str) -> None:
    assert parse(SMALLEST.replace("[tls]", f"name = {toml(text)}\n[tls]")).node.name == text


@given(st.text(max_size=200))
def test_any_text_gives_settings_or_faults(text: str) -> None:
    try:
        assert isinstance(parse(text), Settings)
    except BadSettings as error:
        assert error.faults


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_the_reference_shows_units() -> None:
    assert '| `message` | `"50 MiB"` |' in reference()
    assert '| `retry` | `["1 m", "5 m", "15 m", "30 m", "1 h", "2 h", "4 h"]` |' in reference()
