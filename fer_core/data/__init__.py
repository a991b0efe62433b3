"""FER2013 and FER+: reading them, splitting them, and knowing what is wrong with them."""
