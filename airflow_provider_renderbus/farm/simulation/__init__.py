"""The life of tasks on the embedded farm: states, machines, money, time."""
