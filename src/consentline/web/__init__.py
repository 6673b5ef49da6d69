"""The Starlette application: routes, authentication, ingest, health."""
