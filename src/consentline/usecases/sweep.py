"""What is left after a commit, and what time brings about: worked off by whoever comes first, in small transactions.

Runs whose members are to be counted, model versions whose upstream is new, members whose judgement a policy or time may
have changed. Use cases call their part after the commit; services and workers call `sweep` again and again. Stopped at
any moment, everything is finished by the next call.
"""

from collections.abc import Collection

from consentline.domain.lineage import Lineage
from consentline.domain.violations import models_made_from, read_datasets, versions_held_by
from consentline.graph import concerns, upper
from consentline.graph.session import Tx
from consentline.usecases.causes import Concerned, reconcile
from consentline.usecases.counts import refresh_datasets
from consentline.usecases.service import Service
from consentline.usecases.violations import judge_runs

_POSTS_AT_ONCE = 1000


async def sweep(service: Service) -> None:
    """Do what is left, and what became due by time alone; flags and counts are exact afterwards."""
    await judge_runs(service)
    await settle_models(service)
    await judge_members(service)


async def judge_members(service: Service) -> None:
    """Judge again the members that started runs may have read and that a policy or time may have changed."""
    await refresh_datasets(service, read_datasets(await service.lineage()))


async def to_be_settled(tx: Tx, lineage: Lineage, models: Collection[str]) -> list[str]:
    """The model versions whose upstream is new and whose influence reaches one of these, sorted."""
    if not models:
        return []
    marked = await concerns.unsettled(tx)
    return sorted(model for model in marked if not models_made_from(lineage, model).isdisjoint(models))


async def settle_models(service: Service, only: Collection[str] | None = None) -> None:
    """Find the members that concern the model versions whose upstream is new (these only), and bring flags in line."""
    for model, mark in sorted((await service.graph.read(concerns.unsettled)).items()):
        if only is None or model in only:
            await _settle_model(service, model, mark)


async def _settle_model(service: Service, model: str, mark: str) -> None:
    datasets = {ref.dataset for ref in versions_held_by(await service.lineage(), model)}
    await refresh_datasets(service, datasets)
    posts = await service.graph.read(lambda tx: concerns.of_datasets(tx, datasets))
    for begin in range(0, len(posts), _POSTS_AT_ONCE):
        batch = posts[begin : begin + _POSTS_AT_ONCE]

        async def of_members(tx: Tx, batch: Collection[str] = batch) -> None:
            lineage = await service.lineages.at(await upper.lock(tx), tx)
            concerned = Concerned(posts=set(batch), authors=set(await concerns.authors(tx, batch)))
            await reconcile(tx, service, lineage, await upper.recording_time(tx), concerned)

        await service.graph.write(of_members)

    async def of_policies(tx: Tx) -> None:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        now = await upper.recording_time(tx)
        await concerns.mark_settled(tx, model, mark)
        expired = {policy.ref for policy in lineage.policies if policy.assessment_expired(now)}
        judged = models_made_from(lineage, model)
        await reconcile(tx, service, lineage, now, Concerned(policies=expired), judged=judged)

    await service.graph.write(of_policies)
