"""Whatever a partner or a person sends: a value, or an error in words; never a crash, never a wrong amount."""
