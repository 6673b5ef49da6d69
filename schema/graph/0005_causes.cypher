// Causes of every kind: an erasure by its key, and a flag's causes in the order in which they were recorded.
CREATE CONSTRAINT erasure_key IF NOT EXISTS FOR (n:Erasure) REQUIRE n.key IS UNIQUE;
CREATE INDEX caused_by_listed IF NOT EXISTS FOR ()-[c:CAUSED_BY]-() ON (c.standing_for, c.recorded_at, c.uid);
MATCH (r:Revision {name: 'lineage'}) SET r.guard = randomUUID()
WITH r MATCH ()-[c:CAUSED_BY]->() WHERE c.uid IS NULL SET c.uid = randomUUID();
CALL db.awaitIndexes(300);
