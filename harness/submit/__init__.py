"""From runs to a submission file that is checked before anything is sent."""
