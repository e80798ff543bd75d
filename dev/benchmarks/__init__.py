"""Measures the goals of docs/benchmarks.md and docs/waiting.md. ``make bench`` runs most of it."""
