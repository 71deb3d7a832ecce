"""Evidence for and against what the tables say: each file asks one thing of the data or of the published scores."""
