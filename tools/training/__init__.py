"""Train the network of the synthetic athlete."""
