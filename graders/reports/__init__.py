"""Pages for people: a student's report, the instructor's, the class at a glance, and the table of grades.

- `student`: `report.html` and `instructor.html` of one student, and the executed notebooks behind them
- `overview`: `class.html`
- `grades`: `grades.csv`
- `views`: what a page may say of a check; here a hidden check loses everything that would give it away
- `visuals`: pictures that the checks' details hold, validated; `training`: curves from the evidence
- `charts`: SVG by matplotlib; `pictures`: PNG as data: URIs
- `notebook`: an executed notebook as a page without scripts
- `words`, `visible`, `pages`: the wording, the escaping, the templates

Every page is one file: no script, nothing loaded from elsewhere, a policy that forbids both. What came from a
student is escaped at one place, `pages.environment`.
"""

from graders.reports.grades import write_grades_csv
from graders.reports.overview import write_class_report
from graders.reports.student import write_student_reports

__all__ = ["write_class_report", "write_grades_csv", "write_student_reports"]
