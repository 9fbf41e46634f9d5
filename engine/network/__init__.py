"""The only way out of a container: policy, gateway, relay (SPEC N1-N6)."""
