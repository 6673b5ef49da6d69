// Shard-wise training: one sharding a run, one checkpoint a slice of a shard.
CREATE CONSTRAINT sharding_run IF NOT EXISTS FOR (n:Sharding) REQUIRE n.run IS UNIQUE;
CREATE CONSTRAINT checkpoint_cell IF NOT EXISTS FOR (n:Checkpoint) REQUIRE (n.run, n.shard, n.slice) IS UNIQUE;
