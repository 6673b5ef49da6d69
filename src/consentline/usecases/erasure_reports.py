"""What an erasure could not erase: read when it is asked for, for runs may still be recorded that read the posts."""

from dataclasses import dataclass

from consentline.domain.datasets import VersionRef
from consentline.domain.erasures import Erasure, ErasureLimit
from consentline.domain.instants import EVER
from consentline.domain.lineage import Lineage
from consentline.domain.usage import usage_of
from consentline.graph import person_usage, posts, upper
from consentline.graph.session import Tx
from consentline.usecases.service import Service


@dataclass(frozen=True, slots=True)
class Residue:
    """The model versions that used posts of the person, and the dataset versions that hold them; sorted."""

    model_versions: tuple[str, ...]
    held_in: tuple[VersionRef, ...]
    lineage: Lineage

    @property
    def datasets(self) -> list[str]:
        """The datasets that hold posts of the person, whose recipients are to be told (Art. 19); sorted."""
        return sorted({ref.dataset for ref in self.held_in})

    @property
    def limits(self) -> tuple[ErasureLimit, ...]:
        """Where the system cannot erase."""
        always = (ErasureLimit.BACKUPS, ErasureLimit.DATABASE_FILES)
        weights = (ErasureLimit.MODEL_WEIGHTS,) if self.model_versions else ()
        copies = (ErasureLimit.COPIES,) if self.held_in else ()
        return (*weights, *copies, *always)


async def residue(service: Service, erasure: Erasure) -> Residue:
    """What used and holds the person's posts, erased already or not."""

    async def work(tx: Tx) -> Residue:
        lineage = await service.lineages.at((await upper.now(tx)).revision)
        person = await posts.person(tx, [erasure.user])
        models: set[str] = set()
        held: set[VersionRef] = set()
        for group in await person_usage.groups(tx, person, EVER, ()) or ():
            usage = usage_of(lineage, group.example, group.memberships, EVER)
            models.update(use.model_version for use in usage.uses if use.model_version is not None)
            held.update(usage.held_in)
        return Residue(tuple(sorted(models)), tuple(sorted(held)), lineage)

    return await service.graph.read(work)
