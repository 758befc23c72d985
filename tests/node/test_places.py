"""What a node claims: ports that nobody else has, a run folder of its own."""

import os
import socket
from pathlib import Path

import pytest

from everpost.core.errors import Refused
from everpost.node import identity, places
from everpost.node.settings.model import HostPort
from everpost.node.settings.read import parse
from tests.node.test_settings import SMALLEST
from tests.servers.ports import free_port


def test_a_free_port_is_fine_and_stays_free() -> None:
    place = HostPort("127.0.0.1", free_port())
    places.check_port(place)
    places.check_port(place)


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_that_another_node_listens_on_is_noticed(shared: bool) -> None:
    with socket.socket() as other:
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(places.PortTaken):
            places.check_port(HostPort("127.0.0.1", other.getsockname()[1]))


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(Refused, match=r"does not have the address 192\.0\.2\.1"):
        places.check_port(HostPort("192.0.2.1", free_port()))


def test_a_run_folder_is_one_nodes(tmp_path: Path) -> None:
    held = places.RunFolder(tmp_path)
    with pytest.raises(Refused, match="another node"):
        places.RunFolder(tmp_path)
    held.close()
    places.RunFolder(tmp_path).close()


def test_roles_decide_what_is_listened_on() -> None:
    settings = parse(SMALLEST.replace("[tls]", 'roles = ["mx", "web"]\n[tls]'))
    assert {name for name, _ in places.listeners(settings)} == {"smtp", "http"}


def test_another_user_keeps_nothing_but_low_ports() -> None:
    command = identity.command_for("nobody", "", ["/bin/everpost", "serve"])
    assert Path(command[0]).name == "setpriv"
    assert "--reuid=nobody" in command and "--no-new-privs" in command
    assert "--ambient-caps=-all,+net_bind_service" in command
    assert command[-2:] == ["/bin/everpost", "serve"]


def test_a_user_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Refused, match="no user no-such-user"):
        identity.command_for("no-such-user", "", [])


def test_without_a_user_nothing_changes() -> None:
    before = os.geteuid()
    identity.hand_over(parse(SMALLEST))
    assert os.geteuid() == before
