"""What became of a job, as one HTML page that needs nothing else: `report.html`."""

from scheduler.report.material import Material as Material
from scheduler.report.material import gather as gather
from scheduler.report.page import render as render
from scheduler.report.storing import NAME as NAME
from scheduler.report.storing import read_report as read_report
from scheduler.report.storing import store_report as store_report
