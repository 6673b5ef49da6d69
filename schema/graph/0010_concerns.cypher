// Members that concern what used them, found by dataset; model versions whose upstream is new; and how many posts with
// which memberships a policy governs whose assessment expired.
CREATE INDEX in_shard_concerned IF NOT EXISTS FOR ()-[m:IN_SHARD]-() ON (m.dataset, m.concerned);
CREATE INDEX model_version_unsettled IF NOT EXISTS FOR (n:ModelVersion) ON (n.unsettled);
CREATE CONSTRAINT holding_key IF NOT EXISTS FOR (n:Holding) REQUIRE (n.policy, n.version, n.digest) IS UNIQUE;
// Members recorded before are judged by the next sweep, for every purpose and for what rests on none. This takes the
// lock under which services change it.
MATCH (r:Revision {name: 'lineage'}) SET r.guard = randomUUID()
WITH r MATCH (d:Dataset)
SET d.unjudged = [''] + COLLECT { MATCH (p:Policy) RETURN DISTINCT p.purpose }, d.unjudged_mark = 'migrated';
CALL db.awaitIndexes(300);
