// The training gate: counts of ineligible members as differences, and when a member is due to be judged again.
// Members recorded before are judged at the next authorisation: every dataset is marked for every purpose. What is
// changed below of facts recorded before takes the lock under which services change it, so that it may be repeated
// beside one that serves already.
CREATE CONSTRAINT tally_key IF NOT EXISTS FOR (n:Tally) REQUIRE (n.dataset, n.purpose) IS UNIQUE;
CREATE INDEX in_shard_recheck IF NOT EXISTS FOR ()-[m:IN_SHARD]-() ON (m.dataset, m.recheck_at);
MATCH (r:Revision {name: 'lineage'}) SET r.guard = randomUUID()
WITH r MATCH (d:Dataset) SET d.unjudged = COLLECT { MATCH (p:Policy) RETURN DISTINCT p.purpose };
// Objections by urgency: `deadline` is kept while they are undecided. Figures of a period: what was decided and extended.
CREATE INDEX objection_deadline IF NOT EXISTS FOR (n:Objection) ON (n.deadline, n.key);
CREATE INDEX objection_decided IF NOT EXISTS FOR (n:Objection) ON (n.decided_at, n.key);
CREATE INDEX objection_extended IF NOT EXISTS FOR (n:Objection) ON (n.extended_at, n.key);
MATCH (o:Objection {status: 'PENDING'}) CALL (o) {
  SET o.guard = true REMOVE o.guard
  WITH o.key AS key MATCH (p:Objection {key: key, status: 'PENDING'})
  SET p.deadline = coalesce(p.extended_to, p.due_at)
} IN TRANSACTIONS;
// What the gate refused, by time: for reports.
CREATE INDEX refusal_refused IF NOT EXISTS FOR (n:Refusal) ON (n.refused_at, n.uid);
// Runs whose violations are to be counted yet: those recorded before are, when a service starts.
CREATE INDEX training_run_unjudged IF NOT EXISTS FOR (n:TrainingRun) ON (n.unjudged);
MATCH (r:Revision {name: 'lineage'}) SET r.guard = randomUUID()
WITH r MATCH (t:TrainingRun) WHERE t.started_at IS NOT NULL AND t.status <> 'FAILED' SET t.unjudged = true;
// People by where a fact places them, in the order in which that was recorded: for notice coverage and campaigns.
CREATE INDEX user_fact_value IF NOT EXISTS FOR (n:UserFact) ON (n.field, n.value, n.recorded_at);
CALL db.awaitIndexes(300);
