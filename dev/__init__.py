"""Everything beside the product: demo, reliability, benchmarks, and the harness they share with the tests."""
