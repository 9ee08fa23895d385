"""What is asked of a cross-validation, by a command or from Python, and how it is carried out: the same from both."""
