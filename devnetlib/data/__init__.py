"""The data: cards and image tables, raw releases, partitions, pixels. Knows no model."""
