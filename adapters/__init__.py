"""The partners, one package each, and the sandbox that stands in for them."""
