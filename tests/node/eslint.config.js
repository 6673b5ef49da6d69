// graphql-eslint's recommended and Relay rule sets over the exported schema, with the exceptions that the API means.
import graphql from "@graphql-eslint/eslint-plugin";

const configs = graphql.configs;

// Values without an identity of their own: they are read with what holds them, and are never fetched again by id.
const VALUES = [
  "PageInfo", "UserError", "ConsentState", "Eligibility", "PostUsage", "UserUsage", "PostUse", "LineageStep",
  "LineageGraph", "DatasetVersionDiff", "BuildProgress", "ReasonCount", "TrainingRefusal", "RecordedRefusal",
  "NoticeCoverage", "NoticeDay", "ObjectionEvent", "ObjectionFigures", "ObjectionStatusCount", "DayCount",
  "DecisionTimes", "GroundCount", "TrainingFigures", "Sharding", "CellRange", "Checkpoint", "FlagCause",
  "AuditEntry", "AuditCount", "Recipient", "ErasureReport", "ErasedCounts",
  "RetrainingPlan", "PlanStep", "PlanBase", "PlanInput", "PlanDatasetShard",
  "PlanSharding", "PlanShard", "PlanObstacle", "PlanLevel", "PlanDeadline",
  "PlanSaving", "PlanPossibility",
];

export default [
  {
    files: ["**/*.graphql"],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: process.env.SCHEMA } },
    },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...configs["flat/schema-recommended"].rules,
      ...configs["flat/schema-relay"].rules,
      "@graphql-eslint/strict-id-in-types": [
        "error", { exceptions: { suffixes: ["Connection", "Edge", "Payload"], types: VALUES } },
      ],
      // Pages go forward: keyset cursors are read in one direction, and `last` would need each query twice.
      "@graphql-eslint/relay-arguments": ["error", { includeBoth: false }],
      // Lists that cannot grow (userErrors, inputs of a run) are plain lists; what a page lists may be a value (PostUse).
      "@graphql-eslint/relay-edge-types": [
        "error", { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
      ],
    },
  },
];
