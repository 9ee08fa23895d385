"""What every floor stands on: errors with a cure, files that are complete or absent, the frame of a command."""
