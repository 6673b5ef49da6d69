"""Dataset versions, runs outside the gate, derivations."""

from collections.abc import Sequence
from typing import Any

from tests.scenarios.facts import FactsTeller
from tests.scenarios.story import KnownVersion
from tests.scenarios.world import DATASETS, MODELS, PLATFORMS, RUNS


class LineageTeller(FactsTeller):
    """What was made of the posts."""

    def tell_lineage(self) -> None:
        self.tell_complete()
        self.tell_run()
        actions = {
            "complete": self.tell_complete,
            "building": self.tell_building,
            "undocumented": self.tell_undocumented,
            "run": self.tell_run,
            "derivation": self.tell_derivation,
            "synthetic": self.tell_synthetic,
        }
        weighted = (*("run", "complete", "building", "derivation", "synthetic", "undocumented") * 2, "run", "run")
        for _ in range(self.between(4, 9)):
            actions[self.one(weighted)]()
        self.tell_run()
        for version in self.story.readable():
            if self.chance(10) and version.ready is not None:
                given = {"dataset": version.dataset, "number": version.number, "reason": "a licence ended"}
                self.story.add(("withdrawDatasetVersion", given), [version.ready, *version.derived])
        if self.story.models and self.chance(15):
            model, created = self.one(sorted(self.story.models.items()))
            self.story.add(("serveFeature", {"feature": "advertising", "modelVersion": model}), [created])

    def register(self, dataset: str, given: dict[str, Any], upstream: Sequence[KnownVersion]) -> KnownVersion | None:
        """A registration after all before it in its dataset; None where an unsealed version stands in its way."""
        story, siblings = self.story, self.story.of_dataset(dataset)
        coverage, building = given["coverage"], any(version.ready is None for version in siblings)
        number = len(siblings) + 1
        if number > 4 or (coverage == "COMPLETE" and building):
            return None
        if upstream:
            given["derivedFrom"] = [{"dataset": version.dataset, "number": version.number} for version in upstream]
        if self.chance(30):
            given["number"] = number
        after = [version.registered for version in siblings]
        if coverage == "COMPLETE":
            after += [version.ready for version in siblings if version.ready is not None]
        after += [version.ready for version in upstream if version.ready is not None]
        after += [story.models[model] for model in given.get("generatedBy", ())]
        fact = story.add(("registerDatasetVersion", {"dataset": dataset, **given}), after)
        version = KnownVersion(dataset, number, coverage, set(given.get("posts", ())), fact, fact)
        for base in upstream:
            base.derived.append(fact)
        story.versions.append(version)
        return version

    def upstream(self, percent: int) -> list[KnownVersion]:
        readable = self.story.readable()
        chosen = self.some(range(len(readable)), least=1, most=2) if self.chance(percent) else []
        return [readable[index] for index in chosen]

    def tell_complete(self) -> None:
        upstream = self.upstream(35)
        held = sorted(set().union(*(version.members for version in upstream)))
        posts = self.some(held) if held and self.chance(70) else self.some(self.posts, least=2, most=6)
        self.register(self.one(DATASETS), {"coverage": "COMPLETE", "posts": posts}, upstream)

    def tell_building(self) -> None:
        dataset = self.one(DATASETS)
        bases = [
            each for each in self.story.of_dataset(dataset) if each.coverage == "COMPLETE" and each.ready is not None
        ]
        base = self.one(bases) if bases and self.chance(75) else None
        given: dict[str, Any] = {"coverage": "COMPLETE"}
        if base is not None:
            given["basedOn"] = base.number
        version = self.register(dataset, given, self.upstream(15))
        if version is None:
            return
        inherited = base.members if base is not None else set[str]()
        if base is not None:
            base.derived.append(version.registered)
        removed = self.some(sorted(inherited), most=2)
        added = self.some([post for post in self.posts if self.disputed or post not in removed], most=3)
        version.members = (inherited - set(removed)) | set(added)
        named = {"dataset": dataset, "version": version.number}
        changes = [{"kind": "member", **named, "post": post} for post in added]
        changes += [{"kind": "member_removed", **named, "post": post} for post in removed]
        facts = [self.story.add(change, [version.registered]) for change in changes]
        sealed = self.chance(85)
        version.ready = self.story.add({"kind": "seal", **named}, [version.registered, *facts]) if sealed else None

    def tell_undocumented(self) -> None:
        self.register(self.one(DATASETS), self.unlisted(), self.upstream(40))

    def unlisted(self) -> dict[str, Any]:
        """A version without a manifest; one that rules nothing out only now and then."""
        if self.chance(15):
            return {"coverage": "UNDOCUMENTED"}
        selection: dict[str, Any] = {}
        if self.chance(70):
            selection["jurisdictions"] = self.some(("GB", "GB-SCT", "AU", "AU-NSW", "IE"), least=1, most=2)
        if self.chance(60):
            selection["platforms"] = self.some(PLATFORMS, least=1, most=2)
        if self.chance(40):
            selection["publishedFrom"] = self.moment(1, 2)
        if self.chance(40):
            selection["publishedBefore"] = self.moment(3 if "publishedFrom" in selection else 1)
        return {"coverage": "DECLARED", "declaredSelection": selection}

    def tell_synthetic(self) -> None:
        models = sorted(self.story.models)
        if not models:
            return
        given: dict[str, Any] = {"coverage": "COMPLETE", "posts": self.some(self.posts, most=1)}
        if self.chance(25):
            given = self.unlisted()
        given["generatedBy"] = self.some(models, least=1, most=2)
        self.register(self.one(DATASETS), given, self.upstream(20))

    def free_model(self) -> tuple[str, str] | None:
        free = [model for model in MODELS if ":".join(model) not in self.story.models]
        return free[0] if free else None

    def tell_run(self) -> None:
        story, model = self.story, self.free_model()
        readable = story.readable()
        if story.runs == len(RUNS) or not readable:
            return
        # The newest versions are read more often: what was derived or generated is to be consumed.
        newest = readable[-3:] if self.chance(60) else readable
        inputs = [newest[index] for index in self.some(range(len(newest)), least=1, most=2)]
        given: dict[str, Any] = {
            "run": RUNS[story.runs],
            "inputs": [{"dataset": version.dataset, "number": version.number} for version in inputs],
            "startedAt": self.moment(1),
        }
        if self.chance(60):
            given["purpose"] = self.one(("AI_TRAINING", "AI_TRAINING", "ADS"))
        bases = self.some(sorted(story.models), least=1, most=2) if self.chance(35) else []
        if bases:
            given["startedFrom"] = bases
        produces = model is not None and (not story.models or not self.chance(20))
        if produces and model is not None:
            given |= {"model": model[0], "version": model[1]}
        after = [version.ready for version in inputs if version.ready is not None]
        fact = story.add(("recordTraining", given), [*after, *(story.models[base] for base in bases)])
        story.runs += 1
        if produces and model is not None:
            story.models[":".join(model)] = fact

    def tell_derivation(self) -> None:
        story, new = self.story, self.free_model()
        models = list(story.models)  # in the order of creation: influence runs from the earlier to the later
        if not models:
            return
        bases = self.some(models, least=1, most=2)
        later = models[1 + max(models.index(base) for base in bases) :]
        targets = [tuple(key.split(":")) for key in (models if self.disputed and self.chance(30) else later)]
        if new is not None and (not targets or self.chance(60)):
            targets = [new]
        if not targets:
            return
        model, version = self.one(targets)
        kind = {"m1": "FINE_TUNE", "m2": "MERGE", "m3": "DISTILLATION", "m4": "ADAPTER", "m5": "QUANTIZATION"}[model]
        given = {"model": model, "version": version, "from": bases, "kind": kind}
        target = f"{model}:{version}"
        created = [story.models[target]] if target in story.models else []
        fact = story.add(("deriveModelVersion", given), [*(story.models[base] for base in bases), *created])
        story.models.setdefault(target, fact)
