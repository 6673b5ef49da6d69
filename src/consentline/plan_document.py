"""A retraining plan as one JSON document, by the names of the API."""

from typing import Any

from consentline.domain.plan_steps import PlannedShards, Step
from consentline.domain.sharding import Checkpoint, ShardRetraining
from consentline.plan_text import show_time
from consentline.usecases.plans import PlanAnswer


def document(answer: PlanAnswer) -> dict[str, Any]:
    """The plan by the names of the API, with everything that it pages."""
    plan = answer.plan
    saving = plan.saving
    return {
        "modelVersion": answer.asked,
        "by": None if answer.by is None else show_time(answer.by),
        "plannedAt": show_time(answer.planned_at),
        "affectedPostCount": plan.posts,
        "steps": [_step(step) for step in plan.steps],
        "levels": [list(models) for models in plan.levels],
        "deadlines": [{"dueAt": show_time(each.due_at), "modelVersions": list(each.models)} for each in plan.deadlines],
        "saving": {
            "retrainings": saving.retrainings,
            "retrainingsOneByOne": saving.one_by_one,
            "cost": saving.cost,
            "costOneByOne": saving.cost_one_by_one,
        },
        "retired": list(plan.retired),
        "unproductiveRuns": list(plan.unproductive),
        "checkpointsToDelete": [{"run": each.run, **_checkpoint(each.checkpoint)} for each in plan.doomed],
        "cannotRuleOut": [
            {
                "datasetVersion": str(each.version),
                "trainingRuns": list(each.runs),
                "modelVersions": list(each.models),
                "postCount": each.posts,
                "objectionCount": each.objections,
            }
            for each in plan.possibilities
        ],
        "laterFlagCount": plan.later,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "modelVersion": step.model,
        "level": step.level,
        "flagDueAt": None if step.flag is None else show_time(step.flag.due_at),
        "neededBy": show_time(step.needed_by),
        "early": step.early,
        "requiredBy": list(step.required_by),
        "method": step.method,
        "trainingRun": step.run,
        "bases": [
            {"modelVersion": each.model, "relation": each.relation, "choice": each.choice, "instead": each.instead}
            for each in step.bases
        ],
        "inputs": [
            {
                "datasetVersion": str(each.version),
                "choice": each.choice,
                "successor": None if each.successor is None else str(each.successor),
                "affectedPostCount": each.posts,
                "ineligibleCount": each.ineligible,
                "shards": [{"key": count.shard, "affectedPostCount": count.posts} for count in each.shards],
            }
            for each in step.inputs
        ],
        "sharding": None if step.shards is None else _shards(step.shards),
        "eventCount": len(step.events),
        "posts": list(step.keys),
        "cost": step.cost,
        "costOneByOne": step.cost_one_by_one,
        "obstacles": [
            {
                "kind": each.kind,
                "datasetVersion": None if each.version is None else str(each.version),
                "postCount": each.posts,
            }
            for each in step.obstacles
        ],
    }


def _shards(shards: PlannedShards) -> dict[str, Any]:
    return {
        "shards": shards.of_shards,
        "slices": shards.of_slices,
        "retrained": [_shard(each) for each in shards.retrained],
        "wholeBecause": shards.whole_because,
        "expectedShards": shards.expected_shards,
        "cost": shards.cost,
    }


def _shard(each: ShardRetraining) -> dict[str, Any]:
    return {
        "shard": each.shard,
        "firstSlice": each.first_slice,
        "postCount": each.posts,
        "resumeFrom": None if each.resume is None else _checkpoint(each.resume),
        "fromSlice": each.from_slice,
        "cost": each.cost,
    }


def _checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "shard": checkpoint.cell.shard,
        "slice": checkpoint.cell.slice,
        "uri": checkpoint.uri,
        "digest": checkpoint.digest,
    }
