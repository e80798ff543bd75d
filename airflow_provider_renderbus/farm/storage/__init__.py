"""The storage of the embedded farm: its folders, safe access to them, and how other processes find them."""
