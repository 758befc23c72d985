import random
from ipaddress import ip_network

import pytest

from everpost.core.errors import EverpostError
from everpost.core.resolver import ResolverFailed
from everpost.delivery.remote.destination import (
    Destinations,
    Hop,
    LoopsBack,
    NoSuchDomain,
    NotFound,
    NullMx,
)
from tests.delivery.fakes import FakeResolver


def make(resolver: FakeResolver, **more: object) -> Destinations:
    return Destinations(resolver, random.Random(1), **more)  # type: ignore[arg-type]


async def tried(destinations: Destinations, domain: str) -> list[tuple[str, str, int]]:
    destination = await destinations.find(domain)
    return [(host.name, address, host.port) async for host, address in destinations.candidates(destination)]


async def test_hosts_are_tried_in_the_order_of_preference() -> None:
    resolver = FakeResolver(
        mx_records={"x.test": [(30, "c.test"), (10, "a.test"), (20, "b.test")]},
        addresses={"a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"], "c.test": ["192.0.2.3"]},
    )
    assert await tried(make(resolver), "x.test") == [
        ("a.test", "192.0.2.1", 25),
        ("b.test", "192.0.2.2", 25),
        ("c.test", "192.0.2.3", 25),
    ]


async def test_hosts_of_equal_preference_share_the_load() -> None:
    names = [f"{letter}.test" for letter in "abcd"]
    resolver = FakeResolver(
        mx_records={"x.test": [(10, name) for name in names] + [(5, "first.test")]},
        addresses={name: ["192.0.2.1"] for name in [*names, "first.test"]},
    )
    destinations = make(resolver)
    orders = {tuple(host.name for host in (await destinations.find("x.test")).hosts) for _ in range(40)}
    assert all(order[0] == "first.test" for order in orders)
    assert {order[1] for order in orders} == set(names)


async def test_addresses_of_both_kinds_take_turns() -> None:
    resolver = FakeResolver(
        mx_records={"x.test": [(10, "a.test")]},
        addresses={"a.test": ["192.0.2.1", "192.0.2.2", "2001:db8::1"]},
    )
    found = [address for _, address, _ in await tried(make(resolver), "x.test")]
    assert found[0] == "2001:db8::1"
    assert sorted(found[1:]) == ["192.0.2.1", "192.0.2.2"]


async def test_later_hosts_are_not_looked_up_before_they_are_needed() -> None:
    resolver = FakeResolver(
        mx_records={"x.test": [(10, "a.test"), (20, "b.test")]},
        addresses={"a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"]},
    )
    destinations = make(resolver)
    candidates = destinations.candidates(await destinations.find("x.test"))
    assert (await anext(candidates))[1] == "192.0.2.1"
    assert "b.test" not in resolver.asked


async def test_without_mx_the_domain_itself_is_the_host() -> None:
    resolver = FakeResolver(addresses={"x.test": ["192.0.2.9"]})
    assert await tried(make(resolver, port=2525), "x.test") == [("x.test", "192.0.2.9", 2525)]


@pytest.mark.parametrize(
    ("resolver", "kind", "status"),
    [
        (FakeResolver(mx_records={"x.test": [(0, "")]}), NullMx, "5.1.10"),
        (FakeResolver(mx_records={"x.test": [(0, "."), (0, "")]}), NullMx, "5.1.10"),
        (FakeResolver(), NoSuchDomain, "5.1.2"),
        (FakeResolver(mx_records={"x.test": []}), NoSuchDomain, "5.4.4"),
        (FakeResolver(mx_records={"x.test": [(10, "gone.test")]}), NotFound, "4.4.4"),
        (FakeResolver(broken={"x.test"}), ResolverFailed, "4.4.3"),
        (FakeResolver(mx_records={"x.test": [(10, "a.test")]}, broken={"a.test"}), ResolverFailed, "4.4.3"),
        (FakeResolver(mx_records={"x.test": [(10, "us.test")]}), LoopsBack, "5.4.6"),
        (
            FakeResolver(mx_records={"x.test": [(10, "a.test")]}, addresses={"a.test": ["198.51.100.7"]}),
            LoopsBack,
            "5.4.6",
        ),
        (
            FakeResolver(mx_records={"x.test": [(10, "a.test")]}, addresses={"a.test": ["::ffff:198.51.100.7"]}),
            LoopsBack,
            "5.4.6",
        ),
    ],
)
async def test_where_no_mail_can_go(resolver: FakeResolver, kind: type[EverpostError], status: str) -> None:
    destinations = make(
        resolver, own_names=frozenset({"us.test"}), own_networks=(ip_network("198.51.100.0/24"), ip_network("::1"))
    )
    with pytest.raises(kind) as caught:
        await tried(destinations, "x.test")
    assert caught.value.status == status


async def test_null_mx_beside_others_is_ignored() -> None:
    # RFC 7505 section 3: a null MX must stand alone; beside others it means nothing.
    resolver = FakeResolver(mx_records={"x.test": [(0, ""), (10, "a.test")]}, addresses={"a.test": ["192.0.2.1"]})
    assert [name for name, _, _ in await tried(make(resolver), "x.test")] == ["a.test"]


async def test_hosts_as_far_away_as_ourselves_are_left_out() -> None:
    resolver = FakeResolver(
        mx_records={"x.test": [(10, "a.test"), (20, "us.test"), (20, "b.test"), (30, "c.test")]},
        addresses={"a.test": ["192.0.2.1"]},
    )
    destinations = make(resolver, own_names=frozenset({"us.test"}))
    assert [host.name for host in (await destinations.find("x.test")).hosts] == ["a.test"]


async def test_a_host_with_our_address_ends_the_list() -> None:
    resolver = FakeResolver(
        mx_records={"x.test": [(10, "a.test"), (20, "alias.test"), (30, "c.test")]},
        addresses={"a.test": ["192.0.2.1"], "alias.test": ["198.51.100.7"], "c.test": ["192.0.2.3"]},
    )
    found = await tried(make(resolver, own_networks=(ip_network("198.51.100.7"),)), "x.test")
    assert [address for _, address, _ in found] == ["192.0.2.1"]


async def test_one_kind_of_address_is_enough() -> None:
    class OnlyV4(FakeResolver):
        async def aaaa(self, name: str) -> object:  # type: ignore[override]
            raise ResolverFailed("no answer")

    resolver = OnlyV4(mx_records={"x.test": [(10, "a.test")]}, addresses={"a.test": ["192.0.2.1"]})
    assert [address for _, address, _ in await tried(make(resolver), "x.test")] == ["192.0.2.1"]


@pytest.mark.parametrize(("literal", "address"), [("[192.0.2.5]", "192.0.2.5"), ("[ipv6:2001:db8::5]", "2001:db8::5")])
async def test_address_literals_need_no_dns(literal: str, address: str) -> None:
    resolver = FakeResolver()
    assert [found for _, found, _ in await tried(make(resolver), literal)] == [address]
    assert resolver.asked == []


async def test_an_unknown_kind_of_literal_is_refused() -> None:
    with pytest.raises(NoSuchDomain):
        await make(FakeResolver()).find("[x400:abc]")


async def test_the_operators_table_goes_before_the_dns() -> None:
    resolver = FakeResolver(addresses={"smart.test": ["198.51.100.7"]})
    destinations = make(
        resolver,
        own_networks=(ip_network("198.51.100.0/24"),),
        routes={"x.test": (Hop("smart.test", 587),), "*": (Hop("192.0.2.200"),)},
    )
    assert await tried(destinations, "x.test") == [("smart.test", "198.51.100.7", 587)]
    assert await tried(destinations, "other.test") == [("192.0.2.200", "192.0.2.200", 25)]
