// The peer: @neo4j/graphql on @apollo/server, with @cypher fields that give the answers that the service gives.
// It knows the graph of bench/usage.py only: COMPLETE versions, runs that read them, one derivation deep.
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { Neo4jGraphQL } from "@neo4j/graphql";
import neo4j from "neo4j-driver";

const typeDefs = `#graphql
  type Keyed { key: String! }
  type Version { number: Int!  dataset: Keyed! }
  type Use { relation: String!  usedAt: String!  modelVersion: Keyed  trainingRun: Keyed!  datasetVersion: Version! }
  type UseEdge { node: Use! }
  type Uses { edges: [UseEdge!]! }
  type Usage { verdict: String!  uses: Uses! }
  type Listed { key: String!  platform: String  kind: String  publishedAt: String  deletedAt: String }

  type Query {
    postUsage(post: String!): Usage! @cypher(columnName: "usage", statement: """
      OPTIONAL MATCH (p:Post {key: $post})-[m:IN_SHARD]->(:Shard)
      OPTIONAL MATCH (v:DatasetVersion {dataset: m.dataset, status: 'SEALED'})
        WHERE m.from_version <= v.number AND v.number < coalesce(m.to_version, 9223372036854775807)
      OPTIONAL MATCH (v)<-[:CONSUMED]-(t:TrainingRun)-[:PRODUCED]->(r:ModelVersion)
      WITH v, t, r WHERE r IS NOT NULL
      UNWIND [[r, 'TRAINED_ON']] + [(r)<-[:DERIVED_FROM]-(d:ModelVersion) | [d, 'DERIVED_MODEL']] AS reached
      WITH v, t, reached[0] AS model, reached[1] AS relation ORDER BY model.key
      WITH collect({node: {
        relation: relation,
        usedAt: toString(datetime({epochMillis: t.started_at / 1000})),
        modelVersion: {key: model.key},
        trainingRun: {key: t.key},
        datasetVersion: {number: v.number, dataset: {key: v.dataset}}
      }}) AS edges
      RETURN {verdict: CASE WHEN size(edges) > 0 THEN 'USED' ELSE 'NOT_USED' END, uses: {edges: edges}} AS usage
    """)
    posts(keys: [String!]!): [Listed!]! @cypher(columnName: "post", statement: """
      UNWIND range(0, size($keys) - 1) AS position
      MATCH (p:Post {key: $keys[position]})
      WITH p, position ORDER BY position
      RETURN {
        key: p.key, platform: p.platform, kind: p.kind,
        publishedAt: toString(datetime({epochMillis: p.published_at / 1000})),
        deletedAt: head([first IN [reduce(first = null,
            t IN [(p)-[:CHANGED]->(c:PostChange {field: 'deleted'}) | c.valid_from] |
            CASE WHEN first IS NULL OR t < first THEN t ELSE first END)]
          WHERE first IS NOT NULL | toString(datetime({epochMillis: first / 1000}))])
      } AS post
    """)
  }
`;

const { NEO4J_URI, NEO4J_USER, NEO4J_PASSWORD, PORT } = process.env;
const driver = neo4j.driver(NEO4J_URI, neo4j.auth.basic(NEO4J_USER, NEO4J_PASSWORD), {
  disableLosslessIntegers: true,
  notificationFilter: { minimumSeverityLevel: "OFF" },
});
const server = new ApolloServer({ schema: await new Neo4jGraphQL({ typeDefs, driver }).getSchema() });
await startStandaloneServer(server, {
  listen: { host: "127.0.0.1", port: Number(PORT) },
  context: async () => ({ sessionConfig: { defaultAccessMode: neo4j.session.READ } }),
});
