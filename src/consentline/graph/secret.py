"""The check value of the secret under which digests are made: another secret would find nobody who was erased."""

from typing import LiteralString

from consentline.domain.errors import SettingsError
from consentline.domain.pseudonyms import Pseudonyms
from consentline.graph.session import Tx

KEEP: LiteralString = """
MERGE (s:Secret {name: 'pseudonyms'})
ON CREATE SET s.check = $check
"""

FIND: LiteralString = """
MATCH (s:Secret {name: 'pseudonyms'}) RETURN s.check AS check
"""


async def keep(tx: Tx, pseudonyms: Pseudonyms) -> None:
    """Keep the check value with the first digest that is stored, in the transaction that stores it.

    Raises:
        SettingsError: digests are stored already that were made under another secret.
    """
    await tx.rows(KEEP, check=pseudonyms.check)
    await check(tx, pseudonyms)


async def check(tx: Tx, pseudonyms: Pseudonyms) -> None:
    """Return when the digests that are stored, if any, were made under this secret.

    Raises:
        SettingsError: they were not: nobody who was erased would be found, or kept from being loaded again.
    """
    row = await tx.find(FIND)
    if row is not None and row["check"] != pseudonyms.check:
        raise SettingsError(
            "CONSENTLINE_PSEUDONYM_SECRET: is not the secret under which the digests in this graph were made"
        )
