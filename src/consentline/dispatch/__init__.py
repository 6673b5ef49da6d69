"""Sending events to webhooks: the HTTP side of the outbox."""
