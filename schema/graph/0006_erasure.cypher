// Erasures: found by key, and by state in the order of receipt.
CREATE CONSTRAINT erasure_key IF NOT EXISTS FOR (n:Erasure) REQUIRE n.key IS UNIQUE;
CREATE INDEX erasure_status IF NOT EXISTS FOR (n:Erasure) ON (n.status, n.received_at, n.key);
CREATE INDEX erasure_received IF NOT EXISTS FOR (n:Erasure) ON (n.received_at, n.key);
CALL db.awaitIndexes(300);
