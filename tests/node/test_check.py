"""Checks find what is wrong and say how to mend it."""

import socket
import time
from pathlib import Path

import pytest

from everpost.core.resolver import Mx
from everpost.net.tls import self_signed
from everpost.node.check import certificate, dns, machine, store
from everpost.node.check.finding import Finding, Level
from everpost.node.settings.model import Settings
from everpost.node.settings.read import parse
from tests.fakes import FakeResolver
from tests.servers.ports import free_port


def settings_in(folder: Path, more: str = "") -> Settings:
    return parse(
        f'[node]\nhostname = "mail.example.org"\ndata_dir = "{folder}/data"\nrun_dir = "/tmp/everpost-check-run"\n'
        f'[tls]\ncertificate = "{folder}/cert.pem"\nkey = "{folder}/key.pem"\n{more}'
    )


def levels(found: list[Finding]) -> set[Level]:
    assert all(each.mend for each in found if each.level is not Level.OK), "every fault says how to mend it"
    return {each.level for each in found}


def write_certificate(folder: Path, names: list[str], now: float) -> None:
    for name, pem in zip(("cert.pem", "key.pem"), self_signed(names, now), strict=True):
        (folder / name).write_bytes(pem)
        (folder / name).chmod(0o600)


def test_folders_that_can_be_written_are_fine(tmp_path: Path) -> None:
    assert Level.FAULT not in levels(list(machine.folders(settings_in(tmp_path))))


def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    # Even root cannot write there.
    settings = parse(
        '[node]\nhostname = "m.example.org"\ndata_dir = "/proc/everpost"\n[tls]\ncertificate = "/c"\nkey = "/k"\n'
    )
    found = [each for each in machine.folders(settings) if each.subject == "data folder"]
    assert [each.level for each in found] == [Level.FAULT]


def test_the_clock_of_this_machine_is_fine() -> None:
    assert levels(list(machine.clock())) == {Level.OK}


def test_a_taken_port_is_a_fault(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken, free = other.getsockname()[1], free_port()
        keys = ["submission", "submissions", "imap", "imaps", "pop3", "pop3s", "http"]
        lines = "\n".join(f"{key} = []" for key in keys)
        settings = settings_in(tmp_path, f'[listen]\n{lines}\nsmtp = ["127.0.0.1:{taken}", "127.0.0.1:{free}"]\n')
        found = list(machine.ports(settings))
    assert [(each.level, each.subject) for each in found] == [(Level.FAULT, f"port {taken}"), (Level.OK, "ports")]


@pytest.mark.parametrize(
    ("names", "age_days", "worst"),
    [
        (["mail.example.org"], 0, Level.WARNING),  # Self-signed.
        (["*.example.org"], 0, Level.WARNING),
        (["mail.example.org"], 820, Level.WARNING),
        (["other.example.org"], 0, Level.FAULT),
        (["mail.example.org"], 900, Level.FAULT),
    ],
)
def test_certificates(tmp_path: Path, names: list[str], age_days: int, worst: Level) -> None:
    write_certificate(tmp_path, names, time.time() - age_days * 86400)
    found = levels(list(certificate.certificates(settings_in(tmp_path))))
    assert (Level.FAULT in found) == (worst is Level.FAULT)
    assert Level.WARNING in found


def test_a_key_that_belongs_to_another_certificate_is_a_fault(tmp_path: Path) -> None:
    write_certificate(tmp_path, ["mail.example.org"], time.time())
    (tmp_path / "key.pem").write_bytes(self_signed(["mail.example.org"], time.time())[1])
    assert levels(list(certificate.certificates(settings_in(tmp_path)))) == {Level.FAULT}


def test_a_key_for_everybody_is_a_warning(tmp_path: Path) -> None:
    write_certificate(tmp_path, ["mail.example.org"], time.time())
    (tmp_path / "key.pem").chmod(0o644)
    found = list(certificate.certificates(settings_in(tmp_path)))
    assert any("everybody" in each.text and each.level is Level.WARNING for each in found)


async def test_a_database_without_schema_is_a_warning_and_with_it_is_fine(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert levels([each async for each in store.database(settings_in(tmp_path))]) == {Level.WARNING}


async def test_a_database_that_does_not_answer_is_a_fault_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://me:secret@127.0.0.1:{free_port()}/mail"
    found = [each async for each in store.database(settings_in(tmp_path, f'[storage]\ndatabase = "{url}"\n'))]
    assert levels(found) == {Level.FAULT}
    assert "secret" not in found[0].text


async def test_the_databases_checks_pass_on_both_engines(database_url: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, f'[storage]\ndatabase = "{database_url}"\n')
    assert Level.FAULT not in levels([each async for each in store.database(settings)])


async def test_blobs_are_tried_and_leave_nothing(tmp_path: Path) -> None:
    assert levels([each async for each in store.blobs(settings_in(tmp_path))]) == {Level.OK}
    assert [path for path in (tmp_path / "data" / "blobs").rglob("*") if path.is_file()] == []


async def test_blobs_in_a_place_that_cannot_be_are_a_fault(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, '[storage]\nblobs = "file:///proc/everpost"\n')
    assert levels([each async for each in store.blobs(settings)]) == {Level.FAULT}


async def look(resolver: FakeResolver, *domains: str) -> list[Finding]:
    return [each async for each in dns.names(resolver, "mail.example.org", domains)]


def a_right_world() -> FakeResolver:
    resolver = FakeResolver()
    resolver.mail("example.org", [(10, "mail.example.org", "192.0.2.1")])
    resolver.set("192.0.2.1", "PTR", "mail.example.org")
    return resolver


async def test_a_host_that_the_dns_knows_is_fine() -> None:
    assert levels(await look(a_right_world(), "example.org")) == {Level.OK}


async def test_a_domain_whose_mail_goes_elsewhere_is_a_warning_and_one_without_mx_a_fault() -> None:
    resolver = a_right_world()
    resolver.set("other.org", "MX", Mx(10, "mx.filter.example"))
    assert levels(await look(resolver, "other.org")) == {Level.OK, Level.WARNING}
    assert Level.FAULT in levels(await look(resolver, "nowhere.org"))


async def test_a_host_without_address_is_a_fault_and_one_with_a_wrong_name_a_warning() -> None:
    assert Level.FAULT in levels(await look(FakeResolver()))
    resolver = a_right_world()
    resolver.set("192.0.2.1", "PTR", "host-1.provider.example")
    assert levels(await look(resolver)) == {Level.OK, Level.WARNING}


async def test_servers_that_do_not_answer_are_one_fault() -> None:
    resolver = a_right_world()
    resolver.fail("mail.example.org")
    (found,) = await look(resolver, "example.org")
    assert found.level is Level.FAULT


def test_names_of_certificates() -> None:
    assert certificate.covers(frozenset({"*.example.org"}), "Mail.Example.org")
    assert not certificate.covers(frozenset({"*.example.org"}), "a.b.example.org")


def test_nothing_is_left_in_the_folders_looked_at(tmp_path: Path) -> None:
    list(machine.folders(settings_in(tmp_path)))
    assert list(tmp_path.iterdir()) == []
