"""The parts of the page "Dataset": one file a tab, and what they share."""
