// A tally is kept in blocks of 64 versions, so that what a fact writes does not grow with the versions of a dataset.
CREATE CONSTRAINT tally_block IF NOT EXISTS FOR (n:TallyBlock) REQUIRE (n.dataset, n.purpose, n.block) IS UNIQUE;
// This takes the lock under which services change tallies.
MATCH (r:Revision {name: 'lineage'}) SET r.guard = randomUUID()
WITH r MATCH (t:Tally)
WITH t, t.dataset AS dataset, t.purpose AS purpose, t.deltas AS deltas
FOREACH (block IN range(0, (size(deltas) + 63) / 64 - 1) | CREATE (:TallyBlock {
  dataset: dataset, purpose: purpose, block: block,
  deltas: [i IN range(block * 64, block * 64 + 63) | coalesce(deltas[i], 0)]
}))
DELETE t;
DROP CONSTRAINT tally_key IF EXISTS;
CALL db.awaitIndexes(300);
