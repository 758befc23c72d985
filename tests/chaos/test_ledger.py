"""The judge itself: what breaks a promise is seen."""

import pytest

from tests.chaos.ledger import Account, Floor, Ledger, PromiseBroken, content


def ledger() -> Ledger:
    made = Ledger({"a": Account()}, acknowledged={"one": "a", "two": "a"}, unanswered={"three": "a"})
    made.check_all("a", {1: ("one", content("one")), 2: ("two", content("two"))})
    made.check_all("a", {1: ("one", b"Received: x\r\n" + content("one")), 2: ("two", content("two"))})
    made.check_all("a", {1: ("one", content("one")), 2: ("two", content("two")), 3: ("three", content("three"))})
    return made


@pytest.mark.parametrize(
    "found",
    [
        {1: ("one", content("one"))},
        {1: ("one", content("one")), 2: ("two", content("two")), 3: ("two", content("two"))},
        {1: ("one", content("one")), 2: ("two", content("one"))},
        {1: ("one", content("one")), 2: ("two", content("two")[:-2])},
        {1: ("one", content("one")), 2: ("two", content("two")), 3: ("four", content("four"))},
    ],
    ids=["lost", "twice", "mixed up", "cut short", "never sent"],
)
def test_mail_that_is_not_as_promised_is_seen(found: dict[int, tuple[str, bytes]]) -> None:
    with pytest.raises(PromiseBroken):
        ledger().check_all("a", found)


def test_what_goes_back_is_seen() -> None:
    account = Account()
    account.selected(7, 10, 100, Floor())
    account.selected(7, 9, 99, Floor())  # Asked for before the first answer came: no fault.
    account.selected(7, 10, 100, account.floor)
    for validity, uid_next, modseq in ((8, 10, 100), (7, 9, 100), (7, 10, 99)):
        with pytest.raises(PromiseBroken):
            account.selected(validity, uid_next, modseq, account.floor)


def test_uids_that_repeat_vanish_or_come_late_are_seen() -> None:
    account = Account()
    account.listed([1, 2, 5], 6, Floor())
    account.listed([1, 2, 5, 6], 7, account.floor)
    account.listed([1, 2, 5, 6, 7, 9], 7, account.floor)
    account.listed([1, 2, 5, 6, 7, 8, 9], 7, account.floor)
    account.identified(5, "one")
    account.identified(5, "one")
    with pytest.raises(PromiseBroken):
        account.identified(5, "two")
    for uids in ([1, 2, 5], [1, 2, 3, 5, 6], [2, 1, 5, 6], [1, 2, 5, 5, 6]):
        with pytest.raises(PromiseBroken):
            account.listed(uids, 7, account.floor)


def test_flags_and_modseqs_that_go_back_are_seen() -> None:
    made = ledger()
    made.stored["a", 1, "$K"] = True
    made.check_flag("a", 1, "$K", True)
    with pytest.raises(PromiseBroken):
        made.check_flag("a", 1, "$K", False)
    made.stored["a", 1, "$K"] = None
    made.check_flag("a", 1, "$K", False)
    made.check_flag("a", 1, "$K", True)
    account = made.accounts["a"]
    account.changed(1, 50, 0)
    with pytest.raises(PromiseBroken):
        account.changed(1, 49, account.modseqs[1])
