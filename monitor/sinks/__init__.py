"""Where detections go: the store, the broker, tables."""
