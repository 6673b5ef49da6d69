// Follows a subscription with the clients of the protocols' authors, graphql-ws and graphql-sse, and prints of each the
// ids of the first COUNT events. It says "begun" once both follow; over graphql-ws that is after the acknowledged event.
import { createClient as overSse } from "graphql-sse";
import { createClient as overWebSocket } from "graphql-ws";
import WebSocket from "ws";

const { GRAPHQL_URL, TOKEN, QUERY, COUNT } = process.env;
const authorization = `Bearer ${TOKEN}`;

async function first(iterator, count) {
  const ids = [];
  for await (const answer of iterator) {
    if (answer.errors) throw new Error(JSON.stringify(answer.errors));
    ids.push(answer.extensions.event.id);
    if (ids.length === count) return ids;
  }
  throw new Error("it ended");
}

const acknowledged = Promise.withResolvers?.() ?? {};
acknowledged.promise ??= new Promise((resolve) => { acknowledged.resolve = resolve; });
const socket = overWebSocket({
  url: GRAPHQL_URL.replace("http", "ws"),
  webSocketImpl: WebSocket,
  lazy: false,
  connectionParams: { Authorization: authorization },
  on: { connected: (_socket, payload) => acknowledged.resolve(payload) },
});
const { event } = await acknowledged.promise;
const stream = overSse({
  url: GRAPHQL_URL,
  headers: { authorization },
  retryAttempts: 0,
});
const following = [
  first(socket.iterate({ query: QUERY, variables: { after: event } }), Number(COUNT)),
  first(stream.iterate({ query: QUERY, variables: { after: event } }), Number(COUNT)),
];
console.log("begun");
for (const ids of await Promise.all(following)) for (const id of ids) console.log(id);
await socket.dispose();
stream.dispose();
process.exit(0);
