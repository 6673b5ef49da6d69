"""One function an intent: opens the transaction, applies the domain's rules, calls the graph."""
