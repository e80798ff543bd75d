"""Experiments that show that no render is paid twice or runs unnoticed. ``make reliability`` runs them."""
