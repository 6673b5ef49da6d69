"""Faults that are really injected: processes killed and frozen, disks that are full, clocks that step."""
