"""The doctor: checks of a run, from the connection to GitLab to the model's credentials, each with its remedy."""
