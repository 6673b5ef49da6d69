"""A first load of very many records: sorted out of core, written as Neo4j's import files, imported offline.

    records  ->  staging  ->  import_files  ->  Neo4j's importer
                        \\->  later.ndjson   ->  ingest

People, posts and what is said of them are most of any load and go through the importer: the first record of each key,
and whatever repeats or completes it without contradicting. Every other line (policies, objections, manifests, records
that differ from an earlier one of their key) is kept in its order for `consentline ingest`, which alone decides about
it. So there is one set of rules, and the graph is the one that `ingest` makes.

It needs the extra `backfill` (duckdb, pyarrow).
"""
