// What became of objections after a time, so that figures can be given as they were known then.
CREATE INDEX transition_recorded IF NOT EXISTS FOR (n:Transition) ON (n.recorded_at);
CALL db.awaitIndexes(300);
