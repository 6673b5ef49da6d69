"""The comparisons: `make bench` runs them all, each module by itself runs one."""
