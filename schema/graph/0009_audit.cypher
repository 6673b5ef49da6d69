// The audit: entries that are only ever added, found by time, role, token and outcome, by operation and subject.
CREATE CONSTRAINT audit_entry_uid IF NOT EXISTS FOR (n:AuditEntry) REQUIRE n.uid IS UNIQUE;
CREATE INDEX audit_entry_at IF NOT EXISTS FOR (n:AuditEntry) ON (n.at, n.uid);
CREATE INDEX audit_entry_role IF NOT EXISTS FOR (n:AuditEntry) ON (n.role, n.at, n.uid);
CREATE INDEX audit_entry_token IF NOT EXISTS FOR (n:AuditEntry) ON (n.token_id, n.at, n.uid);
CREATE INDEX audit_entry_outcome IF NOT EXISTS FOR (n:AuditEntry) ON (n.outcome, n.at, n.uid);
CREATE INDEX audit_term_term IF NOT EXISTS FOR (n:AuditTerm) ON (n.term, n.at, n.uid);
CALL db.awaitIndexes(300);
