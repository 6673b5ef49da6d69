"""The GraphQL API: thin resolvers over use cases."""
