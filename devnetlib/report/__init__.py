"""What is reported: the paper's numbers and claims, the statistics that compare, tables and figures. Needs no torch."""
