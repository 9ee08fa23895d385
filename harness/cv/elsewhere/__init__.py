"""Training on another machine than this one: settled here, played there, brought back."""
