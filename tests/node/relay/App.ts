// Operations as a Relay client has them: relay-compiler accepts the schema with connections, refetching, mutations
// and subscriptions. Compiled, never run.
import { graphql } from "relay-runtime";

graphql`
  query AppQuery($post: String!) {
    postUsage(post: $post) { verdict uses(first: 10) { edges { node { relation modelVersion { id key ...App_flags } } } } }
  }
`;
graphql`
  fragment App_flags on ModelVersion
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
  @refetchable(queryName: "AppFlagsQuery") {
    flags(first: $count, after: $cursor) @connection(key: "App_flags") { edges { node { id status dueAt } } }
  }
`;
graphql`
  mutation AppFileMutation($input: FileObjectionInput!) {
    fileObjection(input: $input) { objection { id status } userErrors { code message path } }
  }
`;
graphql`
  subscription AppFlagSubscription { retrainingFlagChanged { id status } }
`;
