"""Sending to hosts elsewhere: where to, one attempt, what came of it.

Places kept for what comes in the issue about outgoing mail ("pools, shaping, MTA-STS, DANE, reports"):
pools of source addresses and shaping per destination belong between `queue.runner` and `send` (the runner
asks for a slot per destination today); MTA-STS and DANE narrow `send.TlsWish` per host, fed by
`destination.Destination.authenticated`; TLS reports read `outcome.Outcome.tls`.
"""
