"""What shows that no render is paid twice or runs on unseen. ``make reliability`` runs it."""
