// Recipients of datasets (UK GDPR Art. 19).
CREATE CONSTRAINT recipient_key IF NOT EXISTS FOR (n:Recipient) REQUIRE (n.dataset, n.key) IS UNIQUE;
CALL db.awaitIndexes(300);
