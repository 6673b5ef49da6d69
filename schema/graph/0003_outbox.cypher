// The outbox: events by their stable id, and in the order in which they were written.
CREATE CONSTRAINT event_id IF NOT EXISTS FOR (n:Event) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT event_position IF NOT EXISTS FOR (n:Event) REQUIRE n.position IS UNIQUE;
CALL db.awaitIndexes(300);
