// Uniqueness of every natural key, and the indexes by which people, posts and memberships are reached.
// Numbered and immutable: a later change is a new file. One statement ends with a semicolon at the end of a line.
CREATE CONSTRAINT user_key IF NOT EXISTS FOR (n:User) REQUIRE n.key IS UNIQUE;
CREATE CONSTRAINT post_key IF NOT EXISTS FOR (n:Post) REQUIRE n.key IS UNIQUE;
CREATE CONSTRAINT policy_key IF NOT EXISTS FOR (n:Policy) REQUIRE (n.key, n.version) IS UNIQUE;
CREATE CONSTRAINT notice_key IF NOT EXISTS FOR (n:Notice) REQUIRE (n.key, n.version) IS UNIQUE;
CREATE CONSTRAINT objection_key IF NOT EXISTS FOR (n:Objection) REQUIRE n.key IS UNIQUE;
CREATE CONSTRAINT dataset_key IF NOT EXISTS FOR (n:Dataset) REQUIRE n.key IS UNIQUE;
CREATE CONSTRAINT dataset_version_number IF NOT EXISTS FOR (n:DatasetVersion) REQUIRE (n.dataset, n.number) IS UNIQUE;
CREATE CONSTRAINT shard_key IF NOT EXISTS FOR (n:Shard) REQUIRE n.key IS UNIQUE;
CREATE CONSTRAINT training_run_key IF NOT EXISTS FOR (n:TrainingRun) REQUIRE n.key IS UNIQUE;
CREATE CONSTRAINT model_version_key IF NOT EXISTS FOR (n:ModelVersion) REQUIRE n.key IS UNIQUE;
CREATE CONSTRAINT feature_key IF NOT EXISTS FOR (n:Feature) REQUIRE n.key IS UNIQUE;
CREATE CONSTRAINT retraining_flag_uid IF NOT EXISTS FOR (n:RetrainingFlag) REQUIRE n.uid IS UNIQUE;
CREATE CONSTRAINT retraining_flag_open_for IF NOT EXISTS FOR (n:RetrainingFlag) REQUIRE n.open_for IS UNIQUE;
CREATE CONSTRAINT revision_name IF NOT EXISTS FOR (n:Revision) REQUIRE n.name IS UNIQUE;
CREATE INDEX in_shard_from IF NOT EXISTS FOR ()-[m:IN_SHARD]-() ON (m.dataset, m.from_version);
CREATE INDEX in_shard_to IF NOT EXISTS FOR ()-[m:IN_SHARD]-() ON (m.dataset, m.to_version);
CREATE INDEX objection_status IF NOT EXISTS FOR (n:Objection) ON (n.status, n.received_at, n.key);
CREATE INDEX objection_received IF NOT EXISTS FOR (n:Objection) ON (n.received_at, n.key);
CREATE INDEX flag_status IF NOT EXISTS FOR (n:RetrainingFlag) ON (n.status, n.raised_at, n.uid);
CREATE INDEX flag_raised IF NOT EXISTS FOR (n:RetrainingFlag) ON (n.raised_at, n.uid);
CREATE INDEX flag_model IF NOT EXISTS FOR (n:RetrainingFlag) ON (n.model, n.raised_at, n.uid);
CREATE INDEX caused_by_standing IF NOT EXISTS FOR ()-[c:CAUSED_BY]-() ON (c.standing_for, c.due_at);
MERGE (r:Revision {name: 'lineage'}) ON CREATE SET r.value = randomUUID();
