"""PSA Connector: mirrors PSA agreements into a payment gateway and writes the money back."""

__version__ = "0.1.0"
