"""HTTP: routes, batching, workers, and the switch to a new release."""
