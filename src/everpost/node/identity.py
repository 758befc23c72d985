"""Whom the processes of a node belong to: root hands itself over to the user that the settings name."""

import grp
import os
import pwd
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from everpost.core.errors import Refused
from everpost.node.settings.model import Settings

# What is left to the user: ports below 1024, for workers that start at any time.
_CAPABILITY = "+net_bind_service"


def hand_over(settings: Settings) -> None:
    """Go on as the user of the settings, if this is root and they name one: the program starts anew.

    Commands do this too, so that no file of the node comes to belong to root. Raises Refused.
    """
    if not settings.node.user or os.geteuid() != 0:
        return
    command = command_for(settings.node.user, settings.node.group, sys.argv)
    if settings.node.user != "root":
        _give_folders(settings)
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def command_for(user: str, group: str, arguments: Sequence[str]) -> list[str]:
    """What runs this program again as another user. Raises Refused."""
    _ids(user, group)
    program = shutil.which("setpriv")
    if program is None:
        raise Refused("to change to another user setpriv is needed: apt-get install util-linux")
    return [
        program,
        f"--reuid={user}",
        f"--regid={group or pwd.getpwnam(user).pw_gid}",
        "--init-groups",
        f"--inh-caps=-all,{_CAPABILITY}",
        f"--ambient-caps=-all,{_CAPABILITY}",
        "--no-new-privs",
        "--",
        sys.executable,
        *arguments,
    ]


def _give_folders(settings: Settings) -> None:
    """The folders that the node makes for itself are the user's; those that are there stay as they are."""
    uid, gid = _ids(settings.node.user, settings.node.group)
    for folder in (settings.node.data_dir, settings.node.run_dir):
        if not folder.exists():
            _make(folder, uid, gid)


def _make(folder: Path, uid: int, gid: int) -> None:
    folder.mkdir(parents=True, mode=0o750)
    os.chown(folder, uid, gid)


def _ids(user: str, group: str) -> tuple[int, int]:
    """Raises Refused."""
    try:
        entry = pwd.getpwnam(user)
        return entry.pw_uid, grp.getgrnam(group).gr_gid if group else entry.pw_gid
    except KeyError as error:
        raise Refused(f"this machine has no user {user}{' or no group ' + group if group else ''}") from error
