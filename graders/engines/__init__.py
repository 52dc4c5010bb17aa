"""Where the work runs: on this machine, several students at a time.

`plan` decides what is still to do, `local` does it, `student` is the work for one student after the run:
grade, write the result, write the reports.
"""
