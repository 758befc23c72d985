"""AUTH: SASL in SMTP; announced where a mechanism can be used."""

from everpost.smtp.extensions.extension import BadParameter, Extension, Facts
from everpost.smtp.extensions.xtext import decode

RFCS = (4954,)


def _announce(facts: Facts) -> str | None:
    return "AUTH " + " ".join(facts.mechanisms) if facts.mechanisms else None


def _auth(text: str | None) -> str:
    if not text:
        raise BadParameter("AUTH needs an address or <>")
    return decode(text)


EXTENSION = Extension(announce=_announce, mail={"AUTH": ("auth", _auth)})
