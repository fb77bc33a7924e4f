"""What several test modules share, a module for each noun. Nothing is imported from a test module."""
