"""What the provider promises to be quick at, measured; docs/benchmarks.md tells how and how quick."""
