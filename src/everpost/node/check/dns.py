"""What the DNS says of this host and of the domains it hosts."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from everpost.core.resolver import Resolver, ResolverFailed
from everpost.node.check.finding import Finding, fault, ok, warning

# Of more domains only the first are looked at.
MAX_DOMAINS = 50
LOOK_SECONDS = 60.0


async def names(resolver: Resolver, hostname: str, domains: Sequence[str]) -> AsyncIterator[Finding]:
    """The host has addresses, they lead back to its name, and its domains' mail comes here."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            findings = [finding async for finding in _host(resolver, hostname)]
            for domain in domains[:MAX_DOMAINS]:
                findings.append(await _domain(resolver, hostname, domain))
    except (ResolverFailed, TimeoutError):
        yield fault("DNS", "the servers do not answer", "put dns.servers right, or /etc/resolv.conf")
        return
    for finding in findings:
        yield finding


async def _host(resolver: Resolver, hostname: str) -> AsyncIterator[Finding]:
    addresses = [*(await resolver.a(hostname)).records, *(await resolver.aaaa(hostname)).records]
    if not addresses:
        yield fault("DNS", f"{hostname} has no address", f"add an A and an AAAA record for {hostname}")
        return
    yield ok("DNS", f"{hostname} is {', '.join(addresses)}")
    for address in addresses:
        back = (await resolver.ptr(address)).records
        if hostname.lower() in {name.lower().rstrip(".") for name in back}:
            yield ok("DNS", f"{address} leads back to {hostname}")
        else:
            yield warning(
                "DNS",
                f"{address} leads back to {', '.join(back) or 'nothing'}: other servers distrust that",
                f"have whoever gave you the address set its PTR record to {hostname}",
            )


async def _domain(resolver: Resolver, hostname: str, domain: str) -> Finding:
    exchanges = [record.exchange.lower() for record in (await resolver.mx(domain)).records]
    if hostname.lower() in exchanges:
        return ok("DNS", f"mail for {domain} comes to this host")
    mend = f"{domain}. MX 10 {hostname}."
    if exchanges:
        return warning(
            "DNS",
            f"mail for {domain} goes to {', '.join(exchanges)}",
            f"if that is not another node or a filter: {mend}",
        )
    return fault("DNS", f"{domain} has no MX record", mend)
