"""The repository of a project on GitLab: one interface, over REST or over git, and what agents commit to it."""
