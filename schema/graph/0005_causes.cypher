// Causes of every kind: an erasure by its key, and a flag's causes in the order in which they were recorded. What is
// changed below of facts recorded before takes the lock under which services change it.
CREATE CONSTRAINT erasure_key IF NOT EXISTS FOR (n:Erasure) REQUIRE n.key IS UNIQUE;
CREATE INDEX caused_by_listed IF NOT EXISTS FOR ()-[c:CAUSED_BY]-() ON (c.standing_for, c.recorded_at, c.uid);
MATCH (r:Revision {name: 'lineage'}) SET r.guard = randomUUID()
WITH r MATCH ()-[c:CAUSED_BY]->() WHERE c.uid IS NULL SET c.uid = randomUUID();
// Members that concern what used them, found by dataset; model versions whose upstream is new; and how many posts with
// which memberships a policy governs whose assessment expired.
CREATE INDEX in_shard_concerned IF NOT EXISTS FOR ()-[m:IN_SHARD]-() ON (m.dataset, m.concerned);
CREATE INDEX model_version_unsettled IF NOT EXISTS FOR (n:ModelVersion) ON (n.unsettled);
CREATE CONSTRAINT holding_key IF NOT EXISTS FOR (n:Holding) REQUIRE (n.policy, n.version, n.digest) IS UNIQUE;
// Members recorded before are judged by the next sweep, for every purpose and for what rests on none.
MATCH (r:Revision {name: 'lineage'}) SET r.guard = randomUUID()
WITH r MATCH (d:Dataset) SET d.unjudged = [''] + COLLECT { MATCH (p:Policy) RETURN DISTINCT p.purpose };
CALL db.awaitIndexes(300);
