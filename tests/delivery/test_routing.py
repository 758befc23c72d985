from everpost.core.address import Address
from everpost.delivery.routing import Kind, Route, Router
from tests.delivery.conftest import House, address


def accounts(route: Route) -> set[tuple[str, str]]:
    return {(str(to.account.address), to.detail) for to in route.accounts}


def remotes(route: Route) -> set[tuple[str, str]]:
    return {(str(to.address), str(to.forwarded_by)) for to in route.remotes}


async def test_accounts_and_everybody_else(house: House) -> None:
    await house.account("anna@here.test")
    route = await house.router.route(address("Anna@HERE.test"))
    assert (route.kind, accounts(route)) == (Kind.HERE, {("anna@here.test", "")})
    assert (await house.router.route(address("nobody@here.test"))).kind is Kind.UNKNOWN
    assert (await house.router.route(address("anna@elsewhere.test"))).kind is Kind.ELSEWHERE
    await house.directory.set_active(address("anna@here.test"), False)
    assert (await house.router.route(address("anna@here.test"))).kind is Kind.INACTIVE


async def test_a_detail_leads_to_its_user_unless_that_very_address_exists(house: House) -> None:
    await house.account("anna@here.test")
    await house.account("bert@here.test")
    await house.directory.add_address(address("anna+work@here.test"), [address("bert@here.test")])
    assert accounts(await house.router.route(address("anna+news+x@here.test"))) == {("anna@here.test", "news+x")}
    assert accounts(await house.router.route(address("anna+work@here.test"))) == {("bert@here.test", "")}
    assert (await house.router.route(address("+x@here.test"))).kind is Kind.UNKNOWN


async def test_an_alias_reaches_each_mailbox_and_each_remote_address_once(house: House) -> None:
    await house.account("anna@here.test")
    await house.account("bert@here.test")
    await house.directory.add_address(address("sales@here.test"), [address("anna@here.test"), address("c@far.test")])
    await house.directory.add_address(
        address("all@here.test"),
        [address("sales@here.test"), address("bert@here.test"), address("anna@here.test"), address("C@far.test")],
    )
    route = await house.router.route(address("all@here.test"))
    assert accounts(route) == {("anna@here.test", ""), ("bert@here.test", "")}
    assert remotes(route) == {("c@far.test", "sales@here.test")}


async def test_circles_of_aliases_end(house: House) -> None:
    await house.account("anna@here.test")
    await house.directory.add_address(address("a@here.test"), [address("b@here.test")])
    await house.directory.add_address(address("b@here.test"), [address("a@here.test")])
    assert (await house.router.route(address("a@here.test"))).kind is Kind.ENDLESS
    await house.directory.add_address(address("b@here.test"), [address("a@here.test"), address("anna@here.test")])
    assert accounts(await house.router.route(address("a@here.test"))) == {("anna@here.test", "")}


async def test_too_long_a_chain_is_refused(house: House) -> None:
    for number in range(15):
        await house.directory.add_address(address(f"a{number}@here.test"), [address(f"a{number + 1}@here.test")])
    assert (await house.router.route(address("a0@here.test"))).kind is Kind.ENDLESS


async def test_dead_targets_are_named_while_others_live(house: House) -> None:
    await house.account("anna@here.test")
    await house.account("gone@here.test")
    await house.directory.set_active(address("gone@here.test"), False)
    targets = [address("anna@here.test"), address("nobody@here.test"), address("gone@here.test")]
    await house.directory.add_address(address("team@here.test"), targets)
    route = await house.router.route(address("team@here.test"))
    assert accounts(route) == {("anna@here.test", "")}
    assert {(dead.address, dead.status) for dead in route.dead} == {
        ("nobody@here.test", "5.1.1"),
        ("gone@here.test", "5.2.1"),
    }


async def test_only_dead_targets_are_no_mailbox(house: House) -> None:
    await house.directory.add_address(address("team@here.test"), [address("nobody@here.test")])
    assert (await house.router.route(address("team@here.test"))).kind is Kind.UNKNOWN


async def test_the_catch_all_comes_last(house: House) -> None:
    await house.account("anna@here.test")
    await house.account("rest@here.test")
    await house.directory.set_catch_all("here.test", [address("rest@here.test")])
    assert accounts(await house.router.route(address("whoever@here.test"))) == {("rest@here.test", "")}
    assert accounts(await house.router.route(address("anna+x@here.test"))) == {("anna@here.test", "x")}


async def test_postmaster_is_always_there(house: House) -> None:
    await house.directory.add_domain("empty.test")
    assert (await house.router.route(address("postmaster@empty.test"))).kind is Kind.UNKNOWN
    await house.account("anna@here.test")
    for text in ("postmaster@here.test", "PostMaster@empty.test", "postmaster@MX.here.test"):
        assert accounts(await house.router.route(address(text))) == {("anna@here.test", "")}
    assert accounts(await house.router.route(Address("Postmaster", ""))) == {("anna@here.test", "")}
    assert (await house.router.route(address("anna@mx.here.test"))).kind is Kind.ELSEWHERE
    assert (await Router(house.directory, "mx.far.test").route(Address("postmaster", ""))).kind is Kind.UNKNOWN


async def test_domains_beyond_ascii_are_the_same_in_both_forms(house: House) -> None:
    await house.directory.add_domain("bücher.test")
    await house.account("łukasz@bücher.test")
    for text in ("ŁUKASZ@BÜCHER.test", "łukasz@xn--bcher-kva.test"):
        assert accounts(await house.router.route(address(text))) == {("łukasz@bücher.test", "")}
