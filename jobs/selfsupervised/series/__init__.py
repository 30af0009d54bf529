"""Time series: forecast what comes, fill in what is missing."""
