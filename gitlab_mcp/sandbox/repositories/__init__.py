"""The bare git repositories behind the projects."""
