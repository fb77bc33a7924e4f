"""The configuration of a run: settings, the environment, the checkout, and what a CI job is about."""
