// Webhooks, and deliveries of events to them: what may be sent now, what waits in a lane, and lists for people.
CREATE CONSTRAINT webhook_uid IF NOT EXISTS FOR (n:Webhook) REQUIRE n.uid IS UNIQUE;
CREATE CONSTRAINT webhook_key IF NOT EXISTS FOR (n:Webhook) REQUIRE n.key IS UNIQUE;
CREATE INDEX webhook_status IF NOT EXISTS FOR (n:Webhook) ON (n.status, n.uid);
CREATE CONSTRAINT delivery_id IF NOT EXISTS FOR (n:Delivery) REQUIRE n.id IS UNIQUE;
CREATE INDEX delivery_ready IF NOT EXISTS FOR (n:Delivery) ON (n.ready_for, n.due_at);
CREATE INDEX delivery_queue IF NOT EXISTS FOR (n:Delivery) ON (n.queue, n.position);
CREATE INDEX delivery_webhook IF NOT EXISTS FOR (n:Delivery) ON (n.webhook, n.position);
CREATE INDEX delivery_webhook_status IF NOT EXISTS FOR (n:Delivery) ON (n.webhook, n.status, n.position);
CREATE INDEX delivery_status IF NOT EXISTS FOR (n:Delivery) ON (n.status, n.position, n.id);
CALL db.awaitIndexes(300);
