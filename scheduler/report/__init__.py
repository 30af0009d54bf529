"""What became of a job, as one HTML page that needs nothing else: `report.html`."""

from scheduler.report.storing import NAME as NAME
from scheduler.report.storing import read_report as read_report
from scheduler.report.storing import store_report as store_report
