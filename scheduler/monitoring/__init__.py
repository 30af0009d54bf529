"""What a monitoring system asks for: the exporter of the scheduler, in Prometheus's text format."""
