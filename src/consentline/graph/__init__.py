"""The only place that knows labels, properties and the driver."""
