"""A worked consumer of Consentline: a small sharded text classifier that is retrained when somebody objects."""
